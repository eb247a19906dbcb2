/// A perfect hash from words of 1 to 24 bytes to a code, blind to case: two loads, two multiplications and a few
/// compares a lookup. The multiplier is searched when the table is made, so that no two words share a cell.
struct WordTable: ~Copyable {
  private struct Cell: BitwiseCopyable {
    var low: UInt64 = 0
    var high: UInt64 = 0
    var last: UInt64 = 0
    var count: UInt8 = 0
    var code: UInt8 = 0
  }
  private let cells: UnsafeMutablePointer<Cell>
  private let multiplier: UInt64
  private static let cellCount = 1024
  private static let shift: UInt64 = 54

  /// `salt` tells apart equal words of different families; 0 where there is one family.
  struct Entry {
    var word: String
    var salt: UInt8
    var code: UInt8
  }

  init(_ entries: [Entry]) {
    let words = entries.map { entry in
      Array(entry.word.utf8).withUnsafeBytes { WordTable.fold($0, salt: entry.salt) }
    }
    var candidate: UInt64 = 0x9E37_79B9_7F4A_7C15
    while true {
      var seen = Set<Int>()
      if words.allSatisfy({ seen.insert(WordTable.cell($0.low, $0.high, candidate)).inserted }) { break }
      candidate = candidate &* 0xD134_2543_DE82_EF95 &+ 2
      candidate |= 1
    }
    cells = .allocate(capacity: WordTable.cellCount)
    cells.initialize(repeating: Cell(), count: WordTable.cellCount)
    multiplier = candidate
    for (entry, word) in zip(entries, words) {
      precondition((1...24).contains(entry.word.utf8.count), "a word of the language has 1 to 24 bytes")
      cells[WordTable.cell(word.low, word.high, candidate)] = Cell(
        low: word.low, high: word.high, last: word.last, count: UInt8(entry.word.utf8.count), code: entry.code)
    }
  }
  deinit { cells.deallocate() }

  /// The word's code; 0 if it is none of the table's.
  @inline(__always) func find(_ start: UnsafeRawPointer, _ count: Int, salt: UInt8 = 0) -> UInt8 {
    guard count > 0 && count <= 24 else { return 0 }
    let word = WordTable.fold(UnsafeRawBufferPointer(start: start, count: count), salt: salt)
    let cell = cells[WordTable.cell(word.low, word.high, multiplier)]
    return cell.low == word.low && cell.high == word.high && cell.last == word.last && Int(cell.count) == count
      ? cell.code : 0
  }

  @inline(__always) private static func cell(_ low: UInt64, _ high: UInt64, _ multiplier: UInt64) -> Int {
    Int(truncatingIfNeeded: ((low ^ high &* 0xFF51_AFD7_ED55_8CCD) &* multiplier) &>> shift)
  }

  /// The bytes of a word as two integers, letters made small by setting bit 5, never reading outside the word. What
  /// else that bit confuses (a CR for a hyphen) cannot stand in for a letter.
  @inline(__always) private static func fold(
    _ word: UnsafeRawBufferPointer, salt: UInt8
  ) -> (low: UInt64, high: UInt64, last: UInt64) {
    let n = word.count
    var low: UInt64
    var high: UInt64 = 0
    var last: UInt64 = 0
    if n >= 8 {
      low = word.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
      if n > 16 {
        high = word.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        last = word.loadUnaligned(fromByteOffset: n &- 8, as: UInt64.self) | 0x2020_2020_2020_2020
      } else if n > 8 {
        high =
          word.loadUnaligned(fromByteOffset: n &- 8, as: UInt64.self) &>> UInt64(truncatingIfNeeded: (16 &- n) &* 8)
      }
    } else if n >= 4 {
      low = UInt64(word.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
      let tail = UInt64(word.loadUnaligned(fromByteOffset: n &- 4, as: UInt32.self))
      low |= tail &<< UInt64(truncatingIfNeeded: (n &- 4) &* 8)
    } else {
      low = UInt64(word[0])
      if n > 1 { low |= UInt64(word[n &- 1]) &<< UInt64(truncatingIfNeeded: (n &- 1) &* 8) }
      if n == 3 { low |= UInt64(word[1]) &<< 8 }
    }
    low |= 0x2020_2020_2020_2020
    high |= 0x2020_2020_2020_2020
    return (low, high ^ UInt64(salt) &<< 56, last)
  }
}
