import Base
import Ledger
import Protocol
import Vocabulary

/// `MEMBER FIND`, under way: it asks one shard after the other, a page each time.
struct MemberSearch {
  /// At once, of all connections of a node.
  static let mostAtOnce = 4
  /// An answer ends with the page in which it gets as many bytes, or in which so much of the request's time is over: the cursor goes on.
  static let mostBytes = 1 << 20
  static func time(of requestTimeout: UInt64) -> UInt64 { requestTimeout / 3 }

  var owner: EdgeItem.Owner
  /// Its records are those of `DUE`, and no more, unless there are.
  var isDue: Bool
  var wanted: WantedMembers
  var limit: Int
  var next: Cursor
  /// What was written before it is in the answer: each shard is asked after it, and answers by all that is committed.
  var asof: Stamp
  var began: UInt64
  /// They are told as they all were at one moment, over all shards; once that is known, `cut`: see `RequestDesk+Cut`.
  var isOfCut = false
  var cut: Stamp? { isOfCut ? next.cut : nil }
  /// Those found, as they are to stand in the answer.
  var records: [UInt8] = []
  var count = 0

  /// Where a search goes on: `SHARD-PLACE-MAP`, and of one at a cut `-CUT`.
  struct Cursor: Hashable {
    var shard: ShardID
    /// As the shard told it: counted from 0.
    var place: Int
    /// The sum of the shards' epochs: another after slots have moved, and members with them.
    var map: UInt64
    var cut: Stamp?

    init(shard: ShardID, place: Int, map: UInt64, cut: Stamp? = nil) {
      (self.shard, self.place, self.map, self.cut) = (shard, place, map, cut)
    }
    init?(_ text: UnsafeRawBufferPointer) {
      let parts = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        .map { UInt64(String(decoding: $0, as: UTF8.self)) }
      guard parts.count == 3 || parts.count == 4, let shard = parts[0].flatMap({ UInt32(exactly: $0) }),
        let place = parts[1].flatMap({ Int(exactly: $0) }), let map = parts[2]
      else { return nil }
      self.init(shard: ShardID(shard), place: Int(place), map: map)
      guard parts.count == 4 else { return }
      guard let cut = parts[3].flatMap({ Int64(exactly: $0) }) else { return nil }
      self.cut = Stamp(microseconds: cut)
    }
    var text: String { "\(shard.rawValue)-\(place)-\(map)" + (cut.map { "-\($0.microseconds)" } ?? "") }
  }
}

extension RequestDesk {
  /// - Parameter mostAhead: by how much the clock that is most ahead of ours is.
  func startFind(_ request: Request, _ owner: EdgeItem.Owner, mostAhead: Int64 = 0) {
    if request.verb == .due, let text = DueMembers.refusal(of: request) { return answerError(owner, .malformed, text) }
    if let text = WantedCases.refusal(of: request) { return answerError(owner, .malformed, text) }
    let map = mapNumber
    guard let first = membership.topology?.shards.map(\.shard).min() else {
      return answerError(owner, .unavailable, "there is no cluster yet: run 'tally init'")
    }
    var cursor = MemberSearch.Cursor(shard: first, place: 0, map: map)
    if let after = request.text(.after) {
      guard let given = MemberSearch.Cursor(after) else {
        return answerError(owner, .malformed, "after= must be the cursor= of an earlier answer")
      }
      guard given.map == map else {
        endViews(given, owner)
        return answerError(owner, .notFound, "members have moved to other shards since that cursor: begin anew")
      }
      // A view has what records of members are made of, and no more.
      guard given.cut == nil || request.verb == .memberFind else {
        return answerError(owner, .malformed, "after= must be the cursor= of an answer to \(request.verb.words)")
      }
      guard !request.flag(.cut) || given.cut != nil else {
        return answerError(owner, .malformed, "after= must be the cursor= of an answer to the same with cut=yes")
      }
      cursor = given
    }
    var search = MemberSearch(
      owner: owner, isDue: request.verb == .due || request.verb == .caseList, wanted: WantedMembers(request),
      limit: Int(request.number(.limit) ?? 0), next: cursor,
      asof: cursor.cut ?? now.wall,
      began: now.monotonic)
    search.isOfCut = request.flag(.cut) || cursor.cut != nil
    guard !search.isOfCut || isSettled else {
      return answerError(
        owner, .unavailable, "not all nodes know cut=yes yet: finish the upgrade (tally upgrade finish)")
    }
    guard let number = workflows.begin(search) else {
      return answerError(
        owner, .busy, "\(MemberSearch.mostAtOnce) searches are under way at this node; nothing was done")
    }
    guard search.isOfCut else { return askForPage(number) }
    if cursor.cut == nil { ask(.members, .members(number), owner, mostAhead: mostAhead) } else { readCut(number) }
  }
  var mapNumber: UInt64 { (membership.topology?.shards ?? []).reduce(0) { $0 &+ $1.epoch } }

