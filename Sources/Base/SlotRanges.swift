/// Slots that belong together, as a shard owns them: at most eight runs, in order, of which none touches the next. Flat, so
/// that it can stand in a record.
public struct SlotRanges: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
  /// So many runs stand in a record without making it large.
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

  /// Cut in two: the upper part is the run that `at` is in, from there to its end; the lower part is all else. Nil: `at` lies
  /// in no run, or begins it.
  public func split(at: Int) -> (lower: SlotRanges, upper: SlotRanges)? {
    guard let run = ranges.first(where: { $0.contains(at) && $0.lowerBound < at }),
      let lower = SlotRanges(ranges.map { $0 == run ? run.lowerBound..<at : $0 }),
      let upper = SlotRanges([at..<run.upperBound])
    else { return nil }
    return (lower, upper)
  }

  /// Without some slots; nil: the rest are too many runs.
  public func removing(_ slots: Range<Int>) -> SlotRanges? {
    SlotRanges(
      ranges.flatMap { run in
        [
          run.lowerBound..<min(run.upperBound, max(run.lowerBound, slots.lowerBound)),
          max(run.lowerBound, min(run.upperBound, slots.upperBound))..<run.upperBound,
        ]
      }.filter { !$0.isEmpty })
  }
  /// With some slots more; nil: some of them are there already, or they are too many runs.
  public func adding(_ slots: Range<Int>) -> SlotRanges? {
    guard !slots.isEmpty, !ranges.contains(where: { $0.overlaps(slots) }) else { return nil }
    var all: [Range<Int>] = []
    for run in (ranges + [slots]).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = all.last, last.upperBound == run.lowerBound {
        all[all.count - 1] = last.lowerBound..<run.upperBound
      } else {
        all.append(run)
      }
    }
    return SlotRanges(all)
  }
  /// Whether all of some slots are in them.
  public func contains(_ slots: Range<Int>) -> Bool {
    ranges.contains { $0.lowerBound <= slots.lowerBound && slots.upperBound <= $0.upperBound }
  }

  /// How many slots there are in them.
  public var count: Int { ranges.reduce(0) { $0 + $1.count } }
  /// The runs of a text like `description`; what is no run is left out.
  public static func runs(in text: some Collection<UInt8>) -> [Range<Int>] {
    text.split(separator: UInt8(ascii: ",")).compactMap { run in
      let bounds = run.split(separator: UInt8(ascii: "-")).compactMap { Int(String(decoding: $0, as: UTF8.self)) }
      guard let first = bounds.first, let last = bounds.last, 0 <= first, first <= last, last < Slot.count else {
        return nil
      }
      return first..<last + 1
    }
  }
  /// The slot at which the widest run is cut into halves; nil: no run has two slots.
  public var widestMiddle: UInt16? {
    guard let run = ranges.max(by: { $0.count < $1.count }), run.count > 1 else { return nil }
    return UInt16(run.lowerBound + run.count / 2)
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
