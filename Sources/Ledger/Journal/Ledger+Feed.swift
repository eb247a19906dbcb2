import Base
import Vocabulary

/// What is asked of a journal for a feed.
public struct FeedQuery: Hashable, Sendable {
  /// The journal's, from where on its records are wanted.
  public var place: FeedPlace
  public var tenant: TenantID
  public var kinds: FeedKinds
  /// Records, at most.
  public var limit: Int
  /// What was booked later is not wanted.
  public var until = Stamp.never

  public init(from place: FeedPlace, tenant: TenantID, kinds: FeedKinds, limit: Int, until: Stamp = .never) {
    (self.place, self.tenant, self.kinds, self.limit, self.until) = (place, tenant, kinds, limit, until)
  }
  public func encode(into buffer: inout ByteBuffer) {
    FeedPage.append(place, to: &buffer)
    buffer.append(tenant.rawValue)
    buffer.append(kinds.bits)
    buffer.append(UInt32(clamping: limit))
    // A build that does not know it refuses what says it.
    if until != .never { buffer.append(until.microseconds) }
  }
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    place = FeedPlace(frame: JournalPosition(rawValue: try reader.read()), inner: try reader.read())
    tenant = TenantID(try reader.read())
    kinds = FeedKinds(bits: try reader.read())
    limit = Int(try reader.read(UInt32.self))
    if !reader.isAtEnd { until = Stamp(microseconds: try reader.read()) }
  }

  /// The walk through a journal that ends there, or at once the answer.
  fileprivate func outcome(
    to end: JournalPosition, lineage: [JournalPosition], _ names: FeedWalk.Names, _ catalogue: CatalogueRecords,
    _ reply: inout ReplyWriter
  ) -> ReadOutcome {
    if limit == 0 || place.isEnd(end) {
      FeedPage.write(FeedPage.Head(next: place, isEnd: place.isEnd(end), lineage: lineage), [], into: &reply)
      return .replied
    }
    guard place.frame.isBefore(end) else {
      reply.error(.notFound, FeedWalk.unknown)
      return .replied
    }
    let walk = FeedWalk(from: place, to: end, self, lineage: lineage, names: names)
    return .journal(JournalQuery(walk, catalogue: catalogue))
  }
}

extension Query {
  /// A journal's records from a place on, as a `FeedPage` in a text: the shard's own, or that of another which its records refer to.
  /// `NOTFOUND`: it has no such journal, or no such place. `slot` is any of the shard's.
  public static func appendFeed(to buffer: inout ByteBuffer, slot: Slot, _ query: FeedQuery) {
    let start = Command.begin(&buffer, .feedPage, slot, tenant: query.tenant)
    query.encode(into: &buffer)
    Command.end(&buffer, start)
  }
}

extension Ledger {
  func readFeed(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> ReadOutcome {
    let query: FeedQuery
    do throws(MalformedBytes) {
      var reader = ByteReader(call.body)
      query = try FeedQuery(decoding: &reader)
      try reader.finish()
    } catch {
      throw .malformed(error.description)
    }
    let inherited = lineage.map(\.position)
    // Of an open entry nothing is told before it is over.
    let own = core.isInEntry ? journal.openFrame : journal.end
    let journal = query.place.journal
    guard let end = journal == shard ? own : inherited.first(where: { $0.journal == journal }) else {
      throw .refused(
        Refusal(.notFound, "shard \(shard.rawValue) knows nothing of the journal of shard \(journal.rawValue)"))
    }
    if journal != shard, !query.place.frame.isBefore(end) {
      // That shard wrote on after its slots had left, and nothing of members: who has read that far has all.
      FeedPage.write(FeedPage.Head(next: query.place, isEnd: true, lineage: inherited), [], into: &reply)
      return .replied
    }
    return query.outcome(to: end, lineage: inherited, .ofShard, catalogue.records, &reply)
  }
}

extension Entries {
  /// Changes of entries from a place of the directory's journal on.
  public func feed(
    _ query: FeedQuery, in journal: borrowing EntryJournal, into reply: inout ReplyWriter
  ) -> ReadOutcome {
    query.outcome(to: journal.wholeEnd, lineage: [], .ofDirectory(forRecords), CatalogueRecords(), &reply)
  }
}
