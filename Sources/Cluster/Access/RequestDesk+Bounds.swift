import Base
import Ledger
import Protocol
import Vocabulary

/// A request about a transaction by a user who sees one merchant's alone: it waits to learn whose that is.
struct OwnTransaction {
  var owner: EdgeItem.Owner
  var raw: [UInt8]
}
/// A history of which a user sees one merchant's sales alone.
struct OwnHistory {
  var owner: EdgeItem.Owner
  var limit: Int
  /// `read=local`: when it was asked.
  var asof: Stamp?
}

extension RequestDesk {
  /// Asks whose a transaction is: its merchant never changes. Until then the connection waits.
  func lookUpMerchant(_ request: Request, _ raw: Bytes, _ owner: EdgeItem.Owner, _ client: Client) {
    client.barrier = true
    let (tenant, tx) = (client.session.tenant, request.transaction(0))
    let continuation = keep(.ownTransaction(OwnTransaction(owner: owner, raw: Array(raw))))
    submitInternal(edge.shard(of: tx.slot), flags: .query, continuation: continuation) {
      Query.appendTransaction(to: &$0, tenant: tenant, tx)
    }
  }
  func merchantFound(_ waiting: OwnTransaction, _ reply: Bytes) {
    guard let client = client(of: waiting.owner) else { return }
    let view = RecordView(reply)
    guard view.tag == .record else { return answer(waiting.owner, reply) }
    waiting.raw.withUnsafeBytes { raw in
      guard let request = parseAgain(raw) else {
        return answerError(waiting.owner, .unavailable, "the request was lost at this node; nothing was done")
      }
      // The user may be another by now, or none.
      guard let user = client.grant.boundUser, let merchant = view.text(.merchant), isOwn(merchant, of: user) else {
        let words = words(of: request)
        refusals.refused(
          client.session.tenant, client.grant.user?.name ?? "", words, "NOPERM", from: client.session.address)
        return answerError(
          waiting.owner, .noPermission, "\(words): the transaction is not the user's merchant's; nothing was done")
      }
      var resolved = Resolved()
      resolved.isOwn = true
      route(request, raw: raw, owner: waiting.owner, client: client, resolved: resolved)
    }
  }

  /// Answers with what of a history is the user's merchant's. Where records were left out of a full page, the last record says
  /// how to go on.
  func historyCame(_ waiting: OwnHistory, _ found: Bytes) {
    guard let client = client(of: waiting.owner) else { return }
    guard let records = RecordView.records(of: found) else { return answer(waiting.owner, found) }
    let user = client.grant.boundUser
    var kept: [Bytes] = []
    var last: TransactionID?
    var count = 0
    for record in records {
      let view = RecordView(record)
      if view.text(.more) != nil {
        kept.append(record)
        continue
      }
      count += 1
      last = view.number(.tx).map { TransactionID(rawValue: UInt64(bitPattern: $0)) }
      if let user, let merchant = view.text(.merchant), isOwn(merchant, of: user) { kept.append(record) }
    }
    let isCut = count >= waiting.limit && kept.count < count
    var own = ReplyWriter(capacity: found.count + 64)
    own.array(count: kept.count + (isCut ? 1 : 0))
    for record in kept { own.buffer.append(record) }
    if isCut, let last {
      own.record()
      own.field(.more, "yes")
      own.field(.before, last)
    }
    guard let asof = waiting.asof else { return answer(waiting.owner, own.buffer.bytes) }
    answer(waiting.owner, own.buffer.bytes, asof: asof)
  }
}
