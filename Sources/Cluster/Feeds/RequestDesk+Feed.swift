import Base
import Ledger
import Protocol
import Vocabulary

/// `FEED`: what the journals of all shards have behind a cursor. See docs/feed.md.
extension RequestDesk {
  func startFeed(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    let (kinds, cursor): (FeedKinds, FeedCursor)
    switch feedWords(request) {
    case .success(let words): (kinds, cursor) = words
    case .failure(let refusal): return answerError(owner, refusal.code, refusal.text)
    }
    guard workflows.feeds.hasRoom else {
      return answerError(
        owner, .busy, "\(FeedTable.mostAtOnce) feeds are under way at this node; ask another, or later")
    }
    let number = workflows.number()
    let wait = UInt64(max(0, request.number(.wait) ?? 0)) * 1_000_000
    workflows.feeds[number] = FeedUnderWay(
      owner: owner, tenant: client.session.tenant, kinds: kinds, limit: Int(request.number(.limit) ?? 1),
      horizon: RequestDesk.horizon(request), cursor: cursor,
      began: now.monotonic, until: now.monotonic + wait)
    beginFeedPass(number)
  }
  /// Up to the end of the millisecond that `until=` says: records tell theirs.
  private static func horizon(_ request: Request) -> Stamp {
    guard let until = request.number(.until) else { return .never }
    guard until >= 0 else { return CivilTime.midnight(ofDay: -1 - until, offset: 0) }
    return Stamp(microseconds: until / 1_000 * 1_000 + 999)
  }
  private struct FeedRefusal: Error {
    var code = ErrorCode.malformed
    var text: String
  }
  private func feedWords(_ request: Request) -> Result<(FeedKinds, FeedCursor), FeedRefusal> {
    var kinds = FeedKinds.all
    if let text = request.text(.kind) {
      guard let said = FeedKinds(String(decoding: text, as: UTF8.self)) else {
        return .failure(
          FeedRefusal(
            text: "kind= must be one or more of \(FeedKinds.names.joined(separator: ", ")), divided by commas"))
      }
      kinds = said
    }
    var cursor = FeedCursor()
    if let text = request.text(.from) {
      guard let given = FeedCursor(text, hashKey) else {
        return .failure(FeedRefusal(text: "from= must be the cursor= of an earlier answer of this cluster"))
      }
      cursor = given
    }
    if let part = request.number(.part) {
      let (part, parts) = (UInt32(truncatingIfNeeded: part >> 32), UInt32(truncatingIfNeeded: part))
      guard part <= parts, parts <= FeedCursor.mostParts else {
        return .failure(
          FeedRefusal(text: "part= must be K/N, with K from 1 to N, and N at most \(FeedCursor.mostParts)"))
      }
      guard !request.has(.from) || (cursor.part, cursor.parts) == (part, parts) else {
        return .failure(FeedRefusal(text: "from= is a cursor of part \(cursor.part)/\(cursor.parts)"))
      }
      (cursor.part, cursor.parts) = (part, parts)
    }
    return .success((kinds, cursor))
  }

  // MARK: Passes

  private func beginFeedPass(_ number: UInt64) {
    guard var feed = workflows.feeds[number] else { return }
    // Nobody hears the answer any more.
    guard let client = client(of: feed.owner) else { return workflows.feeds[number] = nil }
    guard mayFollow(number, client) else { return }
    let placements = membership.topology?.shards ?? []
    // Also those that it does not tell: what they inherited it may.
    feed.living = (feed.cursor.covers(.directory) ? [.directory] : []) + placements.map(\.shard)
    feed.pass += 1
    (feed.pages, feed.failures, feed.inherited, feed.nextPass) = ([:], [:], [:], nil)
    feed.isAskingEnded = false
    let led = feed.living.filter { isLed($0) }
    for shard in feed.living where !isLed(shard) {
      feed.failures[shard] = (.unavailable, "this node knows no leader of it")
    }
    feed.waiting = led.count
    workflows.feeds[number] = feed
    if led.isEmpty { return endPass(number, feed) }
    for shard in led {
      let isTold = feed.cursor.covers(shard)
      let place = isTold ? feed.cursor.place(shard) : nil
      ask(
        shard, number, feed, from: place ?? FeedPlace(beginningOf: shard),
        limit: place == nil ? 0 : feed.quota(of: shard))
    }
  }
  private func ask(_ shard: ShardID, _ number: UInt64, _ feed: FeedUnderWay, from place: FeedPlace, limit: Int) {
    let query = FeedQuery(
      from: place, tenant: feed.tenant, kinds: feed.kinds, limit: limit, until: feed.horizon)
    let continuation = keep(.feed(number: number, journal: place.journal, pass: feed.pass))
    let slot = membership.topology?.placement(of: shard)?.slots.first ?? Slot(0)
    submitInternal(shard, flags: .query, continuation: continuation) { buffer in
      if shard == .directory {
        DirectoryMachine.append(.feed, to: &buffer) { query.encode(into: &$0) }
      } else {
        Query.appendFeed(to: &buffer, slot: slot, query)
      }
    }
  }

