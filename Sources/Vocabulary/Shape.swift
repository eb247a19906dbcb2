/// What a positional word or a key's value must look like. A value that has its shape is kept with one number made of
/// it, so that nothing is parsed twice. All that is said of a shape (its parser, its sentence in errors and help, its form in
/// commands) is made of its one range or its one list of words.
public enum Shape: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  /// Anything at all.
  case free
  /// 1 to 64 of `A-Za-z0-9._-`.
  case identifier
  /// A member's id, or `KIND:VALUE` of an alias. The number is 0 for an id, 1 for a card, 2 for another kind.
  case who
  /// `SLOT-SEQUENCE`. The number is `TransactionID.rawValue`.
  case transaction
  case points
  /// Minor units of money.
  case spend
  /// UTF-8 without control characters.
  case text
  /// The same, and longer: what is noted of a member.
  case note
  /// RFC 3339 UTC, or milliseconds since 1970. The number is microseconds since 1970.
  case moment
  /// As `moment` with any offset from UTC, or a date alone. The number is microseconds since 1970, or of a date −1 and the
  /// days since 1970 less: what moment that is depends on a zone.
  case dateOrMoment
  /// `P/M`: points for so many minor units. The number is P << 32 | M.
  case rate
  /// `N/D`. The number is N << 32 | D.
  case fraction
  /// Hundredths of a percent.
  case basisPoints
  /// `never`, `Nd`, `Nm`, `Nq` or `Ny`, each with `+Nd` of grace, or `activity:Nd`. The number: see `ExpiryText`.
  case expiry
  /// `Nd`.
  case days
  /// `Nd`, of how far back a purchase may be.
  case backdate
  /// `+HH:MM` or `-HH:MM`. The number is minutes.
  case utcOffset
  /// Seconds that a hold lasts.
  case ttl
  /// Records of a list.
  case limit
  /// Records of a history, each of which is read from the disk.
  case historyLimit
  /// `leader` or `local`; the number counts from 0, here and below.
  case readMode
  case shardCount
  case replicaCount
  case yesNo
  case shardNumber
  /// The number of an entry's version.
  case version
  /// An identifier, or `*`.
  case newMember
  /// `off`, `Ns`, `Nm`, `Nh` or `Nd`: how long. The number is seconds; 0: `off`.
  case span
  /// How many replicas of a node move at once.
  case moveCount
  /// `off`, `NKB`, `NMB` or `NGB`: bytes a second, a thousand to the KB. 0: `off`.
  case byteRate
  /// A slot that does not begin the key space.
  case slot
  /// `MM-DD..MM-DD[,…]`: days of each year, see `YearWindow`.
  case yearWindows
  /// `lapse` or `transfer:MEMBER`.
  case closing
  /// The key of an entry: identifiers, divided by `/` where it has several words.
  case entryKey
  /// An identifier, or nothing, which takes back what was said.
  case word
  /// A date like 1990-06-07, or nothing.
  case date
  /// `x.NAME=VALUE`, all of a request's: `EntryAttributes`, as the parser collects them.
  case attributes
  /// Identifiers, divided by commas, or each a word of its own.
  case tags
  /// Where a rule stands among those of its stage.
  case priority
  /// `N/day`, `/week`, `/month` or `/year`, or several: caps of what a member earns.
  case caps
  /// `SKU:QUANTITY:AMOUNT[,…]`: the lines of a purchase, see `SaleLine`.
  case lines
  /// `KIND:VALUE`. What is kept of it is its `AliasKey`.
  case alias
  /// That of a member.
  case memberState
  /// A `WHO`, or nothing, which takes back what was said. A command carries the member's id.
  case holder
  /// Of a user: see `Role`.
  case role
  /// Whether a user or a tenant is served.
  case standing
  /// A whole number that may be 0: nothing, or no bound.
  case amount
  /// A place in the feed, as an answer gave it. What it says, the node at hand reads.
  case cursor
  /// Seconds that an answer may be waited for.
  case wait
  /// Of an adjustment.
  case direction

  /// How a command carries a value of it. For ever, of each shape.
  public enum Wire: UInt8, Sendable, BitwiseCopyable {
    /// A zigzag varint: the number made of it.
    case number
    /// Counted bytes.
    case text
    /// The member's id and the card's number, counted: either may be empty.
    case who
    /// 8 bytes.
    case transaction
    /// All that is left: of the shards' own commands.
    case rest
  }
  @inlinable @inline(__always) public var wire: Wire {
    switch self {
    case .free: .rest
    case .identifier, .newMember, .text, .note, .yearWindows, .closing, .entryKey, .word, .date, .attributes,
      .tags, .caps, .lines, .alias, .holder, .cursor:
      .text
    case .who: .who
    case .transaction: .transaction
    default: .number
    }
  }

  /// The most points, or minor units, that one request may name.
  public static let maximumAmount: Int64 = 1_000_000_000_000_000
  public static let maximumIdentifierBytes = 64
  /// The most bytes of a text.
  @inlinable @inline(__always) public var maximumBytes: Int {
    switch self {
    case .identifier, .newMember: 64
    case .note: 1_024
    case .word: 64
    case .attributes: EntryKind.mostAttributes * (64 + 256 + 4)
    case .tags: 64 * 65
    case .lines: SaleLine.most * (64 + 2 * 17 + 1)
    case .alias, .holder: 64 + 6
    case .cursor: 4_096
    default: 256
    }
  }

  /// Which numbers it may have, of a shape that is a whole number or counts a unit.
  @inlinable @inline(__always) public var range: ClosedRange<Int64>? {
    switch self {
    case .points: 1...Shape.maximumAmount
    case .spend: 0...Shape.maximumAmount
    case .rate, .fraction: 1...1_000_000_000
    case .basisPoints: 0...10_000
    case .days: 0...36_500
    case .backdate: 0...EntryKind.longestBackdate
    case .utcOffset: -14 * 60...14 * 60
    case .ttl: 1...2_592_000
    case .limit: 1...10_000
    case .historyLimit: 1...1_000
    case .shardCount: 1...4_096
    case .replicaCount: 1...9
    case .shardNumber: 0...65_535
    case .version: 1...Int64(UInt32.max)
    case .span: 10...2_592_000
    case .moveCount: 1...64
    case .byteRate: 10_000...100_000_000_000
    case .slot: 1...16_383
    case .priority: 0...1_000
    case .amount: 0...Shape.maximumAmount
    case .wait: 0...60
    case .free, .identifier, .newMember, .who, .transaction, .text, .note, .moment, .dateOrMoment, .expiry, .readMode,
      .yesNo, .yearWindows, .closing, .entryKey, .word, .date, .attributes, .tags,
      .caps, .lines, .alias, .memberState, .holder, .role, .standing, .cursor,
      .direction:
      nil
    }
  }

  /// The words that it may be, in the order of their numbers; none of a shape that is no choice.
  public var choices: [String] { Shape.choices[Int(rawValue)] }
  private static let choices: [[String]] = allCases.map { shape in
    switch shape {
    case .readMode: ["leader", "local"]
    case .yesNo: ["no", "yes"]
    case .memberState: ["active", "frozen", "closed"]
    case .role: Role.allCases.map(\.word)
    case .standing: ["active", "stopped"]
    case .direction: ["up", "down"]
    default: []
    }
  }

  /// Completes the sentence "`points` must be …".
  public var requirement: String {
    func span(_ range: ClosedRange<Int64>?) -> String { range.map { "\($0.lowerBound) to \($0.upperBound)" } ?? "" }
    let bounds = span(range)
    return switch self {
    case .free: "anything"
    case .identifier: "1 to \(Shape.maximumIdentifierBytes) of A-Za-z0-9._-"
    case .newMember: "\(Shape.identifier.requirement), or * with region= and id="
    case .who: "a member's id, \(Shape.identifier.requirement), or \(Shape.alias.requirement)"
    case .holder: "\(Shape.who.requirement), or nothing"
    case .transaction: "a transaction's number like 3-1042"
    case .lines: SaleLine.requirement
    case .caps: "one to four of points a window, divided by commas, like 100/day,1000/year (day, week, month, year)"
    case .points, .priority, .limit, .historyLimit, .shardCount, .replicaCount, .moveCount, .amount:
      "a whole number from \(bounds)"
    case .spend: "a whole number of minor units from \(bounds)"
    case .ttl, .wait: "a whole number of seconds from \(bounds)"
    case .cursor: "the cursor= of an earlier answer, at most \(maximumBytes) bytes"
    case .shardNumber: "a shard's number, \(bounds)"
    case .version: "a version's number, \(bounds)"
    case .slot: "a slot's number, \(bounds)"
    case .text, .note: "UTF-8 text of at most \(maximumBytes) bytes without control characters"
    case .moment: "a time like 2026-01-31T12:00:00Z or milliseconds since 1970"
    case .dateOrMoment: "a time like 2026-01-31T12:00:00Z, milliseconds since 1970, or a date like 2026-01-31"
    case .rate: "points/minor-units like 1/100, each from \(bounds) (points may be 0)"
    case .expiry: ExpiryText.requirement
    case .yearWindows: YearWindow.requirement
    case .closing: "lapse or transfer:MEMBER"
    case .word: "\(Shape.identifier.requirement), or nothing"
    case .date: "a date like 1990-06-07, or nothing"
    case .attributes:
      "UTF-8 text of at most 256 bytes without control characters, or nothing; NAME is \(Shape.identifier.requirement)"
    case .tags: "1 to 64 words, each \(Shape.identifier.requirement)"
    case .alias:
      "KIND:VALUE, of \(Shape.sentence(AliasKey.kinds)), and 1 to \(Shape.maximumIdentifierBytes) of A-Za-z0-9._+@-"
    case .entryKey: "an entry's key, its words divided by /"
    case .fraction: "a fraction like 3/2, each from \(bounds)"
    case .basisPoints: "hundredths of a percent, a whole number from \(bounds)"
    case .days, .backdate: "days like 3d (\(bounds))"
    case .span: "off, or a time like 90s, 10m or 2h (\(bounds) seconds)"
    case .byteRate: "off, or bytes a second like 500KB, 50MB or 1GB (10KB to 100GB)"
    case .utcOffset: "an offset like +08:00, at most \((range?.upperBound ?? 0) / 60) hours"
    case .readMode, .yesNo: Shape.sentence(choices.reversed())
    case .memberState, .role, .standing, .direction: Shape.sentence(choices)
    }
  }
  /// `a, b or c`
  static func sentence(_ choices: [String]) -> String {
    choices.dropLast().joined(separator: ", ") + " or " + (choices.last ?? "")
  }
}

/// `read=`: who may answer.
public enum ReadMode: Int, Sendable { case leader = 0, local = 1 }
