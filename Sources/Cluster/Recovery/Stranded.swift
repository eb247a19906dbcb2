import Base
import Raft

/// What a replica whose group has had no leader for a while says of itself: by that an operator decides whether it is to go on
/// alone.
struct StrandedReport: Hashable, Sendable {
  var shard: ShardID
  /// In force, as far as the replica knows.
  var configuration: Configuration
  /// The end of its log.
  var last: LogPosition
  var commit: LogIndex
  var isDamaged: Bool
  /// By its own log.
  var slots: SlotRanges
  var epoch: UInt64
  /// Slots that it gave away, and of which it does not know yet that they were taken in.
  var moving: SlotsMoving?
  /// Of each shard that slots came from: its epoch after the newest export that was taken in.
  var taken: [SlotsTaken] = []
  /// Of the last entry that it has applied.
  var stamp: Stamp

  init(of replica: Replica) {
    let raft = replica.raft
    shard = replica.shard
    configuration = raft.configuration
    last = LogPosition(index: raft.lastIndex, term: raft.term(at: raft.lastIndex) ?? Term(0))
    commit = raft.commitIndex
    isDamaged = !raft.damage.mayVote
    let ledger = replica.machine as? LedgerMachine
    (slots, epoch) = ledger?.ownership ?? (.none, 0)
    moving = ledger?.holdings.moving.map { SlotsMoving(heir: $0.heir, epoch: $0.epoch, slots: $0.slots) }
    taken = ledger?.slotsTaken ?? []
    stamp = replica.machine.lastStamp
  }
  init(shard: ShardID, configuration: Configuration, last: LogPosition) {
    (self.shard, self.configuration, self.last) = (shard, configuration, last)
    (commit, isDamaged, slots, epoch, stamp) = (LogIndex(0), false, .none, 0, .zero)
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(shard.rawValue))
    buffer.append(field: 2) { configuration.encode(into: &$0) }
    buffer.append(field: 3, zigzag: Int64(bitPattern: last.index.rawValue))
    buffer.append(field: 4, zigzag: Int64(bitPattern: last.term.rawValue))
    buffer.append(field: 5, zigzag: Int64(bitPattern: commit.rawValue))
    if isDamaged { buffer.append(field: 6, zigzag: 1) }
    buffer.append(field: 7) { slots.encode(into: &$0) }
    buffer.append(field: 8, zigzag: Int64(bitPattern: epoch))
    buffer.append(field: 9, zigzag: stamp.microseconds)
    if let moving {
      buffer.append(field: 10) {
        $0.append(moving.heir.rawValue)
        $0.append(moving.epoch)
        $0.append(varint: UInt64(moving.slots.lowerBound))
        $0.append(varint: UInt64(moving.slots.upperBound))
      }
    }
    if !taken.isEmpty {
      buffer.append(field: 11) { list in
        for mark in taken {
          list.append(mark.source.rawValue)
          list.append(mark.epoch)
        }
      }
    }
    buffer.appendEndOfFields()
  }
  /// What a newer build says beside is no matter of this one.
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(
      shard: ShardID(0), configuration: .empty, last: LogPosition(index: LogIndex(0), term: Term(0)))
    try reader.readFields(of: "a stranded replica") { number, value throws(MalformedBytes) in
      switch number {
      case 1: shard = ShardID(try value.readSmall())
      case 2: configuration = try Configuration(decoding: &value)
      case 3: last.index = LogIndex(UInt64(bitPattern: try value.readZigzag()))
      case 4: last.term = Term(UInt64(bitPattern: try value.readZigzag()))
      case 5: commit = LogIndex(UInt64(bitPattern: try value.readZigzag()))
      case 6: isDamaged = try value.readZigzag() != 0
      case 7: slots = try SlotRanges(decoding: &value)
      case 8: epoch = UInt64(bitPattern: try value.readZigzag())
      case 9: stamp = Stamp(microseconds: try value.readZigzag())
      case 10:
        let heir = ShardID(try value.read())
        let epoch = try value.read(UInt64.self)
        let (first, end) = (try value.readVarint(), try value.readVarint())
        guard first <= end, end <= UInt64(Slot.count) else { throw MalformedBytes("slots that there are not") }
        moving = SlotsMoving(heir: heir, epoch: epoch, slots: Int(first)..<Int(end))
      case 11:
        while !value.isAtEnd { taken.append(SlotsTaken(source: ShardID(try value.read()), epoch: try value.read())) }
      default: _ = try value.readBytes(value.remaining)
      }
      return true
    }
  }
}

