import Base
import Ledger
import Raft

// How a checker looks into a node. Nothing here is needed to run one, and it costs nothing while nobody looks.

/// Hears of what a node's replicas do, as they do it.
public protocol ReplicaObserver: AnyObject {
  /// A replica has applied an entry, and nothing after it yet.
  func applied(_ entry: LogEntry, _ replica: ReplicaView)
  /// Whether the process dies of a trap while this replica applies that entry. Nothing more of it is done then.
  func traps(at entry: LogEntry, _ replica: ReplicaView) -> Bool
  /// A replica is there again, as its disk has it.
  func starts(_ replica: ReplicaView)
  /// A replica tells its leader that it has the log up to there, on disk.
  func acknowledges(_ replica: ReplicaView, through index: LogIndex)
  /// A replica's state was replaced by a peer's snapshot, or found on disk.
  func restored(_ replica: ReplicaView)
  /// A replica has begun to lead.
  func leads(_ replica: ReplicaView)
  /// A replica tells another that it has its vote in this term, or asks for its vote.
  func votes(_ replica: ReplicaView)
  /// Queries begin to wait for word that this replica still leads. Rounds are numbered, from 1 on in each process.
  func readBegins(_ replica: ReplicaView, round: UInt64)
  /// They are answered, from what the replica has applied now.
  func readEnds(_ replica: ReplicaView, round: UInt64)
}

extension ReplicaObserver {
  public func traps(at entry: LogEntry, _ replica: ReplicaView) -> Bool { false }
}

/// A node, to look at.
public struct NodeView {
  let node: Node

  public var life: LifeID { node.membership.me.life }
  public var identity: NodeID { node.membership.me.id }
  /// Whether this process is the node, as far as it knows: see `Seat`.
  public var isSeated: Bool { node.links.seat.isTaken }
  /// Of another node, as far as this one has applied the directory.
  public func lifeInDirectory(of other: NodeID) -> LifeID? { node.membership.topology?.node(other)?.life }
  /// What this node knows of who holds what.
  public var topology: Topology? { node.membership.topology }
  /// The process has died in the middle of an entry: what it would do next it does not do.
  public var hasTrapped: Bool { node.replicas.contains { $0.halt.hasTrapped } }
  /// Votes may be lost here: it counts in no majority until it is replaced.
  public var mustBeReplaced: Bool { isFenced || node.replicas.contains { $0.raft.isFenced } }
  private var isFenced: Bool { node.membership.me.fence != 0 }
  /// A replica or journal here lacks something, or the node is fenced: alarm `CORRUPT`.
  public var lacksSomething: Bool { isFenced || node.replicas.isCorrupt }
  /// Bytes of its log that hold records which are still needed, as last looked at.
  public var pinnedLogBytes: UInt64? { node.health.disk.health.gauges?.log.pinnedBytes }
  /// The replicas that run here, in the order of their shards.
  public var replicas: [ReplicaView] { node.replicas.map { ReplicaView(replica: $0) } }
  /// Bytes of the replicas' states and logs: what a simulation takes for the process's memory.
  public var memoryHeld: Int {
    node.replicas.reduce(0) { $0 + $1.machine.memoryByteCount + $1.machine.spareByteCount + $1.raft.logBytes }
  }
  /// Has a shard that this node leads change its voters, if it can now: for a test of groups that change. The version of its
  /// configuration once it has these; else nil.
  public func changeVoters(of shard: ShardID, to voters: [NodeID]) -> UInt64? {
    guard let replica = node.replicas[shard], replica.raft.hasCommittedInOwnTerm else { return nil }
    let configuration = replica.raft.configuration
    if !configuration.isJoint, configuration.voters.map(\.node) == voters { return configuration.version }
    _ = try? replica.raft.propose(voters: voters, ifVersion: configuration.version)
    replica.isDirty = true
    return nil
  }
  /// Where each replica stands, a line each: for a person who looks into a failure.
  public var report: String { NodeReport.text(of: node) }
}

