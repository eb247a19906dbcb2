import Base
import Ledger

/// A `FEED` that is being answered. It goes in passes: each asks every journal for what lies behind the cursor, those of shards that
/// live first, and, once these have said which others there are, those of shards that have ended.
struct FeedUnderWay {
  var owner: EdgeItem.Owner
  var tenant: TenantID
  var kinds: FeedKinds
  var limit: Int
  /// What was booked later is not told.
  var horizon: Stamp
  var cursor: FeedCursor
  /// When it began, and until when it may wait for a first record (µs of the node's clock).
  var began: UInt64
  var until: UInt64

  /// The records of the answer, each as it is to stand there.
  var records: [UInt8] = []
  var count = 0
  /// Records that were passed and are not wanted.
  var skipped = 0

  // Of the pass under way.
  var pass = 0
  /// The shards that live, as the map says, the directory among them.
  var living: [ShardID] = []
  var waiting = 0
  /// By journal.
  var pages: [ShardID: [UInt8]] = [:]
  /// Why journals have not answered.
  var failures: [ShardID: (code: ErrorCode, text: String)] = [:]
  /// Of shards that have ended: up to where their journals are told by which living one.
  var inherited: [ShardID: (end: JournalPosition, by: ShardID)] = [:]
  var isAskingEnded = false
  /// Journals that had more to tell in the pass before, of this answer.
  private(set) var unfinished: Set<ShardID> = []
  /// Nothing came: when the next pass begins.
  var nextPass: UInt64?

  /// An answer ends with the page in which it gets as many bytes.
  static let mostBytes = 4 << 20
  /// A cursor of at most so many bytes stands in each record; a longer one in each hundredth, and in the last.
  static let shortCursor = 256
  static let longCursorEvery = 100
  /// Fewer records that were passed are passed again: nothing is said of them.
  static let mentionedSkips = 10_000
  /// So long nothing is asked where a pass found nothing, and so much longer for each journal (µs).
  static let pause: UInt64 = 100_000
  static let pauseOfJournal: UInt64 = 500
  static func pause(journals: Int) -> UInt64 { max(pause, pauseOfJournal * UInt64(journals)) }

  /// How many records a journal's page is asked for: an even part of what is left. Journals that had more in the pass before share it
  /// among themselves: where one is busy and a hundred are not, an answer takes two passes, not a hundred.
  func quota(of journal: ShardID) -> Int {
    let sharers = unfinished.contains(journal) ? unfinished.count : living.count
    return max(1, (limit - count + sharers - 1) / max(1, sharers))
  }
  var isComplete: Bool { living.allSatisfy { pages[$0] != nil } }

  /// All of the pass have answered: the journals of shards that have ended which have more to tell, with who tells it.
  mutating func lookForEnded() throws(MalformedBytes) -> [(place: FeedPlace, by: ShardID)] {
    inherited = [:]
    for by in living.sorted() {
      guard let bytes = pages[by] else { continue }
      let ends = try FeedUnderWay.lineage(of: bytes)
      for end in ends where !living.contains(end.journal) && cursor.covers(end.journal) {
        if let known = inherited[end.journal], !known.end.isBefore(end) { continue }
        inherited[end.journal] = (end, by)
      }
    }
    return inherited.sorted { $0.key < $1.key }.compactMap { journal, told in
      cursor.place(journal).flatMap { $0.isEnd(told.end) ? nil : ($0, told.by) }
    }
  }
  private static func lineage(of bytes: [UInt8]) throws(MalformedBytes) -> [JournalPosition] {
    var lineage: [JournalPosition] = []
    var failure: MalformedBytes?
    bytes.withUnsafeBytes { raw in
      do throws(MalformedBytes) { lineage = try FeedPage(decoding: raw).lineage } catch { failure = error }
    }
    if let failure { throw failure }
    return lineage
  }

