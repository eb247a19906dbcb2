import Base
import Ledger
import Vocabulary

/// A `REPORT` that is being answered: see docs/reports.md. It asks one journal, or one shard, after the other, a page each time: so it
/// keeps one thread of the cluster busy, and no more.
struct ReportUnderWay {
  /// What a report is divided by.
  enum Division: String, CaseIterable {
    case merchant, org, region, tier, `class`, day, month

    /// What members are known by; nil: it is of movements.
    var ofMembers: MemberKey? {
      switch self {
      case .merchant, .org: nil
      case .region: .region
      case .tier: .tier
      case .class: .holderClass
      case .day: .day
      case .month: .month
      }
    }
    /// What journals are asked for.
    var ofPoints: ReportKey {
      switch self {
      case .merchant, .org, .region: .merchant
      case .tier, .class: .member
      case .day: .day
      case .month: .month
      }
    }
  }
  enum Name: String, CaseIterable { case points, members, campaigns }
  /// What may be asked for once there is such a thing.
  static let later = ["orders", "codes", "liability"]

  /// At once, of all connections of a node.
  static let mostAtOnce = 2
  /// Records of an answer.
  static let mostKeys = 10_000
  /// What stands for a merchant where there is none.
  static let theOperator = "operator"

  var owner: EdgeItem.Owner
  var tenant: TenantID
  var name: Name
  var division: Division?
  /// Empty: the tenant's default.
  var program: [UInt8] = []
  var from: Int64?
  var until: Int64?
  /// Those whose movements are wanted; empty: all.
  var merchants: [[UInt8]] = []
  /// The moment that it is of.
  var asof = Stamp.zero
  /// Of a tenant's audit, what shards have said at that moment: its transactions are counted.
  var books: [[UInt8]]?
  /// What journals are asked for.
  var key: ReportKey { books == nil ? division?.ofPoints ?? .none : .transactions }
  /// When the last page was asked for, and when the next may be (µs of the node's clock).
  var askedAt: UInt64 = 0
  var nextPage: UInt64?

  /// As long as a page took, up to so much, nothing is asked: terminals have half of the time for themselves at least (µs).
  static let longestPause: UInt64 = 50_000
  /// A shorter one would come with the next tick alone.
  static let shortestPause: UInt64 = 3_000

  // Of points.
  /// Where the next pages begin, the next at the end, and which shards have the journals.
  var places: [(place: FeedPlace, by: ShardID)] = []
  /// Journals that were asked for.
  var asked: Set<ShardID> = []
  /// Journals of shards that have ended, as those that were asked refer to them.
  var inherited: [ShardID: (end: JournalPosition, by: ShardID)] = [:]
  var points: [[UInt8]: PointFigures] = [:]
  /// Members of the last page, of whom the class or the tier is yet to be known, by shard.
  var unknown: [(shard: ShardID, members: [(id: [UInt8], figures: PointFigures)])] = []

  // Of members.
  /// Shards that are yet to be asked, the next at the end.
  var shards: [ShardID] = []
  var place = 0
  /// The sum of the shards' epochs as it began.
  var map: UInt64 = 0
  var members: [[UInt8]: MemberFigures] = [:]

  /// Of all journals of a moment, the first at the end.
  mutating func begin(_ shards: [ShardID], asof: Stamp) {
    self.asof = asof
    places = shards.sorted(by: >).map { (FeedPlace(beginningOf: $0), $0) }
    asked = Set(shards)
  }
  /// Takes in a page. Of members it is yet to be known what they are.
  mutating func take(_ page: PointPage, by shard: ShardID, shardOf: ([UInt8]) -> ShardID) {
    for end in page.lineage {
      if let known = inherited[end.journal], !known.end.isBefore(end) { continue }
      inherited[end.journal] = (end, shard)
    }
    places.removeLast()
    if !page.isEnd { places.append((page.next, shard)) }
    guard division?.ofPoints == .member else {
      for (key, figures) in page.figures { points[key, default: PointFigures()] += figures }
      return
    }
    let byShard = Dictionary(grouping: page.figures) { shardOf($0.key) }
    unknown = byShard.sorted { $0.key > $1.key }
      .map { ($0.key, $0.value.map { (id: $0.key, figures: $0.figures) }) }
  }
  /// The journals that are left are those of shards that have ended.
  mutating func askInherited() {
    for (journal, told) in inherited.sorted(by: { $0.key > $1.key }) where !asked.contains(journal) {
      asked.insert(journal)
      places.append((FeedPlace(beginningOf: journal), told.by))
    }
  }
  /// Takes in what the members of a shard are: counted words. False: it is something else.
  mutating func takeWords(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let (_, members) = unknown.popLast() else { return false }
    var reader = ByteReader(bytes)
    for (_, figures) in members {
      guard let word = try? reader.readCounted() else { return false }
      points[Array(word), default: PointFigures()] += figures
    }
    return reader.isAtEnd
  }

  /// Has the figures of merchants stand under what these belong to.
  mutating func divide(by place: (UnsafeRawBufferPointer) -> [UInt8]?) {
    var divided: [[UInt8]: PointFigures] = [:]
    for (merchant, figures) in points {
      let key = merchant.isEmpty ? nil : merchant.withUnsafeBytes(place)
      divided[key ?? [], default: PointFigures()] += figures
    }
    points = divided
  }
}

/// The reports that are under way at a node, by number.
struct ReportTable {
  private var reports: [UInt64: ReportUnderWay] = [:]
  var isEmpty: Bool { reports.isEmpty }
  /// Audits have room of their own.
  func hasRoom(forAudits: Bool = false) -> Bool {
    reports.values.count { ($0.books != nil) == forAudits } < ReportUnderWay.mostAtOnce
  }
  /// Those whose next page is due.
  func due(now: UInt64) -> [UInt64] { reports.filter { $0.value.nextPage.map { now >= $0 } ?? false }.keys.sorted() }
  subscript(number: UInt64) -> ReportUnderWay? {
    get { reports[number] }
    set { reports[number] = newValue }
  }
}
