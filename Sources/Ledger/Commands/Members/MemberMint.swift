import Base
import Vocabulary

extension Ledger {
  /// Which id a `MEMBER ADD *` was given: the one that its node proposes, the first time that the request is heard of, and for as long as its
  /// id is remembered. It is decided at a slot of the request's own, for the id to be may lie anywhere.
  mutating func mintMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let candidate = call.text(.member)
    guard !call.request.isEmpty else { throw .malformed("an id is minted once for a request, which needs id=") }
    // Not kept: there may be some later.
    guard !candidate.isEmpty else {
      throw .refused(Refusal(.conflict, "no shard is led from that region now (tally shards); nothing was done"))
    }
    let start = reply.buffer.count
    reply.record()
    reply.field(.member, candidate)
    keepAnswer(call, reply, from: start)
    return .replied
  }
}

extension Command {
  /// Has an id minted, once for a request.
  /// - Parameters:
  ///   - scope: what the request's id is scoped to, as an identifier that no member has.
  ///   - candidate: empty: only if one was minted before.
  public static func appendMint(
    to buffer: inout ByteBuffer, slot: Slot, context: CommandContext, scope: Bytes, request: Bytes, candidate: Bytes
  ) {
    let start = begin(&buffer, CommandHeader(.memberMint, slot: slot, context: context, scope: .member))
    buffer.append(counted: scope)
    buffer.append(counted: none)
    buffer.append(counted: none)
    buffer.append(counted: request)
    guard !candidate.isEmpty else {
      buffer.append(varint: 0)
      return end(&buffer, start)
    }
    buffer.append(varint: 1 &<< UInt64(VerbRule.of(.memberMint).pointee.place(of: .member)))
    buffer.append(counted: candidate)
    end(&buffer, start)
  }
}
