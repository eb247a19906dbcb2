import Base

/// What all shards had drawn of budgets' periods when a question was asked (`SIMULATE`, `EXPLAIN EARN`): the node at hand asks them where the
/// leases of the member's shard are short, and the question comes again with it.
///
///     (quota:varint kind:u8 start:zigzag drawn:zigzag)*
public struct KnownDraws: Sendable {
  /// A question draws on no more of them that shards are asked about.
  static let most = 32
  private var all: [(period: QuotaPeriod, drawn: Int64)] = []

  init() {}
  /// Nothing is known of what cannot be read.
  init(decoding bytes: UnsafeRawBufferPointer) {
    var reader = ByteReader(bytes)
    while !reader.isAtEnd, all.count < KnownDraws.most, let period = try? QuotaPeriod(&reader),
      let drawn = try? reader.readZigzag(), (0...Ledger.largestBalance.rawValue).contains(drawn)
    {
      all.append((period, drawn))
    }
  }
  func drawn(of period: QuotaPeriod) -> Int64? { all.first { $0.period == period }?.drawn }

  /// Of some periods alone.
  func of(_ isMeant: (QuotaPeriod) -> Bool) -> KnownDraws {
    var some = KnownDraws()
    some.all = all.filter { isMeant($0.period) }
    return some
  }

  /// The answer that has a node ask.
  static func write(_ periods: some Sequence<QuotaPeriod>, into reply: inout ReplyWriter) {
    var list = ByteBuffer(capacity: 64)
    for period in periods { period.encode(into: &list) }
    reply.budgetsWanted(list.bytes)
  }
  static func periods(_ bytes: UnsafeRawBufferPointer) throws(MalformedBytes) -> [QuotaPeriod] {
    var reader = ByteReader(bytes)
    var all: [QuotaPeriod] = []
    while !reader.isAtEnd, all.count < most { all.append(try QuotaPeriod(&reader)) }
    try reader.finish()
    return all
  }
}

extension Command {
  /// A framed question, with what all shards had drawn. Nil if a shard did not say it of each period.
  /// - Parameters:
  ///   - periods: as the answer had them by which the shard asked.
  ///   - parts: what each shard has, see `Inquiry.drawn`.
  public static func carrying(drawn parts: [[UInt8]], of periods: Bytes, _ question: Bytes) -> [UInt8]? {
    guard let periods = try? KnownDraws.periods(periods), question.count < maximumByteCount / 2 else { return nil }
    var sums = [Int64](repeating: 0, count: periods.count)
    for part in parts {
      let figures = part.split(separator: UInt8(ascii: ",")).map { Int64(String(decoding: $0, as: UTF8.self)) }
      guard figures.count == sums.count else { return nil }
      for (place, figure) in figures.enumerated() { sums[place] &+= figure ?? 0 }
    }
    var list = ByteBuffer(capacity: 64)
    for (period, sum) in zip(periods, sums) {
      period.encode(into: &list)
      list.append(zigzag: max(0, sum))
    }
    var buffer = ByteBuffer(capacity: question.count + list.count + 8)
    buffer.append(question)
    buffer.append(Attachment.drawn.rawValue)
    buffer.append(counted: list.bytes)
    end(&buffer, 0)
    return buffer.array
  }
}

extension Ledger {
  /// What this shard has drawn of each period, divided by commas.
  func writeDrawn(_ periods: [UInt8], _ reply: inout ReplyWriter) {
    guard let periods = periods.withUnsafeBytes({ try? KnownDraws.periods($0) }) else { return }
    reply.field(.detail, periods.map { "\(drawn(of: $0))" }.joined(separator: ","))
  }
}
