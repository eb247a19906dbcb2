/// One operation of a history: what a terminal asked, when, and what it was told. See docs/testing.md for the form in a file.
public struct Operation: Sendable {
  public enum Kind: UInt8, Sendable, CaseIterable { case earn, redeem, hold, capture, release, transfer, balance }
  /// What the client knows of its effect.
  public enum Result: UInt8, Sendable {
    case ok
    /// Decided against: no effect.
    case refused
    /// Every attempt was answered that nothing was done (`UNAVAILABLE`, `BUSY`).
    case rejected
    /// Never answered with certainty: it may take effect at any time after it began, or not at all.
    case inDoubt
  }
  public var kind: Kind
  public var member: String
  public var client: String
  /// Microseconds, of one clock for the whole history.
  public var begin: UInt64
  /// Meaningless if the result is `inDoubt`.
  public var end: UInt64
  public var result: Result
  public var points: Int64 = 0
  /// The request id; empty for reads.
  public var id = ""
  /// Of capture and release: the request id of the hold.
  public var hold = ""
  /// Of a transfer: the recipient.
  public var to = ""
  public var balance: Int64?
  public var held: Int64?
  public var available: Int64?
  /// Of a hold: the earliest moment at which it may lapse; without it, it never does.
  public var expires: UInt64?
  /// Of a refusal: its error code. Empty means `INSUFFICIENT`, or `REVERSED` of a capture or release; these two, and
  /// `LIMIT` of an earn, say something about the member's state.
  public var code = ""
  /// Of a local read: no state older than that at this moment may be answered.
  public var local: UInt64?

  /// The recipient refused it: for a while the points may have been away.
  var wasGivenBack: Bool { kind == .transfer && result == .refused && !code.isEmpty && code != "INSUFFICIENT" }

  /// A purchase that the account had no room for.
  var lackedRoom: Bool { kind == .earn && result == .refused && code == "LIMIT" }

  public init(
    _ kind: Kind, member: String, client: String, begin: UInt64, end: UInt64 = .max, result: Result = .inDoubt
  ) {
    self.kind = kind
    self.member = member
    self.client = client
    self.begin = begin
    self.end = end
    self.result = result
  }
}
