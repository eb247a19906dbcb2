import Base
import Ledger
import Raft

/// Who leads a shard, as far as a node has heard.
struct KnownLeader: BitwiseCopyable {
  var node = NodeID.none
  var term = Term(0)
  /// What its shard has applied of the catalogue, as its leader last said.
  var catalogueVersion: UInt32 = 0
  var commit = LogIndex(0)
  var applied = LogIndex(0)
  /// It proposes: see `Replica.hasTakenOver`.
  var hasTakenOver = false
}

/// This node's requests on their way to leaders: a stream for each shard, which slot is whose, and who leads.
struct Edge {
  /// By shard number.
  private(set) var streams: [EdgeStream] = []
  /// Some stream may have something to be passed on.
  let sends = Wakes()
  private var leaders: [KnownLeader] = []
  /// By slot: the shard whose stream has its requests; empty while there is no topology.
  private var slots: [UInt32] = []
  /// By slot: the shard that owns it, as far as is known. Where that is another, the slot leaves the stream of the former.
  private var owners: [UInt32] = []
  /// By slot: the epoch of its owner. What says a lower one is older news.
  private var slotEpochs: [UInt64] = []
  /// A slot leaves some stream.
  private var isAnyLeaving = false
  /// Requests of one shard that may wait here, in bytes: as the operator says, and less where memory is short.
  private(set) var streamBytesMax: Int
  private var streamBytesLimit: Int
  /// What the memory leaves for each, as it was last told.
  private var memoryShare = Int.max
  /// Each shard's may take so much in any case.
  private static let streamBytesMin = 1 << 20
  /// After a refusal so long is waited, in microseconds.
  private static let pause: UInt64 = 5_000
  /// No cluster has shards of higher numbers.
  static let shardsMost: UInt32 = 1 << 16

  /// A request that is not sent again: how its answer begins, and why.
  struct GivenUp {
    var stream: EdgeStream
    var sequence: UInt64
    var code: ErrorCode
    var reason: String
  }

  init(streamBytesLimit: Int) {
    self.streamBytesLimit = streamBytesLimit
    streamBytesMax = streamBytesLimit
  }

  // MARK: Shards

  var shardCount: Int { streams.count }
  func has(_ shard: ShardID) -> Bool { Int(shard.rawValue) < streams.count }
  /// Tables through a shard's number. Sequence numbers and epochs of one life never meet those of another.
  mutating func makeTables(through shard: ShardID, incarnation: UInt64) {
    while !has(shard) {
      leaders.append(KnownLeader())
      streams.append(
        EdgeStream(
          shard: ShardID(UInt32(streams.count)), firstSequence: incarnation << 10,
          epoch: UInt32(truncatingIfNeeded: incarnation >> 10), sends: sends))
    }
  }
  /// The directory's map: a copy of what the shards' logs say, which may be older than what is known.
  mutating func place(_ placements: [ShardPlacement]) {
    if slots.isEmpty {
      slots = [UInt32](repeating: 0, count: Slot.count)
      owners = slots
      slotEpochs = [UInt64](repeating: 0, count: Slot.count)
    }
    for placement in placements {
      note(Whereabouts(shard: placement.shard, epoch: placement.epoch, slots: placement.slots))
    }
  }
  /// A shard owns slots since an epoch of its log. There are tables of that shard.
  mutating func note(_ whereabouts: Whereabouts) {
    guard hasSlots, has(whereabouts.shard) else { return }
    for range in whereabouts.slots.ranges {
      for slot in range where whereabouts.epoch > slotEpochs[slot] {
        slotEpochs[slot] = whereabouts.epoch
        owners[slot] = whereabouts.shard.rawValue
        let stream = streams[Int(slots[slot])]
        if stream.shard == .directory || stream.items.isEmpty {
          // Nobody had it, or nothing of it is on its way.
          slots[slot] = whereabouts.shard.rawValue
        } else if slots[slot] != whereabouts.shard.rawValue {
          stream.leave(slot)
          isAnyLeaving = true
        }
      }
    }
  }
  /// A shard answers that a slot is not its own. Its request waits for the slot to have left, if that leaves; or goes on at
  /// once to the stream that has it by now.
  /// - Returns: it is given up: nobody knows of a later owner, or it was taken and cannot be repeated.
  mutating func moved(_ stream: EdgeStream, _ sequence: UInt64, _ moved: Moved) -> GivenUp? {
    if let whereabouts = moved.whereabouts { note(whereabouts) }
    guard let request = stream.moved(sequence, wasTaken: moved.wasTaken) else { return nil }
    guard !moved.wasTaken || request.item.flags.contains(.repeatable) else {
      return GivenUp(
        stream: stream, sequence: sequence, code: .unknown,
        reason: "its slot moved to another shard before it was answered; without an id= nobody can ask there")
    }
    guard request.item.state != .held else { return nil }
    let next = streams[Int(slots[request.slot])]
    guard next !== stream else {
      let isInDoubt = request.item.inDoubt
      return GivenUp(
        stream: stream, sequence: sequence, code: isInDoubt ? .unknown : .unavailable,
        reason: isInDoubt
          ? Edge.lostLeader : "its slot has moved to another shard a moment ago; nothing was done")
    }
    _ = stream.complete(sequence)
    next.append(request)
    return nil
  }
  static let lostLeader = "a leader was lost while it had this request; repeat it with the same id"

