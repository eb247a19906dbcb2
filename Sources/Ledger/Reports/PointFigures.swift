import Base

/// A program's points as a report has them: what the records of some movements come to.
///
/// Each is as the accounts have it (see `AccountCode`): `issued - refunded` is what merchants issued, and what came without one;
/// `redeemed` what they redeemed, `expired` the breakage. All that members were ever owed adds up to `outstanding`.
public struct PointFigures: Hashable, Sendable {
  /// Credited by purchases, events and gifts.
  public var issued: Int128 = 0
  /// Spent, by captures too, less what returns of that gave back.
  public var redeemed: Int128 = 0
  /// Lapsed, at the end of a membership too, less what came back for returns.
  public var expired: Int128 = 0
  /// Taken back by returns of purchases.
  public var refunded: Int128 = 0
  /// Arrived from other members less sent to others: less than 0 is on its way.
  public var transferred: Int128 = 0
  /// Given less taken by hand, and what the operator bore for returns.
  public var adjusted: Int128 = 0
  /// What members have by all that: balances and pending points.
  public var outstanding: Int128 { issued - redeemed - expired - refunded + transferred + adjusted }

  public init() {}

  /// In the order in which reports and pages have them.
  static var all: [WritableKeyPath<PointFigures, Int128> & Sendable] {
    [\.issued, \.redeemed, \.expired, \.refunded, \.transferred, \.adjusted]
  }
  public static func += (sum: inout PointFigures, more: PointFigures) {
    for figure in all { sum[keyPath: figure] += more[keyPath: figure] }
  }
  public func write(into reply: inout ReplyWriter) {
    for (name, value) in [
      ("issued", issued), ("redeemed", redeemed), ("expired", expired), ("refunded", refunded),
      ("transferred", transferred), ("adjusted", adjusted), ("outstanding", outstanding),
    ] {
      reply.field(named: name, Int64(clamping: value))
    }
  }

  func encode(into buffer: inout ByteBuffer) {
    for figure in PointFigures.all {
      buffer.append(UInt64(truncatingIfNeeded: self[keyPath: figure]))
      buffer.append(Int64(truncatingIfNeeded: self[keyPath: figure] >> 64))
    }
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    for figure in PointFigures.all {
      let low: UInt64 = try reader.read()
      self[keyPath: figure] = Int128(try reader.read(Int64.self)) << 64 | Int128(low)
    }
  }

  /// Adds what a record of the journal moved.
  mutating func count(_ record: JournalRecord) {
    let points = Int128(record.points.rawValue)
    let amount = Int128(record.amount.rawValue)
    switch record.kind {
    case .earn, .gift: issued += points
    case .redeem, .capture: redeemed -= points
    case .refund where points < 0: refunded -= points
    case .refund: redeemed -= points
    case .expire, .expireBack: expired -= points
    // What was pending is in `amount`: it was no part of the balance.
    case .close: expired -= points == 0 ? -amount : points
    case .transferOut, .transferIn, .transferBack: transferred += points
    // A debt that the other member took over has no amount.
    case .mergeOut: transferred += amount == 0 ? points : -amount
    case .mergeIn: transferred += amount - Int128(record.debt)
    case .absorb, .adjust: adjusted += points
    // Of a return at another member: what came back from the breakage of this one's lot.
    case .acted: expired -= amount
    case .hold, .release, .lapse, .activate, .extend, .caseOpened, .answer, .index, .rules, .carried: break
    }
  }
}

extension JournalRecord {
  /// Of a `mergeIn`: what the member took over of the other's debt. Journals from before `Semantics.service` do not say it.
  var debt: Int64 {
    guard kind == .mergeIn, answer.count > 0 else { return 0 }
    var reader = ByteReader(answer)
    return (try? reader.readZigzag()) ?? 0
  }
}
