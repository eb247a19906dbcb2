import Base

/// From words of 1 to 24 bytes to a code, blind to case: two loads, two multiplications and a few compares a lookup.
///
/// Open addressing with a quarter of the cells taken, at most: making it takes a step a word and a few more, however many
/// words there are, and a lookup passes few cells, also one of a word that is none.
public struct WordTable: ~Copyable {
  @usableFromInline struct Cell: BitwiseCopyable {
    @usableFromInline var low: UInt64 = 0
    @usableFromInline var high: UInt64 = 0
    @usableFromInline var last: UInt64 = 0
    /// How many bytes, and whose word it is; 0: none.
    @usableFromInline var mark: UInt32 = 0
    @usableFromInline var code: UInt16 = 0
  }
  @usableFromInline let cells: UnsafeMutablePointer<Cell>
  @usableFromInline let mask: Int
  /// How many cells were looked at when it was made.
  let steps: Int

  /// `salt` tells apart equal words of different families; 0 where there is one family.
  public struct Entry {
    var word: String
    var salt: UInt16
    var code: UInt16
  }
  @inlinable static var longestWord: Int { 24 }

  init(_ entries: [Entry]) {
    var count = 64
    while count < 4 * entries.count { count *= 2 }
    cells = .allocate(capacity: count)
    cells.initialize(repeating: Cell(), count: count)
    mask = count - 1
    var steps = 0
    for entry in entries {
      precondition((1...WordTable.longestWord).contains(entry.word.utf8.count), "a word has 1 to 24 bytes")
      let folded = Array(entry.word.utf8).withUnsafeBytes { WordTable.fold($0) }
      var at = WordTable.hash(folded, entry.salt) & mask
      steps += 1
      while cells[at].mark != 0 {
        at = (at + 1) & mask
        steps += 1
      }
      cells[at] = Cell(
        low: folded.low, high: folded.high, last: folded.last,
        mark: WordTable.mark(entry.word.utf8.count, entry.salt), code: entry.code)
    }
    self.steps = steps
  }
  deinit { cells.deallocate() }

  /// The word's code; 0 if it is none of the table's.
  @inlinable @inline(__always) public func find(_ start: UnsafeRawPointer, _ count: Int, salt: UInt16 = 0) -> UInt16 {
    guard count > 0 && count <= WordTable.longestWord else { return 0 }
    let word = WordTable.fold(UnsafeRawBufferPointer(start: start, count: count))
    let mark = WordTable.mark(count, salt)
    var at = WordTable.hash(word, salt) & mask
    while true {
      let cell = cells + at
      if cell.pointee.low == word.low && cell.pointee.mark == mark && cell.pointee.high == word.high
        && cell.pointee.last == word.last
      {
        return cell.pointee.code
      }
      guard cell.pointee.mark != 0 else { return 0 }
      at = (at &+ 1) & mask
    }
  }

  @inlinable @inline(__always) static func mark(_ count: Int, _ salt: UInt16) -> UInt32 {
    UInt32(truncatingIfNeeded: count) | UInt32(salt) &<< 16
  }
  @inlinable @inline(__always) static func hash(
    _ word: (low: UInt64, high: UInt64, last: UInt64), _ salt: UInt16
  ) -> Int {
    let mixed =
      (word.low ^ (word.high &+ word.last &<< 1 &+ UInt64(salt)) &* 0xFF51_AFD7_ED55_8CCD) &* 0x9E37_79B9_7F4A_7C15
    return Int(truncatingIfNeeded: mixed &>> 40)
  }

  /// The bytes of a word as three integers, letters made small by setting bit 5, never reading outside the word. What
  /// else that bit confuses (a CR for a hyphen) cannot stand in for a letter.
  @inlinable @inline(__always) static func fold(
    _ word: UnsafeRawBufferPointer
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
    return (low | 0x2020_2020_2020_2020, high | 0x2020_2020_2020_2020, last)
  }
}
