import Base

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
    var reader = ByteReader(command)
    guard let header = try? CommandHeader(framed: &reader), let scope = try? requestScope(header, &reader) else {
      return .none
    }
    guard case .request(let key, let others) = scope else { return .factsWanted }
    guard !key.isNone, let number = findRequest(key) else { return .none }
    let record = dedupe.read(number).pointee
    let isSame = record.fingerprint == key.fingerprint || place(of: record.fingerprint, in: others) != nil
    guard !record.isPending, isSame else { return .none }
    return .stands(at: record.position(before: journal.end))
  }

  private enum RequestScope {
    /// With other fingerprints that the same request may have had.
    case request(RequestKey, others: Bytes)
    case factsWanted
  }

  /// The request id of a command in its scope; nil: it is none of a terminal's commands, or of a transaction that never was.
  private func requestScope(
    _ header: CommandHeader, _ reader: inout ByteReader
  ) throws(MalformedBytes) -> RequestScope? {
    let none = Bytes(start: nil, count: 0)
    let tenant = header.context.tenant
    func ofMember(_ id: Bytes, _ request: Bytes, others: Bytes? = nil) -> RequestScope {
      .request(RequestKey(hashes.member(id, tenant), request, header), others: others ?? none)
    }
    func ofCard(_ number: Bytes, _ request: Bytes) -> RequestScope {
      .request(RequestKey(hashes.card(number, tenant), request, header), others: none)
    }
    switch header.kind {
    case .earn, .redeem, .hold: return .request(try purchase(header, &reader, nil).key, others: none)
    case .capture, .refund, .release:
      let transaction = TransactionID(rawValue: try reader.read())
      let request = try reader.readCounted()
      if header.kind != .release { _ = try reader.readAmount() }
      return scope(of: transaction, header, request, facts: try reader.readTrailingCounted())
    case .transfer:
      let transfer = try TransferCommand(&reader)
      return ofMember(transfer.from, transfer.request, others: transfer.otherFingerprints)
    case .memberAdd:
      let id = try reader.readCounted()
      let card = try reader.readCounted()
      for _ in 0..<2 { _ = try reader.readCounted() }
      let request = try reader.readCounted()
      return card.isEmpty ? ofMember(id, request) : ofCard(card, request)
    case .memberState:
      let id = try reader.readCounted()
      _ = try reader.read(UInt8.self)
      return ofMember(id, try reader.readCounted())
    case .cardAdd:
      _ = try reader.readCounted()
      let number = try reader.readCounted()
      return ofCard(number, try reader.readCounted())
    case .cardState:
      let number = try reader.readCounted()
      _ = try reader.read(UInt8.self)
      return ofCard(number, try reader.readCounted())
    default: return nil
    }
  }

  /// Of a request about a transaction: that of its member and merchant.
  private func scope(
    of tx: TransactionID, _ header: CommandHeader, _ request: Bytes, facts: Bytes
  ) -> RequestScope? {
    let tenant = header.context.tenant
    func scope(_ member: Bytes, _ merchant: Int32) -> RequestScope {
      let merchant = merchant < 0 ? RequestKey.noMerchant : UInt32(merchant)
      return .request(
        RequestKey(hashes.member(member, tenant), merchant: merchant, request, header),
        others: Bytes(start: nil, count: 0))
    }
    if let number = findTransaction(tx) {
      let transaction = transactions.read(number).pointee
      let member = members.read(Int(transaction.member))
      return member.pointee.tenant == tenant ? scope(memberID(member), transaction.merchant) : nil
    }
    guard tx.sequence > 0, tx.sequence <= sequences.read(Int(tx.slot.rawValue)).pointee else { return nil }
    if case .never = past.find(tx) { return nil }
    guard let facts = try? PastFacts(facts), facts.original.tx == tx else { return .factsWanted }
    return facts.original.tenant == tenant ? scope(facts.original.member, facts.original.merchant) : nil
  }
}
