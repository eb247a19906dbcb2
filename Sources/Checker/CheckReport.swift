/// What the checker says of a history.
public struct CheckReport: Sendable {
  public enum Finding: Sendable {
    case ok
    case violation(Violation)
    /// No violation was found, but with these members the search ended at its limits.
    case undecided(members: [String])
  }
  public var finding: Finding = .ok
  public var operations = 0
  public var members = 0
  /// Operations that stayed in doubt.
  public var inDoubt = 0

  public var isOK: Bool { if case .ok = finding { true } else { false } }
  public var violation: Violation? { if case .violation(let violation) = finding { violation } else { nil } }
  /// `ok`, `violation` or `undecided`.
  public var name: String {
    switch finding {
    case .ok: "ok"
    case .violation: "violation"
    case .undecided: "undecided"
    }
  }
}

/// A member's history that no order of its operations explains.
public struct Violation: Sendable, CustomStringConvertible {
  public var member: String
  /// The operations to look at, in order of their beginning; the last to end is the one that nothing explains.
  public var excerpt: [Operation]
  public var reason: String
  /// Members whose history is wrong, this one included.
  public var violatingMembers = 1

  public var description: String {
    (["member \(member): \(reason)"] + excerpt.map { "  " + $0.line }).joined(separator: "\n")
  }
}
