/// What a positional word or a key's value must look like. A value that has its shape is kept with one number made of
/// it (`Request` gives it its type), so that nothing is parsed twice.
public enum ValueShape: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  /// Anything at all.
  case free
  /// 1 to 64 of `A-Za-z0-9._-`.
  case identifier
  /// A member's id, or `card:NUMBER`. The number is 1 for a card.
  case who
  /// `SLOT-SEQUENCE`. The number is `TransactionID.rawValue`.
  case transaction
  /// Points: 1 to 10^15.
  case points
  /// Minor units: 0 to 10^15.
  case spend
  /// UTF-8 of at most 256 bytes, without control characters.
  case text
  /// RFC 3339 UTC, or milliseconds since 1970. The number is microseconds since 1970.
  case moment
  /// `P/M`: points for so many minor units. The number is P << 32 | M.
  case rate
  /// `never`, `Nd` or `Nm`. The number is 0, N, or −N.
  case expiry
  /// `Nd`: 0 to 36,500 days.
  case days
  /// `+HH:MM` or `-HH:MM`, at most 14 hours. The number is minutes.
  case utcOffset
  /// Seconds: 1 to 31,536,000.
  case ttl
  /// 1 to 10,000 records; a verb may take fewer: see `VerbSpec.mostRecords`.
  case limit
  /// `leader` or `local`; the number counts from 0, here and below.
  case readMode
  /// `points` or `money`.
  case programKind
  /// `active`, `frozen` or `closed`.
  case merchantState
  /// 1 to 4,096.
  case shardCount
  /// 1 to 9.
  case replicaCount
  /// `no` or `yes`.
  case yesNo
  /// 0 to 65,535.
  case shardNumber

  /// The most points, or minor units, that one request may name.
  public static let maximumAmount: Int64 = 1_000_000_000_000_000
  public static let maximumIdentifierBytes = 64
  public static let maximumTextBytes = 256

  /// Completes the sentence "`points` must be …".
  public var requirement: String {
    switch self {
    case .free: "anything"
    case .identifier: "1 to 64 of A-Za-z0-9._-"
    case .who: "a member's id or card:NUMBER, of 1 to 64 of A-Za-z0-9._-"
    case .transaction: "a transaction's number like 3-1042"
    case .points: "a whole number from 1 to 1000000000000000"
    case .spend: "a whole number of minor units from 0 to 1000000000000000"
    case .text: "UTF-8 text of at most 256 bytes without control characters"
    case .moment: "a time like 2026-01-31T12:00:00Z or milliseconds since 1970"
    case .rate: "points/minor-units like 1/100, each from 1 to 1000000000 (points may be 0)"
    case .expiry: "never, days like 90d (1 to 36500) or months like 12m (1 to 1200)"
    case .days: "days like 3d (0 to 36500)"
    case .utcOffset: "an offset like +08:00, at most 14 hours"
    case .ttl: "a whole number of seconds from 1 to 2592000"
    case .limit: "a whole number from 1 to 10000"
    case .readMode: "local or leader"
    case .programKind: "points or money"
    case .merchantState: "active, frozen or closed"
    case .shardCount: "a whole number from 1 to 4096"
    case .replicaCount: "a whole number from 1 to 9"
    case .yesNo: "yes or no"
    case .shardNumber: "a shard's number, 0 to 65535"
    }
  }
}

/// `read=`: who may answer.
public enum ReadMode: Int, Sendable { case leader = 0, local = 1 }
/// `kind=` of a program.
public enum ProgramKind: Int, Sendable { case points = 0, money = 1 }
/// `state=` of a merchant.
public enum MerchantState: Int, Sendable { case active = 0, frozen = 1, closed = 2 }

/// `earn=P/M`: P points for every M minor units.
public struct EarnRate: Hashable, Sendable {
  /// 0 to 10^9.
  public var points: UInt32
  /// 1 to 10^9.
  public var minorUnits: UInt32
}

/// `expire=`: when points lapse.
public enum ExpiryTerm: Hashable, Sendable {
  case never
  /// 1 to 36,500.
  case days(Int)
  /// 1 to 1,200 calendar months.
  case months(Int)
}