  /// Every living shard has told which journals it refers to: so it is known of all numbers up to the newest of these what became of
  /// them, and those that have ended and are told need not be listed any more.
  mutating func settle(isAbandoned: (ShardID) -> Bool) {
    guard isComplete, let newest = living.max()?.rawValue else { return }
    for number in 0...newest {
      let journal = ShardID(number)
      guard cursor.covers(journal), let place = cursor.place(journal) else { continue }
      if let told = inherited[journal] {
        if place.isEnd(told.end) { cursor.remove(journal) } else { cursor.set(place) }
      } else if !living.contains(journal), isAbandoned(journal) {
        cursor.remove(journal)
      } else {
        // Also of a shard that is yet to begin.
        cursor.set(place)
      }
    }
    cursor.known = max(cursor.known, newest)
  }

  /// Takes the pages into the answer, a journal after the other from behind the one whose turn was last, until it is full.
  /// - Returns: whether some journal has more to tell.
  mutating func takePages(_ key: HashKey) throws(FeedFailure) -> Bool {
    let journals = pages.keys.sorted().filter { cursor.covers($0) && cursor.place($0) != nil }
    let split = journals.firstIndex { $0.rawValue > cursor.turn } ?? 0
    unfinished = []
    for journal in journals[split...] + journals[..<split] {
      guard count < limit, let bytes = pages[journal] else {
        unfinished.insert(journal)
        break
      }
      if try take(bytes, of: journal, key) { unfinished.insert(journal) }
    }
    return !unfinished.isEmpty
  }
  /// - Returns: whether the journal has more to tell.
  private mutating func take(_ bytes: [UInt8], of journal: ShardID, _ key: HashKey) throws(FeedFailure) -> Bool {
    var writer = ReplyWriter(capacity: bytes.count + bytes.count / 2)
    var hasMore = false
    var isTooLong = false
    var isMalformed = false
    bytes.withUnsafeBytes { raw in
      do throws(MalformedBytes) {
        let page = try FeedPage(decoding: raw)
        var left = page.count
        try page.forEach { record in
          guard count < limit else { return false }
          count += 1
          left -= 1
          cursor.set(record.after)
          cursor.turn = journal.rawValue
          isTooLong = !write(record.bytes, of: journal, isLast: left == 0 || count == limit, key, &writer)
          return !isTooLong
        }
        if left == 0 {
          cursor.set(page.next)
          skipped += page.skipped
        }
        hasMore = left > 0 || !page.isEnd
      } catch {
        isMalformed = true
      }
    }
    if isMalformed { throw .malformed(journal) }
    if isTooLong { throw .tooManyJournals(cursor.places.count) }
    records.append(contentsOf: writer.buffer.bytes)
    return hasMore
  }
  /// Writes a record with its shard and, if it is its turn, the cursor. False: that would be too long.
  private func write(
    _ record: UnsafeRawBufferPointer, of journal: ShardID, isLast: Bool, _ key: HashKey, _ writer: inout ReplyWriter
  ) -> Bool {
    // A long one is not made for each record, only to be left out.
    let isLong = cursor.places.count > FeedUnderWay.shortCursor / 8
    var text: String?
    if !isLong || isLast || count % FeedUnderWay.longCursorEvery == 0 {
      guard let made = cursor.text(key) else { return false }
      text = made
    }
    writer.record()
    if let text { writer.field(named: "cursor", text) }
    writer.field(.shard, Int64(journal.rawValue))
    if record.count > 2 { writer.add(fields: UnsafeRawBufferPointer(rebasing: record[2...]), count: record[1]) }
    return true
  }
}

enum FeedFailure: Error {
  case malformed(ShardID)
  /// The cursor cannot name so many.
  case tooManyJournals(Int)
}

/// The feeds that are under way at a node, by number.
struct FeedTable {
  /// At once, of all connections of a node.
  static let mostAtOnce = 64

  private var feeds: [UInt64: FeedUnderWay] = [:]
  var isEmpty: Bool { feeds.isEmpty }
  var hasRoom: Bool { feeds.count < FeedTable.mostAtOnce }
  subscript(number: UInt64) -> FeedUnderWay? {
    get { feeds[number] }
    set { feeds[number] = newValue }
  }
  var all: [FeedUnderWay] { feeds.sorted { $0.key < $1.key }.map(\.value) }
  /// Those whose next pass is due.
  func due(now: UInt64) -> [UInt64] { feeds.filter { $0.value.nextPass.map { now >= $0 } ?? false }.keys.sorted() }
}