/// Slots on their way from a shard to another.
struct SlotsMoving: Hashable, Sendable {
  var heir: ShardID
  /// The epoch of the shard that gave them away, since then.
  var epoch: UInt64
  var slots: Range<Int>
}

/// That a shard has taken in what another gave it, up to the export after which that one had an epoch.
struct SlotsTaken: Hashable, Sendable {
  var source: ShardID
  var epoch: UInt64
}

/// What stranded replicas on nodes in reach have said of late.
struct StrandedTable {
  private var heard: [ShardID: [NodeID: (report: StrandedReport, at: UInt64)]] = [:]

  /// A replica says it once a second; for so long it counts (µs).
  static let limit: UInt64 = 3_000_000

  mutating func note(_ report: StrandedReport, of node: NodeID, now: UInt64) {
    heard[report.shard, default: [:]][node] = (report, now)
  }
  /// In the order of the nodes.
  func reports(of shard: ShardID, now: UInt64) -> [RecoveryPlan.Witness] {
    (heard[shard] ?? [:]).filter { now - min(now, $0.value.at) < StrandedTable.limit }.sorted { $0.key < $1.key }
      .map { RecoveryPlan.Witness(node: $0.key, report: $0.value.report) }
  }
  /// By shard.
  func reports(now: UInt64) -> [ShardID: [RecoveryPlan.Witness]] {
    let found = heard.keys.map { ($0, reports(of: $0, now: now)) }
    return Dictionary(uniqueKeysWithValues: found.filter { !$0.1.isEmpty })
  }
}

extension ShardDesk {
  /// A group without a leader for so long is stranded (µs): elections take less.
  private static let strandedAfter: UInt64 = 3_000_000

  /// Once a second: all nodes hear of the replicas here whose groups have no leader.
  func tellOfStranded() {
    for replica in replicas {
      guard replica.leader == .none, replica.quarantined == nil, replica.raft.configuration.contains(replica.raft.id)
      else {
        leaderlessSince[replica.shard] = nil
        continue
      }
      let since = leaderlessSince[replica.shard] ?? now.monotonic
      leaderlessSince[replica.shard] = since
      guard now.monotonic - since >= ShardDesk.strandedAfter else { continue }
      let report = StrandedReport(of: replica)
      peers.stranded.note(report, of: peers.id, now: now.monotonic)
      for peer in peers.others where peer.outgoing != nil { peer.say(.stranded) { report.encode(into: &$0) } }
    }
  }
  func receiveStranded(_ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) {
    peers.stranded.note(try StrandedReport(decoding: &reader), of: peer.id, now: now.monotonic)
  }

  // MARK: Damage

  /// `CLUSTER ALARM CLEAR CORRUPT shard=S accept-loss=yes`: every replica of it in reach counts as whole, by what it has left.
  func acceptLossEverywhere(_ shard: ShardID) {
    for peer in peers.others where peer.outgoing != nil { peer.say(.acceptLoss) { $0.append(shard.rawValue) } }
    acceptLoss(shard)
  }
  func acceptLoss(_ shard: ShardID) {
    // A leader supplies its followers.
    guard let replica = replicas[shard], replica.leader == .none, !replica.raft.damage.mayVote else { return }
    log(
      .warning,
      "shard=\(shard.rawValue) counts as whole here by an operator's word, up to its entry \(replica.raft.lastIndex.rawValue):"
        + " what it had acknowledged beyond that may be lost")
    replica.raft.acceptLoss()
    replica.isDirty = true
  }

  // MARK: The directory

  /// The directory's replica here goes on without those that are lost, by an operator's word: nothing that could keep that word is
  /// left. `version:u64 lost:u64*`. Said twice it happens once: by the version of the configuration.
  func recoverDirectory(_ reader: inout ByteReader) throws(MalformedBytes) {
    let version: UInt64 = try reader.read()
    var lost: [NodeID] = []
    while !reader.isAtEnd { lost.append(NodeID(try reader.read())) }
    guard let replica = replicas[.directory], replica.leader == .none, lost.allSatisfy({ peers.isSilent($0, now: now) })
    else { return }
    recover(replica, without: lost, from: version)
  }
  func recover(_ replica: Replica, without lost: [NodeID], from version: UInt64) {
    let raft = replica.raft
    guard raft.configuration.version == version, raft.configuration.contains(raft.id) else { return }
    log(
      .warning,
      "\(replica.shard == .directory ? "the directory" : "shard \(replica.shard.rawValue)") goes on from this replica alone, by"
        + " its entry \(raft.lastIndex.rawValue): \(lost.map { peers.name(of: $0, membership) }.joined(separator: ", ")) are lost"
    )
    replica.raft.recover(without: Set(lost))
    replica.isDirty = true
  }
}
