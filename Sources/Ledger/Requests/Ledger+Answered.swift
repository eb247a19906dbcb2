import Base
import Vocabulary

/// What is known of an earlier answer to a command.
public enum FormerAnswer: Hashable, Sendable {
  /// It was not answered before, as far as is known here.
  case none
  case stands(at: JournalPosition)
  /// Only facts about its transaction, which has left memory, can tell.
  case factsWanted
}

/// Whether a request was decided before, asked without changing anything: while no writes are taken its first answer is given
/// again all the same.
extension Ledger {
  /// Where the first answer to a terminal's command stands, if the same request was decided before. O(1).
  public func answered(_ command: UnsafeRawBufferPointer) -> FormerAnswer {
    guard let call = try? Call(command), call.rule.pointee.effect != .read, owns(call) else {
      return .none
    }
    guard let key = requestKey(call) else { return call.scope == .transaction ? pastScope(call) : .none }
    return answered(key, call)
  }
  private func answered(_ key: RequestKey, _ call: Call) -> FormerAnswer {
    guard !key.isNone, let number = findRequest(key) else { return .none }
    let record = tables.dedupe.read(number).pointee
    let isSame =
      record.fingerprint == key.fingerprint || place(of: record.fingerprint, in: call.otherFingerprints) != nil
    guard !record.isPending, isSame else { return .none }
    return .stands(at: record.position)
  }

  /// The request's key in its scope; nil where that is not in memory.
  private func requestKey(_ call: Call) -> RequestKey? {
    switch call.scope {
    case .none: return nil
    case .member: return requestHashes(call.party, call.merchant, call.request, call.context, call.slot).key
    case .card:
      return RequestKey(
        hashes.card(call.card, call.tenant), call.request, fingerprint: call.context.fingerprint, slot: call.slot)
    case .transaction:
      guard let number = findTransaction(call.transaction) else { return nil }
      let transaction = tables.transactions.read(number).pointee
      let member = tables.members.read(transaction.member)
      guard member.pointee.tenant == call.tenant else { return nil }
      return requestKey(call, memberID(member), transaction.merchant)
    }
  }
  /// Of a request about a transaction that is not in memory: facts about it tell whose it was.
  private func pastScope(_ call: Call) -> FormerAnswer {
    let tx = call.transaction
    guard findTransaction(tx) == nil, tx.sequence > 0,
      tx.sequence <= lastSequence(of: tx.slot)
    else { return .none }
    if case .never = tables.past.find(tx) { return .none }
    guard let facts = try? PastFacts(call.facts), facts.original.tx == tx else { return .factsWanted }
    guard facts.original.tenant == call.tenant else { return .none }
    return answered(requestKey(call, facts.original.member, facts.original.merchant), call)
  }
}