  /// Lets slots leave whose requests no leader has any more; see `EdgeStream.leave`.
  mutating func handOver() {
    guard isAnyLeaving else { return }
    isAnyLeaving = false
    for stream in streams where stream.isLeaving {
      guard !stream.isLeavingAwaited else {
        isAnyLeaving = true
        continue
      }
      let (leaving, requests) = stream.takeLeaving()
      for slot in leaving { slots[slot] = owners[slot] }
      for request in requests { streams[Int(slots[request.slot])].append(request) }
    }
  }

  /// There are slots as soon as there is a topology.
  var hasSlots: Bool { !slots.isEmpty }
  @inline(__always)
  func shard(of slot: Slot) -> ShardID { ShardID(slots[Int(slot.rawValue)]) }
  /// Who owns it, whatever of it is still with a former owner.
  func owner(of slot: Slot) -> ShardID { ShardID(owners[Int(slot.rawValue)]) }
  @inline(__always)
  func stream(_ shard: ShardID) -> EdgeStream { streams[Int(shard.rawValue)] }
  @inline(__always)
  func stream(of slot: Slot) -> EdgeStream { streams[Int(slots[Int(slot.rawValue)])] }

  /// The requests that wait here for all shards together may take a sixteenth of the memory.
  mutating func bound(memory: UInt64) {
    memoryShare = Int(clamping: memory / 16 / UInt64(max(1, streams.count)))
    bound(bytes: streamBytesLimit)
  }
  mutating func bound(bytes: Int) {
    streamBytesLimit = bytes
    streamBytesMax = min(streamBytesLimit, max(Edge.streamBytesMin, memoryShare))
  }

  // MARK: Leaders

  func leader(of shard: ShardID) -> KnownLeader { has(shard) ? leaders[Int(shard.rawValue)] : KnownLeader() }

  /// Somebody leads a shard: the highest term counts. False: that says nothing new.
  mutating func note(leader node: NodeID, _ term: Term, of shard: ShardID) -> Bool {
    guard has(shard) else { return false }
    let i = Int(shard.rawValue)
    guard term >= leaders[i].term, leaders[i].node != node || leaders[i].term != term else { return false }
    if term == leaders[i].term && node == .none { return false }
    leaders[i].term = term
    leaders[i].node = node
    leaders[i].hasTakenOver = false
    return true
  }
  /// What a leader says of itself. False: it is not the one that is known.
  mutating func note(_ led: NodeStatus.Led, of node: NodeID) -> Bool {
    let i = Int(led.shard.rawValue)
    guard i < leaders.count, leaders[i].node == node, leaders[i].term == led.term else { return false }
    leaders[i].catalogueVersion = max(leaders[i].catalogueVersion, led.catalogueVersion)
    leaders[i].commit = led.commit
    leaders[i].applied = led.applied
    leaders[i].hasTakenOver = led.hasTakenOver
    return true
  }
  /// What a leader of this node, `me`, has reached. True: others are to hear of its catalogue.
  mutating func noteProgress(
    of shard: ShardID, me: NodeID, catalogueVersion: UInt32, commit: LogIndex, applied: LogIndex, hasTakenOver: Bool
  ) -> Bool {
    let i = Int(shard.rawValue)
    let isNew = leaders[i].node == me && leaders[i].catalogueVersion != catalogueVersion
    leaders[i].catalogueVersion = catalogueVersion
    leaders[i].commit = commit
    leaders[i].applied = applied
    leaders[i].hasTakenOver = hasTakenOver
    return isNew
  }

