import Base
import Ledger

/// What belongs to one leadership: it begins anew with each, and is nothing where the replica does not lead (the volatile
/// state on leaders of Raft's figure 2, one floor up).
struct LeaderState {
  /// The replica has taken notice that it leads. It takes requests from then on.
  let isLeading: Bool
  /// The end of the log as it was found. Nothing is proposed before it is applied: its last stamp is known only then.
  let foundIndex: LogIndex
  /// The next entry is to be stamped later than this.
  private(set) var lastStamp: Stamp
  var proposals = Proposals()
  var waiters = Waiters()
  var markers = Markers()
  var deferred = DeferredRequests()
  /// What earlier leaders left paused is held by this one.
  var hasMetPausedSlots = false
  /// The machine's epoch when deferred requests were last looked at.
  var deferredEpoch: UInt64 = 0
  var deliveries = DeliveryWalk()
  var traffic = Traffic()
  /// The catalogue's version up to which deltas have been proposed; of the directory: up to which they have been proposed to
  /// be dropped.
  var catalogueVersion: UInt32 = 0
  /// What is left to be told of a whole catalogue to a shard that began late, and its version.
  var wholeCatalogue: ArraySlice<[UInt8]> = []
  var wholeVersion: UInt32 = 0
  /// How far the log was known to be committed when it was found.
  var foundCommit = LogIndex(0)
  /// Journals of others that a newcomer needs from its beginning on: see `RaftGroup.beginMembers`.
  var lineage: [JournalChain] = []
  /// The slots that the shard is to give away.
  var giving = SlotsGiven()
  /// Of the directory: the version of the map for which newer claims of shards have been proposed.
  var claimedFrom: UInt64 = 0
  /// Of the directory: by operation, the revision of its record to which a change has been proposed.
  var operationRevisions: [UInt64: UInt32] = [:]
  /// Of the directory: which nodes are silent.
  var silences = Silences()
  /// What entries are proposed by, if that is more than the state has met.
  var semantics = Semantics.first

  /// Of a replica that does not lead.
  init() {
    isLeading = false
    foundIndex = LogIndex(0)
    lastStamp = .zero
  }
  /// Of one that begins to.
  /// - Parameter lastStamp: of the entries that are applied.
  init(found: LogIndex, lastStamp: Stamp) {
    isLeading = true
    foundIndex = found
    self.lastStamp = lastStamp
  }

  /// Nothing waits for its moment, and no slots are to go.
  var isAtRest: Bool { markers.isEmpty && deferred.isEmpty && giving.wanted == nil }
  /// An entry was stamped so, or something was promised of the moments before.
  @inline(__always) mutating func passed(_ stamp: Stamp) { lastStamp = max(lastStamp, stamp) }
}