  func feedAnswered(_ number: UInt64, _ journal: ShardID, _ pass: Int, _ reply: Bytes) {
    guard var feed = workflows.feeds[number], feed.pass == pass else { return }
    feed.waiting -= 1
    let view = RecordView(reply)
    if let page = view.wholeText {
      feed.pages[journal] = Array(page)
    } else {
      feed.failures[journal] = (view.errorCode ?? .unavailable, RequestDesk.errorText(reply))
    }
    guard feed.waiting == 0 else { return workflows.feeds[number] = feed }
    guard feed.isAskingEnded else { return askEnded(number, feed) }
    endPass(number, feed)
  }
  private static func errorText(_ reply: Bytes) -> String {
    guard reply.count > 2, RecordView(reply).tag == .error else { return "it gave no answer" }
    var reader = ByteReader(Bytes(rebasing: reply[2...]))
    return (try? reader.readCounted()).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  private func askEnded(_ number: UInt64, _ feed: FeedUnderWay) {
    var feed = feed
    feed.isAskingEnded = true
    guard let ended = try? feed.lookForEnded() else {
      return giveUp(number, .unavailable, "a journal's page cannot be read")
    }
    feed.waiting = ended.count
    guard !ended.isEmpty else { return endPass(number, feed) }
    workflows.feeds[number] = feed
    for (place, by) in ended { ask(by, number, feed, from: place, limit: feed.quota(of: place.journal)) }
  }

  private func endPass(_ number: UInt64, _ feed: FeedUnderWay) {
    var feed = feed
    let topology = membership.topology
    feed.settle { topology?.abandoned.contains($0) ?? false }
    let hasMore: Bool
    do throws(FeedFailure) {
      hasMore = try feed.takePages(hashKey)
    } catch {
      switch error {
      case .malformed(let journal):
        return giveUp(number, .unavailable, "the journal of shard \(journal.rawValue) was answered in an unknown form")
      case .tooManyJournals(let count):
        return giveUp(
          number, .limit,
          "a cursor has no room for \(count) journals: ask for parts of the shards, part=1/2 and part=2/2")
      }
    }
    // A place that a journal does not have stays one.
    if let wrong = feed.failures.filter({ $0.value.code == .notFound }).min(by: { $0.key < $1.key }) {
      return giveUp(number, .notFound, wrong.value.text)
    }
    let isLate = now.monotonic - feed.began > MemberSearch.time(of: requestTimeout)
    if hasMore, feed.count < feed.limit, feed.records.count < FeedUnderWay.mostBytes, !isLate {
      workflows.feeds[number] = feed
      return beginFeedPass(number)
    }
    if feed.count > 0 || feed.skipped >= FeedUnderWay.mentionedSkips { return answerFeed(number, feed) }
    // A failure may pass: it is tried again for as long as any request is.
    let patience = feed.failures.isEmpty ? feed.until : max(feed.until, feed.began + requestTimeout / 2)
    if hasMore || now.monotonic < patience {
      feed.nextPass = now.monotonic + (hasMore ? 0 : FeedUnderWay.pause(journals: feed.living.count))
      return workflows.feeds[number] = feed
    }
    guard let first = feed.failures.min(by: { $0.key < $1.key }) else { return answerFeed(number, feed) }
    giveUp(
      number, first.value.code == .limit ? .unavailable : first.value.code,
      "the journal of shard \(first.key.rawValue) is not told: \(first.value.text)")
  }

  /// Whether whoever asked may still do so: a feed that waits may outlive a right. Else it is answered here.
  private func mayFollow(_ number: UInt64, _ client: Client) -> Bool {
    judgeLease()
    if client.grant.epoch != rights.epoch { renewGrant(client) }
    guard client.grant.roles.isDisjoint(with: VerbRule.of(.feed).pointee.roles) else { return true }
    switch client.grant.refusal {
    case .signedOut: giveUp(number, .noAuth, "the user may follow the feed no more: it was stopped")
    case .lapsed, .unknown: giveUp(number, .unavailable, "this node has not heard for a while who may do what")
    case .tenantStopped, .openElsewhere, nil: giveUp(number, .noPermission, "the user may follow the feed no more")
    }
    return false
  }

  private func answerFeed(_ number: UInt64, _ feed: FeedUnderWay) {
    if let client = client(of: feed.owner), !mayFollow(number, client) { return }
    workflows.feeds[number] = nil
    // Long stretches without a wanted record: whoever asks again need not walk through them again.
    let cursor = feed.count == 0 && feed.skipped >= FeedUnderWay.mentionedSkips ? feed.cursor.text(hashKey) : nil
    answer(feed.owner) { reply in
      reply.array(count: feed.count + (cursor == nil ? 0 : 1))
      reply.buffer.append(feed.records)
      guard let cursor else { return }
      reply.record()
      reply.field(named: "cursor", cursor)
      reply.field(.kind, "none")
      // Of a cluster of several tenants it would tell how much the others do.
      if directory?.access.tenants.count == 1 { reply.field(named: "skipped", Int64(feed.skipped)) }
    }
  }
  private func giveUp(_ number: UInt64, _ code: ErrorCode, _ text: String) {
    guard let feed = workflows.feeds[number] else { return }
    workflows.feeds[number] = nil
    answerError(feed.owner, code, text)
  }

  /// With each tick.
  func advanceFeeds() {
    guard !workflows.feeds.isEmpty else { return }
    for number in workflows.feeds.due(now: now.monotonic) { beginFeedPass(number) }
  }
}
