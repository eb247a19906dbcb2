/// What may go wrong between a command and the cluster, with the exit code that the command line gives for it.
public enum ClientError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The arguments are wrong: exit code 1.
  case usage(String)
  /// No address answered; one reason an address.
  case unreachable([String])
  /// Connected, but no reply in time: what was asked may have happened.
  case timedOut(String)
  /// Whoever asked has given up waiting: what was asked may have happened.
  case interrupted
  /// The connection ended before the reply: what was asked may have happened.
  case disconnected(String)
  /// Bytes that are no reply of the protocol.
  case malformedReply(String)
  /// The node answered with an error line.
  case refused(code: String, text: String)
  /// A guard says no, before anything was done: exit code 2.
  case declined(String)
  /// A file or a program of this machine would not serve.
  case local(String)

  /// One line for a person.
  public var description: String {
    switch self {
    case .usage(let text): text
    case .unreachable(let reasons): "nobody reachable: " + reasons.joined(separator: "; ")
    case .timedOut(let text): "timed out: " + text
    case .disconnected(let text): "connection lost: " + text
    case .interrupted: text
    case .malformedReply(let text): "not a reply: " + text
    case .refused(let code, let text): "refused: \(code) \(text)"
    case .declined(let text): "refused: " + text
    case .local(let text): text
    }
  }

  /// What went wrong in one word: the code of the error line, or a word of the command line's own.
  var code: String {
    switch self {
    case .usage: "USAGE"
    case .unreachable: "UNREACHABLE"
    case .timedOut: "TIMEOUT"
    case .disconnected: "DISCONNECTED"
    case .interrupted: "INTERRUPTED"
    case .malformedReply: "MALFORMED"
    case .refused(let code, _): code
    case .declined: "REFUSED"
    case .local: "LOCAL"
    }
  }
  /// The rest of it.
  var text: String {
    switch self {
    case .usage(let text), .timedOut(let text), .disconnected(let text), .malformedReply(let text),
      .declined(let text), .local(let text), .refused(_, let text):
      text
    case .unreachable(let reasons): reasons.joined(separator: "; ")
    case .interrupted: "interrupted before the answer came"
    }
  }

  /// 1 wrong arguments, 2 refused, 3 unknown or timed out, 4 the cluster is unhealthy, 5 nobody reachable.
  public var exitCode: Int32 {
    switch self {
    case .usage, .local: 1
    case .unreachable: 5
    case .timedOut, .disconnected, .interrupted, .malformedReply: 3
    case .declined: 2
    case .refused(let code, _): ClientError.exitCode(ofReply: code)
    }
  }

  /// The exit code for an error line with this code.
  public static func exitCode(ofReply code: String) -> Int32 {
    switch code {
    case "ERR": 1
    case "UNKNOWN": 3
    case "BUSY", "UNAVAILABLE": 4
    default: 2
    }
  }
}
