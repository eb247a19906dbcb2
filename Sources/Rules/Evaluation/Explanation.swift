/// What the text of a step is made of: what stands in the version that was kept.
public struct StepTerms: Sendable {
  /// The rule's version: of steps of rules, and of what a budget had not.
  public var rule: Rule?
  /// The tier's, the card type's, or the campaign's.
  public var name = ""
  /// Of a rate, or of a tier or card type.
  public var fraction: Fraction?
  /// Of `earn-cap=`.
  public var cap: Cap?
  public init() {}
}

extension Step {
  /// A plain sentence: `gold members earn 3/2: 40 → 60`.
  public func sentence(_ terms: StepTerms) -> String { "\(said(terms)): \(total - points) → \(total)" }

  private func said(_ terms: StepTerms) -> String {
    let fraction = terms.fraction.map { " \($0)" } ?? ""
    // Another factor was greater.
    let isVoid = stage == .times && points == 0 && total > 0
    let remark = isVoid ? ", which adds nothing here" : ""
    switch source {
    case .rule: return (terms.rule?.sentence ?? "a rule took part") + remark
    case .merchantRate: return "the merchant gives" + fraction
    case .programRate: return "the program gives" + fraction
    case .request: return "the request says how many points"
    case .tier: return "\(terms.name) members earn" + fraction + remark
    case .cardType: return "\(terms.name) cards earn" + fraction + remark
    case .programCap: return "the program gives at most " + (terms.cap.map { "\($0)" } ?? "its earn-cap")
    case .budget: return "the budget of campaign \(terms.name) has no more"
    }
  }
}

extension Rule {
  /// What it says, in words: `gold members where category is milk earn 3/100`.
  public var sentence: String {
    var who = "members"
    var rest: [String] = []
    for part in condition?.parts(Condition.sentence) ?? [] {
      if let comparison = part.comparison, who == "members", let group = Rule.group(comparison) {
        who = group
      } else {
        rest.append(part.text)
      }
    }
    var subject = who
    if let event { subject += " with event " + String(decoding: event, as: UTF8.self) }
    switch scope {
    case .all: break
    case .merchant(let name): subject += " at merchant " + String(decoding: name, as: UTF8.self)
    case .org(let name): subject += " at merchants of " + String(decoding: name, as: UTF8.self)
    }
    if !rest.isEmpty { subject += " where " + rest.joined(separator: " and ") }
    return "\(subject) \(deed)"
  }
  /// `gold or vip members`, of a comparison that says which tier or class.
  private static func group(_ comparison: Comparison) -> String? {
    guard comparison.subject == .word(.tier) || comparison.subject == .word(.class),
      comparison.comparator == .equal || comparison.comparator == .among
    else { return nil }
    return comparison.list + " members"
  }
  private var deed: String {
    switch action {
    case .none: "earn nothing"
    case .earn(let rate): "earn \(rate)"
    case .points(let points): stage == .fixed ? "earn \(points) a piece" : "get \(points) more"
    case .times(let factor): "earn \(factor)"
    case .cap(let cap): "get at most \(cap)"
    }
  }
}
