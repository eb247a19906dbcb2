import Base
import Vocabulary

/// Where in the working out of an earning a rule has its place, in that order.
@frozen public enum Stage: UInt8, CaseIterable, Sendable, BitwiseCopyable { case block, base, fixed, times, bonus, cap }

/// What a rule does.
public enum Action: Hashable, Sendable {
  /// It blocks.
  case none
  /// Points for minor units, or for an event's value.
  case earn(Fraction)
  case points(Int64)
  case times(Fraction)
  case cap(Cap)
}

/// Of which merchants' requests a rule is.
public enum Scope: Hashable, Sendable {
  case all
  case merchant([UInt8])
  /// Those in the whole tree below it.
  case org([UInt8])
}

/// One version of a rule: what `RULE SET` says, but for when.
public struct Rule: Hashable, Sendable {
  public static let highestPriority = 1_000
  public static let usualPriority = 100
  public static let largestFactor: Int64 = 1_000

  public var stage: Stage
  public var action: Action
  /// Nil: always.
  public var condition: Condition?
  public var priority = Rule.usualPriority
  /// None after it in its stage, where it takes part.
  public var stop = false
  /// Nil: purchases.
  public var event: [UInt8]?
  public var scope = Scope.all
  /// The campaign's number, where the rule is one's.
  public var campaign: UInt32?

  public init(_ stage: Stage, _ action: Action, when condition: Condition? = nil) {
    (self.stage, self.action, self.condition) = (stage, action, condition)
  }

  var isSound: Bool { (try? check()) != nil }

  /// Throws what is wrong with it, by the field's name.
  public func check() throws(RuleError) {
    switch (stage, action) {
    case (.block, .none), (.base, .earn), (.cap, .cap): break
    case (.fixed, .points(let points)), (.bonus, .points(let points)):
      guard (1...largestAmount).contains(points) else {
        throw RuleError("points", "must be a whole number from 1 to \(largestAmount)")
      }
    case (.times, .times(let factor)):
      guard factor.numerator > 0 else { throw RuleError("times", "must be above 0") }
      guard factor.numerator <= Rule.largestFactor * factor.denominator else {
        throw RuleError("times", "must be at most \(Rule.largestFactor)")
      }
    case (_, .none): throw RuleError(RuleFields.action(of: stage), "is what stage=\(stage) needs")
    default:
      let needed = stage == .block ? "none" : RuleFields.action(of: stage) + "="
      throw RuleError(RuleFields.name(of: action), "does not fit stage=\(stage), which takes \(needed)")
    }
    guard (0...Rule.highestPriority).contains(priority) else {
      throw RuleError("priority", "must be a whole number from 0 to \(Rule.highestPriority)")
    }
  }
}

/// What is wrong with a rule, and in which field.
public struct RuleError: Error, Hashable, CustomStringConvertible {
  public let field: String
  public let message: String
  public var description: String { "\(field)= \(message)" }
  init(_ field: String, _ message: String) { (self.field, self.message) = (field, message) }
}

/// The texts of `RULE SET` that make a rule; nil is a field that was not said.
public struct RuleFields: Sendable {
  public var stage, when, priority, stop, event, org, merchant: [UInt8]?
  public var earn, points, times, cap: [UInt8]?
  /// The campaign's number.
  public var campaign: UInt32?
  public init() {}

  static func action(of stage: Stage) -> String {
    switch stage {
    case .block: "stage"
    case .base: "earn"
    case .fixed, .bonus: "points"
    case .times: "times"
    case .cap: "cap"
    }
  }
  static func name(of action: Action) -> String {
    switch action {
    case .none: "stage"
    case .earn: "earn"
    case .points: "points"
    case .times: "times"
    case .cap: "cap"
    }
  }
}