  // MARK: Epochs

  /// Where a stream's next message goes; nil: it waits. What one that was replaced has taken is in doubt.
  func target(of stream: EdgeStream, now: UInt64, isReachable: (NodeID) -> Bool) -> (node: NodeID?, lost: [GivenUp]) {
    let known = leader(of: stream.shard).node
    var lost: [GivenUp] = []
    if stream.target != .none && stream.target != known && known != .none {
      // Another leads in a later term: what the old one took is in doubt, and goes to the new one.
      lost = begin(stream, refusedFrom: .max)
    }
    if stream.target == .none {
      guard known != .none, now >= stream.notBefore, isReachable(known) else { return (nil, lost) }
      stream.target = known
    }
    return (stream.target, lost)
  }

  /// Begins a stream's next epoch; what cannot be sent again is given up.
  func begin(_ stream: EdgeStream, refusedFrom: UInt64, isLeaderLost: Bool = false) -> [GivenUp] {
    var lost: [GivenUp] = []
    stream.beginEpoch(refusedFrom: refusedFrom, isLeaderLost: isLeaderLost) { sequence, item in
      let (code, reason): (ErrorCode, String) =
        if !item.flags.contains(.query) {
          (.unknown, "the leader was lost; without an id= the request is not sent again")
        } else if item.losses >= EdgeItem.lossLimit {
          (.unavailable, "\(item.losses) leaders were lost while they had the query; nothing was done")
        } else {
          (.unavailable, "the leader was lost, and may have done what was asked behind the query; ask again")
        }
      lost.append(GivenUp(stream: stream, sequence: sequence, code: code, reason: reason))
    }
    return lost
  }

  /// A leader refused this node's messages of an epoch, from one on; or gave up with all of them undecided.
  func refused(_ shard: ShardID, epoch: UInt32, from message: UInt64 = .max, now: UInt64) -> [GivenUp] {
    guard has(shard) else { return [] }
    let stream = stream(shard)
    guard stream.epoch == epoch, stream.target != .none else { return [] }
    let lost = begin(stream, refusedFrom: message)
    stream.notBefore = now + Edge.pause
    return lost
  }
  /// No answer can come from that node any more: all it was asked is in doubt.
  func lost(_ node: NodeID) -> [GivenUp] {
    streams.filter { $0.target == node }.flatMap { begin($0, refusedFrom: .max, isLeaderLost: true) }
  }
  /// Somebody else leads a shard than whom its stream was sent to. What the old leader took is in doubt. Its link may stay open
  /// for long, and no new request may come that would show that it has been replaced.
  func replaced(leaderOf shard: ShardID, by node: NodeID) -> [GivenUp] {
    let stream = stream(shard)
    guard node != .none, stream.target != .none, stream.target != node, !stream.items.isEmpty else { return [] }
    return begin(stream, refusedFrom: .max)
  }
  /// Requests that nobody answered in time.
  func expired(now: UInt64) -> [GivenUp] {
    var late: [GivenUp] = []
    for stream in streams where !stream.items.isEmpty {
      let shard = stream.shard.rawValue
      stream.expire(now: now) { sequence, item in
        let passedOn = item.state == .sent || item.inDoubt
        let (code, reason): (ErrorCode, String) =
          if passedOn && !item.flags.contains(.query) {
            (.unknown, "no answer in time; repeat it with the same id")
          } else if passedOn {
            (.unavailable, "shard \(shard) did not answer in time; nothing was done")
          } else {
            (.unavailable, "shard \(shard) has no leader in reach; nothing was done")
          }
        late.append(GivenUp(stream: stream, sequence: sequence, code: code, reason: reason))
      }
    }
    return late
  }
}
