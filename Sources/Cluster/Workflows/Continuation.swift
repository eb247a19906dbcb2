import Base
import Ledger
import Protocol

/// Steps that the node takes by itself before it can answer: an answer comes back here and not to a client.
enum Continuation {
  case card(CardLookUp)
  case former(FormerSearch)
  case named(NamedMember)
  case past(PastRequest)
  /// `read=local` of what stands in the journal.
  case localRead(EdgeItem.Owner, asof: Stamp)
  /// A change of the catalogue: the directory answers with the version that every shard must reach.
  case catalogue(EdgeItem.Owner)
  /// A step of a change of a program's zone, decided alike.
  case zone(ZoneChange)
  case audit(number: UInt64, shard: ShardID, attempt: Int)
  case health(number: UInt64)
  /// An id is minted; then its member is added.
  case mint(MintRequest)
  case mintedAdded(EdgeItem.Owner, member: [UInt8])
  /// A page of `MEMBER FIND`.
  case find(number: UInt64)
  /// A shard keeps its members as they were for longer, for a search.
  case kept(number: UInt64)
  /// What a `QUOTA SHOW` has of the directory.
  case jobBegan(number: UInt64)
  /// Of a feed's pass, what one journal has.
  case feed(number: UInt64, journal: ShardID, pass: Int)
  /// What a text message is answered from.
  case text(TextUnderWay)
  /// A page of a `REPORT`.
  case report(number: UInt64, shard: ShardID)
  case quotaShown(EdgeItem.Owner, tenant: TenantID, id: [UInt8])
  /// A change of rights: the directory answers with the version that every node must reach.
  case rights(EdgeItem.Owner)
  case ownTransaction(OwnTransaction)
  case ownHistory(OwnHistory)
  /// The trail is to hear of it.
  case noted(EdgeItem.Owner, TrailNote)
}

/// A request that waits to learn whose card it names.
struct CardLookUp {
  var owner: EdgeItem.Owner
  var raw: [UInt8]
  var resolved: RequestDesk.Resolved
  var part: Part

  enum Part { case first, second, referrer }
}

/// A request by a card that others held before, which may be a repeat of what one of them sent.
struct FormerSearch {
  var owner: EdgeItem.Owner
  var raw: [UInt8]
  var resolved: RequestDesk.Resolved
  /// Which of the former holders is asked.
  var next = 0
  var former: [UInt8] { resolved.first?.former[next] ?? [] }
}

extension ReplyTo {
  /// This node itself: the sequence is a continuation's number.
  static let ownEdge = UInt32.max - 1
}

/// A change that the directory has decided and that has yet to reach some shards.
struct CatalogueWait {
  var owner: EdgeItem.Owner
  var version: UInt32
  var deadline: UInt64
  /// What goes on then; nil: it is answered.
  var zone: ZoneChange?
}

/// A commit asked of every shard that this node leads.
struct HealthCheck {
  var owner: EdgeItem.Owner
  /// What comes of it is for all probes that wait.
  var isProbe: Bool
  var started: UInt64
  var waiting: Int
  var asked: Int
  var committed: Int
}