extension Rule {
  /// Of what was said. Throws what is wrong with it, by the field's name.
  public init(_ fields: RuleFields) throws(RuleError) {
    let stages = Stage.allCases.map { "\($0)" }
    guard let said = fields.stage, let at = stages.firstIndex(where: { $0.utf8.elementsEqual(said) }) else {
      throw RuleError("stage", "must be one of \(stages.joined(separator: ", "))")
    }
    self.init(Stage.allCases[at], try Rule.action(fields, Stage.allCases[at]))
    if let when = fields.when {
      let parsed = when.withUnsafeBytes { bytes in
        Result { () throws(ConditionError) in try Condition(parsing: bytes) }
      }
      switch parsed {
      case .success(let condition): self.condition = condition
      case .failure(let error): throw RuleError("when", "is wrong at \(error)")
      }
    }
    if let text = fields.priority {
      guard let number = text.withUnsafeBytes({ parseDigits($0) }), number <= UInt64(Rule.highestPriority) else {
        throw RuleError("priority", "must be a whole number from 0 to \(Rule.highestPriority)")
      }
      priority = Int(number)
    }
    if let text = fields.stop {
      guard text.elementsEqual("yes".utf8) || text.elementsEqual("no".utf8) else {
        throw RuleError("stop", "must be yes or no")
      }
      stop = text.elementsEqual("yes".utf8)
    }
    event = try Rule.identifier(fields.event, "event")
    let (org, merchant) = (try Rule.identifier(fields.org, "org"), try Rule.identifier(fields.merchant, "merchant"))
    guard org == nil || merchant == nil else { throw RuleError("org", "and merchant= exclude each other") }
    if let org { scope = .org(org) }
    if let merchant { scope = .merchant(merchant) }
    campaign = fields.campaign
    try check()
  }
  private static func identifier(_ text: [UInt8]?, _ field: String) throws(RuleError) -> [UInt8]? {
    guard let text else { return nil }
    guard text.withUnsafeBytes({ $0.isIdentifier }) else {
      throw RuleError(field, "must be \(Shape.identifier.requirement)")
    }
    return text
  }
  private static func action(_ fields: RuleFields, _ stage: Stage) throws(RuleError) -> Action {
    let all = [("earn", fields.earn), ("points", fields.points), ("times", fields.times), ("cap", fields.cap)]
    let said = all.filter { $0.1 != nil }
    guard said.count <= 1 else {
      throw RuleError(said[1].0, "and \(said[0].0)= exclude each other: a rule does one thing")
    }
    guard let (name, text) = said.first, let text else { return .none }
    return try text.withUnsafeBytes { bytes in Result { () throws(RuleError) in try action(name, bytes) } }.get()
  }
  private static func action(_ name: String, _ text: UnsafeRawBufferPointer) throws(RuleError) -> Action {
    switch name {
    case "earn":
      if let rate = Fraction(parsing: text) { return .earn(rate) }
      throw RuleError(name, "must be \(Shape.rate.requirement)")
    case "times":
      if let factor = Fraction(parsing: text) { return .times(factor) }
      throw RuleError(name, "must be \(Shape.fraction.requirement)")
    case "cap":
      if let cap = Cap(parsing: text) { return .cap(cap) }
      throw RuleError(name, "must be points and a window like 60/sale, 100/day, or /week, /month, /year, /ever")
    default:
      if let points = parseDigits(text) { return .points(Int64(points)) }
      throw RuleError(name, "must be \(Shape.points.requirement)")
    }
  }
}

/// A version of a rule, and when it holds. Those of one rule do not overlap.
public struct RuleVersion: Hashable, Sendable {
  public var number: UInt32
  public var from: Stamp
  /// Exclusive.
  public var until: Stamp
  public var rule: Rule
  public init(number: UInt32, from: Stamp, until: Stamp, rule: Rule) {
    (self.number, self.from, self.until, self.rule) = (number, from, until, rule)
  }
}

/// When a campaign is running, and the quota that its points draw on then.
public struct CampaignWindow: Hashable, Sendable, BitwiseCopyable {
  public var from: Stamp
  /// Exclusive.
  public var until: Stamp
  /// The quota's number; nil: without limit.
  public var budget: UInt32?
  public init(from: Stamp, until: Stamp, budget: UInt32?) {
    (self.from, self.until, self.budget) = (from, until, budget)
  }
}