/// One replica, to look at.
public struct ReplicaView {
  let replica: Replica

  public var node: NodeID { replica.raft.id.node }
  /// By which version of its group's configuration it became a member; 0: not known yet.
  public var born: UInt64 { replica.raft.id.born }
  public var shard: ShardID { replica.shard }
  public var isLeader: Bool { replica.raft.role == .leader }
  public var term: Term { replica.raft.term }
  /// A follower of it waits for a snapshot.
  public var sendsSnapshot: Bool { replica.raft.progress.contains { $0.state == .snapshot } }
  public var votedForItself: Bool { replica.raft.vote == replica.raft.id }
  /// Its term and vote are on disk.
  public var isStateStable: Bool { replica.raft.isStateStable }
  public var commitIndex: LogIndex { replica.raft.commitIndex }
  public var appliedIndex: LogIndex { replica.machine.lastIndex }
  /// The first entry in memory, if there is one, and the last.
  public var firstIndex: LogIndex { replica.raft.firstIndex }
  public var lastIndex: LogIndex { replica.raft.lastIndex }
  public var voters: [NodeID] { replica.raft.configuration.voters.map(\.node) }
  /// Of the configuration in force, as far as it knows.
  public var configurationVersion: UInt64 { replica.raft.configuration.version }
  /// Why it takes no further part, if it does not.
  public var quarantined: String? { replica.quarantined }
  /// The entry from which on it applies nothing, if there is one.
  public var poison: LogIndex? { replica.poison?.index }
  /// The newest semantics that it has met.
  public var semantics: UInt8 { replica.machine.semantics }
  /// It may lack what it acknowledged, or was seen to be in another state than the others.
  public var isBad: Bool { quarantined != nil || replica.raft.isDamaged || replica.raft.isFenced }
  /// Of the ledger's state, of the directory's journal; nil in the midst of an entry.
  public var digest: (UInt64, UInt64)? {
    guard !replica.applying.isMidEntry else { return nil }
    let chain = replica.machine.journal.hash
    return (replica.machine as? LedgerMachine)?.digest ?? (chain.a, chain.b)
  }
  /// Which slots its shard owns, and since which epoch, as far as it has applied.
  public var slots: (epoch: UInt64, ranges: SlotRanges) {
    let holdings = replica.machine.holdings
    return (holdings.epoch, holdings.slots)
  }
  /// What its entries have decided since the node took it, run by run.
  public var newJournal: [(position: JournalPosition, bytes: [UInt8])] { replica.outbox.journal }
  /// The term of an entry in memory, or of the one before the first.
  public func term(at index: LogIndex) -> Term? { replica.raft.term(at: index) }
  /// When an entry of commands was stamped, in microseconds.
  public static func stamp(of entry: LogEntry) -> Int64? { entry.kind == .command ? EntryHeader.stamp(of: entry) : nil }
  /// Of the newest entry of commands that is not known to be committed.
  public var newestUncommittedStamp: Int64? { replica.raft.newestUncommittedCommand.map(EntryHeader.stamp(of:)) }
  /// Throws what is broken of the ledger's state. O(state).
  public func checkInvariants() throws { try (replica.machine as? LedgerMachine)?.checkInvariants() }
  /// The same of accounts, lots, holds and sums alone. O(members).
  public func checkBalances() throws { try (replica.machine as? LedgerMachine)?.checkBalances() }
}

extension Topology {
  /// The shard that owns a member of the first tenant.
  public func shard(ofMember name: String) -> ShardID? {
    let slot = Topology.slot(ofMember: name)
    return shards.first { $0.slots.contains(slot) }?.shard
  }
  public static func slot(ofMember name: String) -> Slot {
    Slot(hash: Array(name.utf8).withUnsafeBytes { Slot.hash(.member, tenant: .first, id: $0) })
  }
}
