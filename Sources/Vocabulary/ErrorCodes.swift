import Base

extension ErrorCode {
  /// What is wrong, and what to do about it: a row of `HELP errors`.
  public struct Advice: Sendable {
    public let code: ErrorCode
    public let means: String
    public let advice: String
  }
  public static let advice: [Advice] = allCases.map(Advice.init)

  /// Whom or what a refusal is about.
  public enum Subject: Sendable {
    /// What the request itself names: its member, card, merchant, program, transaction.
    case own
    /// The member to whom points were to go.
    case recipient
    /// The member whom the one that the request names was merged into.
    case merged
  }
  /// Whether a refusal is kept under its request's id, so that a repeat is refused alike: this table, and nothing else,
  /// decides it. After any other refusal a later attempt with the same id may succeed.
  public func isKept(about subject: Subject = .own) -> Bool {
    switch self {
    case .insufficient, .frozen, .closed, .lost, .limit, .reversed: true
    case .notFound: subject == .recipient
    case .malformed, .noAuth, .wrongPassword, .noPermission, .exists, .conflict, .busy, .unavailable, .unknown: false
    }
  }
}

extension ErrorCode.Advice {
  init(_ code: ErrorCode) {
    let (means, advice): (String, String) =
      switch code {
      case .malformed: ("malformed or unknown; the text names the argument at fault", "correct it")
      case .noAuth: ("not signed in", "sign in with AUTH")
      case .wrongPassword: ("wrong user or secret", "correct it")
      case .noPermission: ("not allowed", "ask the operator")
      case .notFound: ("no such member, card, merchant, program or transaction", "correct it")
      case .exists: ("that id is taken, with other content", "choose another")
      case .conflict: ("the request id was used for another request", "a bug in the caller: mend it")
      case .insufficient: ("not enough points; available= and needed=", "tell the customer")
      case .frozen: ("the member or merchant is frozen", "tell the customer")
      case .closed: ("the member or merchant is closed", "tell the customer")
      case .lost: ("the card is reported lost", "tell the customer")
      case .limit: ("a cap is reached; which= says which", "tell the customer")
      case .reversed: ("more than is left to refund, capture or release; left=", "correct it")
      case .busy: ("overload; nothing was done", "wait a little, retry")
      case .unavailable: ("no quorum or no leader in time; nothing was done", "retry, elsewhere too")
      case .unknown: ("passed on, but the outcome was not learnt in time", "retry with the same id")
      }
    self.code = code
    self.means = means
    self.advice = advice
  }
}
