import Base
import Ledger
import Protocol
import Vocabulary

// `MEMBER FIND cut=yes`: members as they all were at one moment, over all shards. Every shard logs a marker at one stamp, as for an audit, and
// its leader opens a view of its members behind it (`Ledger.openView`). Pages are read from the views, by whichever node is given the cursor,
// which has the stamp. A view goes with its last page, with its leader, or when nobody has asked for it for a while (`HeldView`).
extension RequestDesk {
  /// All shards have passed the stamp.
  func cutIsMade(_ number: UInt64, _ records: [[UInt8]], _ stamp: Stamp) {
    guard var search = workflows.searches[number] else { return }
    let isMoving = records.contains { record in record.withUnsafeBytes { RecordView($0).text(.moving) != nil } }
    let told = records.compactMap { record in record.withUnsafeBytes { RecordView($0).number(.shard) } }
    let shards = (membership.topology?.shards ?? []).map { Int64($0.shard.rawValue) }.sorted()
    // Who is on its way between two shards is in no view, or in two.
    guard !isMoving, told == shards, mapNumber == search.next.map else {
      return endSearch(number, .unavailable, "members are moving to other shards: ask again")
    }
    search.next.cut = stamp
    search.asof = stamp
    workflows.setSearch(number, search)
    readCut(number)
  }
  /// Some shard has not.
  func noCut(_ number: UInt64, lacking shard: ShardID?) {
    let which = shard.map { "shard \($0.rawValue)" } ?? "a shard"
    endSearch(number, .unavailable, "\(which) did not report, and no part is an answer", lacking: shard?.rawValue)
  }

  /// Asks for the next page of a view, and the leaders of shards that come later to keep theirs.
  func readCut(_ number: UInt64) {
    if let search = workflows.searches[number] {
      tellViews(search.next, .keep, search.owner, behind: search.next.shard) { keep(.kept(number: number)) }
    }
    askForPage(number)
  }
  /// Tells the leaders of shards that nobody wants their views of a cursor's moment any more.
  func endViews(_ cursor: MemberSearch.Cursor, _ owner: EdgeItem.Owner) {
    tellViews(cursor, .end, owner, behind: nil) { 0 }
  }
  private func tellViews(
    _ cursor: MemberSearch.Cursor, _ purpose: MemberPageQuery.Purpose, _ owner: EdgeItem.Owner, behind last: ShardID?,
    continuation: () -> UInt64
  ) {
    guard let cut = cursor.cut, let client = client(of: owner) else { return }
    for placement in membership.topology?.shards ?? [] where isLed(placement.shard) {
      if let last, placement.shard <= last { continue }
      submitInternal(placement.shard, flags: .query, continuation: continuation()) {
        Query.appendView(
          to: &$0, tenant: client.session.tenant, slot: placement.slots.first ?? Slot(0), of: cut, purpose)
      }
    }
  }
  /// A leader has said whether it keeps its view: else the pages before it are of no use.
  func viewIsKept(_ number: UInt64, _ reply: Bytes) {
    if RecordView(reply).errorCode == .notFound, workflows.searches[number] != nil { cutIsLost(number) }
  }
  /// A shard's leader has no view of that moment: another leads, its time was over, or somebody else reads one.
  func cutIsLost(_ number: UInt64) {
    if let search = workflows.searches[number] { endViews(search.next, search.owner) }
    endSearch(
      number, .notFound,
      "a shard does not keep its members as they were at that moment: its leader has changed, it has waited too long, or another such list is"
        + " being read: begin anew")
  }
}
