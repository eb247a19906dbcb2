import Base

/// A word as one rule set knows it. Good until that set is changed.
@frozen public struct Word: Hashable, Sendable, BitwiseCopyable {
  @usableFromInline var number: UInt32
  @usableFromInline init(number: UInt32) { self.number = number }
  /// There is no such fact.
  @inlinable public static var unknown: Word { Word(number: 0) }
  /// The fact is there, and no rule names its value.
  @inlinable public static var unnamed: Word { Word(number: 1) }
}

/// Numbers for words, counted by use: open addressing, at most half full. A word that nothing uses any more gives its number
/// back. Looking one up costs a hash and a probe.
struct WordIndex: Sendable {
  private struct Entry: BitwiseCopyable {
    var hash: UInt64
    var start: UInt32
    var count: UInt32
    /// 0: the number is free.
    var uses: UInt32
  }
  private static let firstNumber = 2
  private let seed: UInt64
  private var bytes: [UInt8] = []
  private var wastedBytes = 0
  private var entries: [Entry] = []
  private var free: [UInt32] = []
  private var cells = [UInt32](repeating: 0, count: 16)
  private(set) var count = 0

  init(seed: UInt64) { self.seed = seed }

  func find(_ text: UnsafeRawBufferPointer) -> Word {
    guard let at = place(text, xxh64(text, seed: seed)) else { return .unnamed }
    return Word(number: UInt32(at + WordIndex.firstNumber))
  }
  private func place(_ text: UnsafeRawBufferPointer, _ hash: UInt64) -> Int? {
    let mask = cells.count &- 1
    var at = Int(truncatingIfNeeded: hash) & mask
    while cells[at] != 0 {
      let place = Int(cells[at]) &- 1
      if entries[place].hash == hash, isSame(entries[place], text) { return place }
      at = (at &+ 1) & mask
    }
    return nil
  }
  private func isSame(_ entry: Entry, _ text: UnsafeRawBufferPointer) -> Bool {
    guard Int(entry.count) == text.count else { return false }
    return bytes.withUnsafeBytes { all in
      let start = Int(entry.start)
      return UnsafeRawBufferPointer(rebasing: all[start..<start + text.count]).hasSameBytes(as: text)
    }
  }
  func withBytes<R>(of word: Word, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    let at = Int(word.number) - WordIndex.firstNumber
    guard entries.indices.contains(at) else { return body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    let (start, count) = (Int(entries[at].start), Int(entries[at].count))
    return bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<start + count])) }
  }
  func text(of word: Word) -> [UInt8] { withBytes(of: word) { Array($0) } }

  // MARK: Changes

  /// A word's number, for one use more of it.
  mutating func retain(_ text: [UInt8]) -> Word {
    text.withUnsafeBytes { text in
      let hash = xxh64(text, seed: seed)
      let at = place(text, hash) ?? insert(text, hash)
      entries[at].uses += 1
      return Word(number: UInt32(at + WordIndex.firstNumber))
    }
  }
  mutating func retain(_ word: Word) { entries[Int(word.number) - WordIndex.firstNumber].uses += 1 }

  private mutating func insert(_ text: UnsafeRawBufferPointer, _ hash: UInt64) -> Int {
    if (count + 1) * 2 > cells.count {
      let old = cells
      cells = [UInt32](repeating: 0, count: old.count * 2)
      for cell in old where cell != 0 { enter(cell) }
    }
    let entry = Entry(hash: hash, start: UInt32(bytes.count), count: UInt32(text.count), uses: 0)
    bytes.append(contentsOf: text)
    let at: Int
    if let number = free.popLast() {
      at = Int(number)
      entries[at] = entry
    } else {
      at = entries.count
      entries.append(entry)
    }
    count += 1
    enter(UInt32(at + 1))
    return at
  }
  private mutating func enter(_ cell: UInt32) {
    let mask = cells.count - 1
    var at = Int(truncatingIfNeeded: entries[Int(cell) - 1].hash) & mask
    while cells[at] != 0 { at = (at + 1) & mask }
    cells[at] = cell
  }
  /// One use less.
  mutating func release(_ word: Word) {
    let place = Int(word.number) - WordIndex.firstNumber
    guard entries.indices.contains(place), entries[place].uses > 0 else { return }
    entries[place].uses -= 1
    guard entries[place].uses == 0 else { return }
    let mask = cells.count - 1
    var at = Int(truncatingIfNeeded: entries[place].hash) & mask
    while cells[at] != UInt32(place + 1) { at = (at + 1) & mask }
    closeGap(at)
    count -= 1
    wastedBytes += Int(entries[place].count)
    free.append(UInt32(place))
    if wastedBytes > 1_024, wastedBytes * 2 > bytes.count { compact() }
  }
  /// Empties a cell, and moves those behind it that would not be found any more.
  private mutating func closeGap(_ cell: Int) {
    let mask = cells.count - 1
    var (gap, at) = (cell, cell)
    while true {
      at = (at + 1) & mask
      guard cells[at] != 0 else { break }
      let home = Int(truncatingIfNeeded: entries[Int(cells[at]) - 1].hash) & mask
      if (at - home) & mask >= (at - gap) & mask {
        cells[gap] = cells[at]
        gap = at
      }
    }
    cells[gap] = 0
  }
  private mutating func compact() {
    var kept: [UInt8] = []
    kept.reserveCapacity(bytes.count - wastedBytes)
    for at in entries.indices where entries[at].uses > 0 {
      let start = Int(entries[at].start)
      entries[at].start = UInt32(kept.count)
      kept.append(contentsOf: bytes[start..<start + Int(entries[at].count)])
    }
    bytes = kept
    wastedBytes = 0
  }
}
