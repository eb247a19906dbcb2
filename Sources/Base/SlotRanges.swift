/// Slots that belong together, as a shard owns them: at most eight runs, in order, of which none touches the next. Flat, so
/// that it can stand in a record.
public struct SlotRanges: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
  /// A shard has at most eight volumes, and each has one run.
  public static let most = 8
  /// A run in each: its first slot in the low half, its end in the high one. 0: no run, and none behind it.
  private var runs: InlineArray<8, UInt32> = InlineArray(repeating: 0)

  public static let none = SlotRanges()
  public static let all = SlotRanges(first: 0, end: Slot.count)

  private init() {}
  private init(first: Int, end: Int) { runs[0] = UInt32(first) | UInt32(end) << 16 }
  /// Nil: they are empty, out of order or bounds, touch one another, or are too many.
  public init?(_ ranges: [Range<Int>]) {
    guard ranges.count <= SlotRanges.most else { return nil }
    var end = -1
    for (place, range) in ranges.enumerated() {
      guard range.lowerBound > end, !range.isEmpty, range.upperBound <= Slot.count else { return nil }
      end = range.upperBound
      runs[place] = UInt32(range.lowerBound) | UInt32(range.upperBound) << 16
    }
  }

  /// The runs, in order.
  public var ranges: [Range<Int>] {
    runs.indices.lazy.map { runs[$0] }.prefix { $0 != 0 }.map { Int($0 & 0xFFFF)..<Int($0 >> 16) }
  }
  /// The lowest slot; nil if there is none.
  public var first: Slot? { runs[0] == 0 ? nil : Slot(UInt16(truncatingIfNeeded: runs[0])) }
  public var isEmpty: Bool { runs[0] == 0 }

  /// O(1): nearly all shards own one run.
  @inline(__always) public func contains(_ slot: Slot) -> Bool {
    let first = runs[0] & 0xFFFF
    if UInt32(slot.rawValue) &- first < runs[0] >> 16 &- first { return true }
    return runs[1] != 0 && isFurtherOn(UInt32(slot.rawValue))
  }
  @inline(never) private func isFurtherOn(_ slot: UInt32) -> Bool {
    for place in 1..<SlotRanges.most where slot >= runs[place] & 0xFFFF && slot < runs[place] >> 16 { return true }
    return false
  }

  public static func == (a: SlotRanges, b: SlotRanges) -> Bool {
    a.runs.indices.allSatisfy { a.runs[$0] == b.runs[$0] }
  }
  public func hash(into hasher: inout Hasher) { for place in runs.indices { hasher.combine(runs[place]) } }
  /// `0-4095,8192-12287`
  public var description: String {
    isEmpty ? "none" : ranges.map { "\($0.lowerBound)-\($0.upperBound - 1)" }.joined(separator: ",")
  }

  /// `count:u8 (first:u16 end:u16)*`
  public func encode(into buffer: inout ByteBuffer) {
    let ranges = ranges
    buffer.append(UInt8(ranges.count))
    for range in ranges {
      buffer.append(UInt16(range.lowerBound))
      buffer.append(UInt16(range.upperBound))
    }
  }
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    var ranges: [Range<Int>] = []
    for _ in 0..<(try reader.read(UInt8.self)) {
      let first = Int(try reader.read(UInt16.self))
      let end = Int(try reader.read(UInt16.self))
      guard first < end else { throw MalformedBytes("a run of slots without slots") }
      ranges.append(first..<end)
    }
    guard let decoded = SlotRanges(ranges) else { throw MalformedBytes("runs of slots that no shard can own") }
    self = decoded
  }
  /// Whether it is what one of these initialisers makes: a record may hold other bytes.
  public var isWellFormed: Bool {
    var end = -1
    var isOver = false
    for place in runs.indices {
      let run = runs[place]
      if run == 0 {
        isOver = true
        continue
      }
      guard !isOver, Int(run & 0xFFFF) > end, run & 0xFFFF < run >> 16, Int(run >> 16) <= Slot.count else {
        return false
      }
      end = Int(run >> 16)
    }
    return true
  }
}