  func askForPage(_ number: UInt64) {
    guard let search = workflows.searches[number] else { return }
    // Nobody hears the answer any more.
    guard let client = client(of: search.owner) else { return workflows.setSearch(number, nil) }
    guard let placement = membership.topology?.placement(of: search.next.shard), mapNumber == search.next.map else {
      return endSearch(number, .unavailable, "members have moved to other shards meanwhile: begin anew")
    }
    let tenant = client.session.tenant
    submitInternal(placement.shard, flags: .query, continuation: keep(.find(number: number))) {
      Query.appendPage(
        to: &$0, tenant: tenant, slot: placement.slots.first ?? Slot(0), from: search.next.place,
        limit: search.limit - search.count, search.wanted, at: search.cut)
    }
  }

  func pageCame(_ number: UInt64, _ reply: Bytes) {
    guard var search = workflows.searches[number] else { return }
    if RecordView(reply).errorCode == .notFound {
      if search.isOfCut { return cutIsLost(number) }
      workflows.setSearch(number, nil)
      return answer(search.owner, reply)
    }
    guard let records = RecordView.records(of: reply), let last = records.last,
      let place = RecordView(last).number(.index)
    else {
      let shard = search.next.shard.rawValue
      return endSearch(number, .unavailable, "shard \(shard) did not answer, and no part is an answer", lacking: shard)
    }
    // What the map here says of its slots is what it has: no member is on its way into a shard that was asked already, or out of one yet
    // to be asked. Of a cut that is known.
    let epoch = membership.topology?.placement(of: search.next.shard)?.epoch
    let isSettled = search.isOfCut || RecordView(last).number(.moves) == epoch.map { Int64(bitPattern: $0) }
    guard epoch != nil, isSettled, mapNumber == search.next.map else {
      return endSearch(number, .unavailable, "members are moving to other shards: ask again")
    }
    for record in records.dropLast() { search.records.append(contentsOf: record) }
    search.count += records.count - 1
    let shards = (membership.topology?.shards.map(\.shard) ?? []).sorted()
    let following = place >= 0 ? search.next.shard : shards.first { $0 > search.next.shard }
    guard let following else { return answer(number, search, "") }
    (search.next.shard, search.next.place) = (following, max(0, Int(place)))
    guard search.count < search.limit, search.records.count < MemberSearch.mostBytes,
      now.monotonic - search.began < MemberSearch.time(of: requestTimeout)
    else { return answer(number, search, search.next.text) }
    workflows.setSearch(number, search)
    askForPage(number)
  }
  private func answer(_ number: UInt64, _ search: MemberSearch, _ cursor: String) {
    workflows.setSearch(number, nil)
    answer(search.owner) { reply in
      let isAll = search.isDue && cursor.isEmpty
      reply.array(count: search.count + (isAll ? 0 : 1))
      reply.buffer.append(search.records)
      guard !isAll else { return }
      reply.record()
      reply.field(named: "cursor", cursor)
      reply.field(.asof, search.asof)
    }
  }
  func endSearch(_ number: UInt64, _ code: ErrorCode, _ text: String, lacking shard: UInt32? = nil) {
    guard let owner = workflows.searches[number]?.owner else { return }
    workflows.setSearch(number, nil)
    answer(owner) { reply in
      reply.error(code, text)
      if let shard { reply.field(named: "shards", "\(shard)") }
    }
  }
}
