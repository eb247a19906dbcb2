import Base
import Vocabulary

/// What CAPTURE, RELEASE and REFUND begin with: the transaction, still known.
struct Subject {
  var number: UInt64
  var transaction: TransactionRecord
}

extension Ledger {
  /// Finds the transaction that a command is about, by the facts that it carries where it has left memory, and under which
  /// key the request is known.
  mutating func subject(_ call: inout Call) throws(Stop) -> Subject {
    let tx = call.transaction
    try recall(tx, &call)
    guard let number = findTransaction(tx),
      tables.members.read(tables.transactions.read(number).pointee.member).pointee.tenant == call.tenant
    else { throw .refused(.notFound(tx)) }
    let transaction = tables.transactions.read(number).pointee
    let member = tables.members.read(transaction.member)
    scope(&call, memberID(member), transaction.merchant)
    try refuseRepeated(call.hashes.key)
    if call.terminal.count > 0, core.semantics >= Semantics.service { try checkTerminal(call) }
    guard !isMerging(transaction.member) else { throw .refused(.merging) }
    guard transaction.state != TransactionRecord.acting else {
      throw .refused(Refusal(.busy, "the transaction is being returned just now; nothing was done"))
    }
    return Subject(number: number, transaction: transaction)
  }
  /// The request is scoped to the member and the merchant of its transaction.
  func scope(_ call: inout Call, _ member: Bytes, _ merchant: MerchantRef) {
    call.subject = member
    call.hashes.key = requestKey(call, member, merchant)
  }
  func requestKey(_ call: Call, _ member: Bytes, _ merchant: MerchantRef) -> RequestKey {
    RequestKey(
      hashes.member(member, call.tenant), merchant: merchant, call.request, fingerprint: call.context.fingerprint,
      slot: call.slot)
  }

  /// Finds the hold that a command resolves, with its member as of now.
  mutating func openHold(_ call: inout Call) throws(Stop) -> (Subject, Holder) {
    var s = try subject(&call)
    guard s.transaction.kind == RecordKind.hold.rawValue else {
      throw .refused(Refusal(.notFound, "that transaction is not a hold"))
    }
    guard let holder = holder(s.transaction.member, s.transaction.program, create: false) else {
      throw .refused(.notFound(call.transaction))
    }
    guard !s.transaction.merchant.isNone else {
      throw .refused(Refusal(.closed, "the points are held by a case, which CASE APPROVE or CASE REJECT ends"))
    }
    touch(holder)
    s.transaction = tables.transactions.read(s.number).pointee
    return (s, holder)
  }
}
