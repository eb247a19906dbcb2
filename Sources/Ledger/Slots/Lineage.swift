import Base

/// A journal that the shard's records refer to beside its own: as far as it was when the newest of them came.
struct AncestorRecord: StateRecord {
  var end: JournalPosition
  var chain: SHA256.Digest

  static var tag: TableTag { TableTag(36, "journals of ancestors", since: Semantics.splits) }
  static var belonging: Belonging { .shard }
}

// Slots that come bring no journal along. Their records link to those of the shards that had them, which stay where they are:
// positions name the journal.
extension Ledger {
  /// The journals that the shard's records refer to beside its own, one row each, up to where they do.
  public var lineage: [JournalChain] {
    (0..<tables.moves.ancestors.count).map { place in
      let record = tables.moves.ancestors.read(Ref(place: place)).pointee
      return JournalChain(position: record.end, hash: record.chain)
    }
  }
  /// Records came that refer to another journal, which ended there.
  mutating func descend(from journal: JournalChain) {
    guard journal.position.journal != shard else { return }
    for place in 0..<tables.moves.ancestors.count {
      let known = tables.moves.ancestors.read(Ref(place: place)).pointee
      guard known.end.journal == journal.position.journal else { continue }
      if known.end.isBefore(journal.position) {
        tables.moves.ancestors.write(Ref(place: place)).pointee = AncestorRecord(
          end: journal.position, chain: journal.hash)
      }
      return
    }
    _ = tables.moves.ancestors.append(AncestorRecord(end: journal.position, chain: journal.hash))
  }
  /// A search for a transaction's record where it can be: in the shard's own journal, and then in the others.
  func search(for tx: TransactionID) -> TransactionSearch {
    TransactionSearch(tx, in: lineage.map(\.position) + [journal.end])
  }

  /// A member's newest journal record.
  @inline(__always) func newestRecord(_ member: UnsafePointer<MemberRecord>) -> JournalPosition {
    if member.pointee.nextAccount == .none { return member.pointee.account.lastRecord }
    return newestOfAccounts(member)
  }
  /// What the shard wrote since the slot came is later than what came; of what came, the first account has the newest.
  @inline(never) private func newestOfAccounts(_ member: UnsafePointer<MemberRecord>) -> JournalPosition {
    let slot = Int(member.pointee.slot.rawValue)
    let since =
      tables.moves.slotArrivals.count == 0 ? .none : tables.moves.slotArrivals.read(Ref(place: slot)).pointee.journalEnd
    var own = JournalPosition.none
    var inherited = JournalPosition.none
    forEachAccount(member) { account in
      let last = account.pointee.lastRecord
      if last == .none { return }
      if last.journal == shard, !last.isBefore(since) {
        if own == .none || own.isBefore(last) { own = last }
      } else if inherited == .none {
        inherited = last
      }
    }
    return own == .none ? inherited : own
  }
}
