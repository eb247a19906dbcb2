/// What the program says, beside its rules.
public struct EarningTerms: Hashable, Sendable {
  public enum Combination: UInt8, Sendable { case max, product }
  /// The rate of what no base rule takes: the merchant's in its own program, else the program's.
  public var rate: Fraction
  public var isMerchantsRate: Bool
  /// What several factors do together.
  public var combination: Combination
  /// `earn-cap=`, of the program or the member's class.
  public var caps: [Cap]
  public init(rate: Fraction, isMerchantsRate: Bool = false, combination: Combination = .max, caps: [Cap] = []) {
    (self.rate, self.isMerchantsRate, self.combination, self.caps) = (rate, isMerchantsRate, combination, caps)
  }
}

/// What a member has earned, and budgets have left, before this request.
public protocol EarningBooks {
  /// What was credited to the member in a window, less what returns took: in transactions in which a cap rule took part, or in all
  /// (nil) of the program.
  func used(ofRule number: UInt32?, in window: CapWindow) -> Int64
  /// What a quota has left; nil: as much as one wants.
  func left(ofBudget number: UInt32) -> Int64?
}

/// A step of the working out, as a transaction's record keeps it and `EXPLAIN` shows it.
@frozen public struct Step: Hashable, Sendable, BitwiseCopyable {
  /// The numbers are for ever.
  @frozen public enum Source: UInt8, Sendable {
    case rule = 1, merchantRate, programRate
    /// An `EARN` that says how many points.
    case request
    case tier, cardType
    /// `earn-cap=`; `number` is which of its windows.
    case programCap
    /// What a budget had not; `number` is the rule's, whose campaign's it is.
    case budget
  }
  public var source: Source
  public var stage: Stage
  /// The rule's, or the tier's or card type's entry; 0 where there is none.
  public var number: UInt32
  public var version: UInt32
  /// What it added; below 0 what it took away; 0 where another's factor was greater, or a cap had room.
  public var points: Int64
  /// After it.
  public var total: Int64

  public init(_ source: Source, _ stage: Stage, number: UInt32 = 0, version: UInt32 = 0, points: Int64, total: Int64) {
    (self.source, self.stage, self.number, self.version) = (source, stage, number, version)
    (self.points, self.total) = (points, total)
  }
}

/// A window in which what was credited counts, and to which a return gives it back.
@frozen public struct CapCount: Hashable, Sendable, BitwiseCopyable {
  /// The rule's; nil: the program's `earn-cap`.
  public var rule: UInt32?
  public var window: CapWindow
  /// What was left before.
  public var room: Int64
  public var credited: Int64
}

/// What points of a campaign's rules cost its budget.
@frozen public struct Draw: Hashable, Sendable, BitwiseCopyable {
  public var campaign: UInt32
  /// The quota's number; nil: the campaign has none.
  public var budget: UInt32?
  /// After caps.
  public var wanted: Int64
  /// The rest is cut, unless the caller refuses the request for it.
  public var granted: Int64
}

/// What comes of a request. Its owner keeps it, so that nothing is allocated anew.
public struct Outcome: Hashable, Sendable {
  public internal(set) var points: Int64 = 0
  /// What caps and budgets cut off.
  public internal(set) var capped: Int64 = 0
  /// The rule that blocked it: `reason=`.
  public internal(set) var blockedBy: UInt32?
  /// Of each line of a purchase that has lines; their sum is `points`.
  public internal(set) var linePoints: [Int64] = []
  public internal(set) var steps: [Step] = []
  public internal(set) var counts: [CapCount] = []
  public internal(set) var draws: [Draw] = []
  public init() {}

  mutating func clear() {
    (points, capped, blockedBy) = (0, 0, nil)
    linePoints.removeAll(keepingCapacity: true)
    steps.removeAll(keepingCapacity: true)
    counts.removeAll(keepingCapacity: true)
    draws.removeAll(keepingCapacity: true)
  }
}

/// Why an earning is not worked out.
public enum RuleRefusal: Error, Hashable, Sendable {
  /// More than 10^15 points: `-LIMIT which=points`.
  case points
  /// An amount, a quantity or a value that is negative or above 10^15.
  case amounts
}
