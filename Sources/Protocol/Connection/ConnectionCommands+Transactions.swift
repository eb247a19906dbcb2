import Base
import Vocabulary

/// MULTI and what belongs to it, in the words of Redis, from which client libraries learn what has happened.
///
/// There are no transactions. Client libraries send MULTI, some requests and EXEC at once, and raise an exception if any of
/// it is an error; so whatever follows a MULTI must not happen, or an exception would not mean that nothing did.
extension ConnectionCommands {
  static let noTransactions = "no transactions here: send a pipeline"

  static func transaction(_ verb: Verb, _ session: inout Session, _ output: inout ByteBuffer) {
    switch verb {
    case .multi:
      session.isAfterMulti = true
      ReplyRenderer.error(.malformed, noTransactions, into: &output)
    case .watch: ReplyRenderer.error(.malformed, noTransactions, into: &output)
    // Libraries send it to leave a connection clean: it changes nothing.
    case .unwatch: ReplyRenderer.ok(into: &output)
    default: ReplyRenderer.error(.malformed, "\(verb.words) without MULTI", into: &output)
    }
  }

  /// Refuses a request that comes after MULTI. Only what ends that is done: EXEC and DISCARD, RESET and QUIT.
  static func respondAfterMulti(
    to request: Request, session: inout Session, host: some SessionHost, into output: inout ByteBuffer
  ) -> Disposition {
    switch request.verb {
    case .exec:
      session.isAfterMulti = false
      output.append("-EXECABORT Transaction discarded because of previous errors.\r\n")
    case .discard:
      session.isAfterMulti = false
      ReplyRenderer.ok(into: &output)
    case .reset, .quit:
      session.isAfterMulti = false
      return respond(to: request, session: &session, host: host, into: &output)
    default:
      ReplyRenderer.error(
        .malformed, "MULTI was refused, and so is all up to EXEC or DISCARD: nothing was done; \(noTransactions)",
        into: &output)
    }
    return .handled
  }
}
