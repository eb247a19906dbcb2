import Base
import Ledger

/// A request about a transaction that has left memory: its shard did nothing and wants the transaction's records with it.
/// The edge asks the shard's leader for them and sends the request again. They may be old by the time they are applied,
/// because another request about the same transaction came between: then it begins again, a few times.
struct PastRequest {
  var owner: EdgeItem.Owner
  var shard: ShardID
  /// As it was first sent.
  var command: [UInt8]
  /// A leader that was lost since took it, before its transaction left memory perhaps: it may have taken effect.
  var isInDoubt = false
  var attempts = 0
  /// It has gone out with facts; before that, the facts are asked for.
  var isSent = false
  /// The trail is to hear of it.
  var note: TrailNote?

  /// The hold of a capture wants facts of both.
  static let mostAttempts = 5
}

extension RequestDesk {
  /// A shard's answer to a request is that it wants facts.
  func factsWanted(_ stream: EdgeStream, _ sequence: UInt64) {
    let command = stream.command(of: sequence)
    guard let item = stream.complete(sequence) else { return }
    var request = PastRequest(owner: item.owner, shard: stream.shard, command: command)
    if item.flags.contains(.continuation) {
      switch workflows.step(item.owner.slot) {
      case .past(let known): request = known
      case .noted(let owner, let note): (request.owner, request.note) = (owner, note)
      default: return
      }
      _ = workflows.take(item.owner.slot)
    }
    request.isInDoubt = request.isInDoubt || item.inDoubt
    request.isSent = false
    request.attempts += 1
    var query = ByteBuffer(capacity: 64)
    let isAsked = request.command.withUnsafeBytes { Query.appendFacts(to: &query, for: $0) }
    guard isAsked, request.attempts <= PastRequest.mostAttempts else {
      return conclude(request, error: "others change the same transaction at the same time; nothing was done")
    }
    submitInternal(request.shard, flags: .query, continuation: keep(.past(request))) { $0.append(query.bytes) }
  }

  /// The facts are there, or the answer to the request that went out with them.
  func pastAnswered(_ request: PastRequest, _ reply: Bytes) {
    let view = RecordView(reply)
    guard !request.isSent, view.tag == .text || view.tag == .ok else { return conclude(request, reply) }
    var command = request.command
    if let facts = view.wholeText {
      guard let carrying = request.command.withUnsafeBytes({ Command.carrying(facts: facts, $0) }) else {
        return conclude(request, error: "the transaction's records are too long; nothing was done")
      }
      command = carrying
    }
    var request = request
    request.isSent = true
    submitInternal(
      request.shard, flags: .repeatable, continuation: keep(.past(request)), isInDoubt: request.isInDoubt
    ) { $0.append(command) }
  }

  private func conclude(_ request: PastRequest, error text: String) {
    var writer = ReplyWriter(capacity: 256)
    writer.error(.busy, text)
    conclude(request, writer.buffer.bytes)
  }
  private func conclude(_ request: PastRequest, _ reply: Bytes) {
    guard request.isInDoubt, RequestDesk.saysNothingHappened(reply) else {
      guard let note = request.note else { return answer(request.owner, reply) }
      return notedAnswered(request.owner, note, reply)
    }
    counters.unknowns += 1
    answerError(request.owner, .unknown, Edge.lostLeader)
  }
}
