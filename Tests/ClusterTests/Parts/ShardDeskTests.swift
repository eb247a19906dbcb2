import Base
import CommandSupport
import Ledger
import Raft
import Storage
import Testing

@testable import Cluster

/// A desk of a node that has just started, whose disk, peers and groups are played by hand.
private final class Holder {
  let world = PartWorld()
  let disk: DiskDesk
  let desk: ShardDesk

  /// - Parameters:
  ///   - found: replicas of which the disk has something.
  ///   - fence: not 0: the log lost states.
  init(
    found: [RecoveredReplica] = [], tombstones: [ShardID: UInt64] = [:], fence: UInt64 = 0,
    deaths: [ShardID: ApplyingNote.Death] = [:], _ change: (inout NodeConfiguration) -> Void = { _ in }
  ) {
    var configuration = NodeConfiguration(
      name: "n1", region: "r1", clientAddress: "n1:1", peerAddress: "n1:2", join: [])
    change(&configuration)
    disk = DiskDesk(turn: world.turn, configuration: configuration)
    let storage = RecoveredNode(
      identity: PartWorld.me, proof: Proof(1, 99), incarnation: 1, predecessor: .none, logPosition: 0, promise: nil,
      shards: found, tombstones: tombstones, warnings: [], fence: fence,
      note: ApplyingNote(PrivateMemory(byteCount: ApplyingNote.byteCount)), deaths: deaths)
    let membership =
      fence == 0
      ? world.membership
      : Membership(
        me: NodeIdentity(
          id: PartWorld.me, proof: Proof(1, 99), life: LifeID(incarnation: 1, nonce: 1), predecessor: .none,
          fence: fence,
          newHashKey: .none))
    desk = ShardDesk(
      turn: world.turn, membership: membership, peers: world.peers, replicas: world.replicas, disk: disk,
      configuration: configuration, storage: storage, random: SeededGenerator(seed: 1), observer: nil)
    isRestored = desk.restore(found)
  }
  /// Whether the directory was there at the start.
  let isRestored: Bool

  /// The directory tells of its shards, as the node has it do.
  func follow(_ topology: Topology = PartWorld.topology()) {
    _ = desk.membership.follow(topology, first: topology)
    desk.startRecovered()
  }
  /// A cluster in which this node leads the directory and shard 1.
  static func leading(
    voters: [UInt64] = [1], _ change: (inout NodeConfiguration) -> Void = { _ in }
  ) throws -> Holder {
    let holder = Holder(change)
    holder.desk.begin(PartWorld.topology(voters: voters))
    holder.follow(PartWorld.topology(voters: voters))
    try holder.world.lead(holder.directory)
    try holder.world.lead(holder.shard)
    return holder
  }
  var directory: Replica? { world.replicas[.directory] }
  var shard: Replica? { world.replicas[PartWorld.one] }

  /// Has the directory log a command.
  func log(_ kind: DirectoryMachine.Kind, _ body: (inout ByteBuffer) -> Void) throws {
    var buffer = ByteBuffer()
    DirectoryMachine.append(kind, to: &buffer, body)
    let isTaken = try #require(directory).addInternal(buffer.bytes)
    try #require(isTaken)
    world.quiesce(directory)
  }
  func setMerchant(_ name: String) throws {
    let line = try EntryLine("MERCHANT SET \(name) title=x")
    try log(.entry) {
      $0.append(UInt128(0))
      $0.append(UInt64(0))
      $0.append(TenantID.first.rawValue)
      $0.append(counted: "")
      $0.append(line.bytes)
    }
  }
  /// With a heartbeat: what is due is logged, and applied.
  func beat(_ leaders: SaidLeaders = SaidLeaders()) {
    desk.proposeDue(leaders)
    for replica in world.replicas { world.quiesce(replica) }
  }
  func lastIndex(_ replica: Replica?) -> UInt64 { replica?.raft.lastIndex.rawValue ?? 0 }

  /// What the log is to write, as a batch that is written by then.
  func written() -> [LogRecord] {
    guard let batch = disk.nextBatch() else { return [] }
    _ = disk.batchWritten()
    desk.absent.written(through: batch.number)
    return batch.records
  }
  /// Shards whose files are to go.
  func clearedAway() -> [ShardID] {
    desk.absent.clearAway(but: nil, &world.turn.out)
    defer { world.turn.out.jobs.removeAll() }
    return world.turn.out.jobs.compactMap { if case .clearAway(let shard) = $0 { shard } else { nil } }
  }
  /// A message for a replica of shard 1 that was born by that version.
  func message(born: UInt64, node: NodeID = PartWorld.me) -> Message {
    Message(
      .append, from: ReplicaID(node: NodeID(2), born: 1), to: ReplicaID(node: node, born: born), term: Term(3))
  }
}

/// Which replicas live at a node, without the node.
@Suite struct ShardDeskTests {
  private static let founding = Founding.shard(PartWorld.topology().shards[0], of: PartWorld.topology())
  private static func found(
    _ shard: ShardID, _ entries: [LogEntry], _ state: HardState = HardState(term: Term(7), vote: .none)
  ) -> RecoveredReplica {
    RecoveredReplica(
      shard: shard, hardState: state, snapshotIndex: LogIndex(0), snapshotTerm: Term(0), configuration: nil,
      entries: entries, machine: nil)
  }
  private static let voted = HardState(term: Term(7), vote: ReplicaID(node: NodeID(3), born: 1))
  private static func state(in records: [LogRecord], of shard: ShardID) throws -> HardState? {
    for record in records where record.shard == shard {
      guard case .state(let bytes) = record.body else { continue }
      return try bytes.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        return try HardState(decoding: &reader)
      }
    }
    return nil
  }

  // MARK: How replicas begin

  @Test func aFounderWritesWhatItsGroupsBeginWithAndTheDirectoryLast() throws {
    let holder = Holder()
    #expect(!holder.isRestored)
    holder.desk.begin(PartWorld.topology())
    #expect(holder.world.replicas.map(\.shard) == [.directory], "the directory tells of the others")
    let records = holder.written()
    #expect(records.map(\.shard.rawValue) == [1, 1, 1, 0, 0, 0], "shard 2 is others' alone")
    #expect(records[1...2].map(\.body) == ShardDeskTests.founding.entries.map { .entry($0) })
    #expect(try ShardDeskTests.state(in: records, of: PartWorld.one)?.commit == LogIndex(2))
    holder.follow()
    #expect(holder.world.replicas.map(\.shard) == [.directory, PartWorld.one])
    #expect(holder.shard?.raft.id == ReplicaID(node: PartWorld.me, born: 1))
    holder.world.quiesce(holder.directory)
    #expect(holder.desk.directory?.topology == PartWorld.topology())
  }

  @Test func whatIsThereOfAGroupIsNotBegunAgain() throws {
    let more = LogEntry(index: LogIndex(3), term: Term(6), kind: .noop, payload: [])
    let holder = Holder(found: [
      ShardDeskTests.found(PartWorld.one, ShardDeskTests.founding.entries + [more], ShardDeskTests.voted)
    ])
    holder.desk.begin(PartWorld.topology())
    #expect(holder.written().allSatisfy { $0.shard == .directory })
    #expect(holder.shard == nil, "it waits for the directory's word")
    holder.follow()
    #expect(holder.lastIndex(holder.shard) == 3 && holder.shard?.raft.vote == ShardDeskTests.voted.vote)
  }

  @Test func aGroupThatLostItsBeginningIsGivenItAndKeepsItsVote() throws {
    let holder = Holder(found: [ShardDeskTests.found(PartWorld.one, [], ShardDeskTests.voted)])
    holder.desk.begin(PartWorld.topology())
    let records = holder.written()
    let state = try #require(try ShardDeskTests.state(in: records, of: PartWorld.one))
    #expect(state.term == Term(7) && state.vote == ShardDeskTests.voted.vote && state.commit == LogIndex(2))
    #expect(records.count { $0.shard == PartWorld.one } == 3)
  }

  @Test func aFounderThatHasLeftFoundsNothing() {
    let holder = Holder(tombstones: [PartWorld.one: 1])
    holder.desk.begin(PartWorld.topology())
    holder.follow()
    #expect(holder.written().allSatisfy { $0.shard == .directory } && holder.shard == nil)
  }

  @Test func theDirectoryThatWasFoundIsInstalledAtOnceAndWithoutItsBeginningNot() {
    let directory = Founding.directory(of: PartWorld.topology())
    #expect(Holder(found: [ShardDeskTests.found(.directory, directory.entries)]).isRestored)
    let holder = Holder(found: [
      ShardDeskTests.found(.directory, []), ShardDeskTests.found(PartWorld.one, ShardDeskTests.founding.entries),
    ])
    #expect(!holder.isRestored && holder.world.replicas.isEmpty)
    // One that was born later begins with nothing, and may have voted since: it is what it was.
    let newcomer = ShardDeskTests.found(.directory, [], HardState(term: Term(7), born: 4))
    #expect(Holder(found: [newcomer]).isRestored)
  }

  @Test func aReplicaBeginsForAMessageThatIsMeantForIt() throws {
    let holder = Holder(tombstones: [PartWorld.one: 3])
    #expect(
      holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 4)) == nil, "nothing is known of that shard")
    holder.follow()
    #expect(holder.desk.startNewcomer(ShardID(3), for: holder.message(born: 4)) == nil)
    #expect(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 4, node: NodeID(2))) == nil)
    #expect(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 3)) == nil, "that one has left")
    let newcomer = try #require(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 4)))
    #expect(newcomer.raft.id.born == 4 && newcomer.raft.lastIndex == LogIndex(0) && !newcomer.raft.isFenced)
    #expect(newcomer.raft.configuration == .empty, "who belongs to its group only the group says, not the map")
  }

  @Test func aReplicaThatBeginsWhereVotesWereLostGivesNone() throws {
    let holder = Holder(fence: 5)
    holder.follow()
    #expect(try #require(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 1))).raft.isFenced)
  }

  @Test func whatCannotStartIsNotTakenForNothing() throws {
    // A log with a gap.
    let gap = LogEntry(index: LogIndex(4), term: Term(1), kind: .noop, payload: [])
    let holder = Holder(found: [ShardDeskTests.found(PartWorld.one, ShardDeskTests.founding.entries + [gap])])
    holder.follow()
    #expect(holder.shard == nil && holder.world.logged(.error).first?.hasPrefix("shard 1 cannot start here") == true)
    #expect(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 1)) == nil)
  }

  // MARK: How they leave

  @Test func aReplicaLeavesForGoodAndItsSuccessorWaitsUntilNothingIsLeft() throws {
    let holder = Holder()
    holder.follow()
    let old = try #require(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 4)))
    holder.world.replicas.rottenJournals.insert(PartWorld.one)
    holder.desk.retire(old)
    #expect(holder.shard == nil && holder.world.replicas.rottenJournals.isEmpty)
    func begins(_ born: UInt64) -> Bool {
      holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: born)) != nil
    }
    #expect(!begins(5) && holder.clearedAway().isEmpty, "its tombstone is not durable")
    #expect(holder.written().last == LogRecord(shard: PartWorld.one, body: .gone(born: 4)))
    #expect(holder.clearedAway() == [PartWorld.one] && !begins(5))
    holder.desk.clearedAway(PartWorld.one, failure: "a test")
    #expect(holder.world.logged(.error).first?.contains("cannot be removed: a test") == true)
    #expect(!begins(5) && holder.clearedAway() == [PartWorld.one], "it is tried again")
    holder.desk.clearedAway(PartWorld.one, failure: nil)
    #expect(!begins(4) && begins(5))
  }

  // MARK: Digests

  private static func marker(_ digest: UInt64) -> MarkerDigest {
    MarkerDigest(index: LogIndex(5), digest: StateDigest(a: digest, b: 1, chain: 1))
  }
  private static func report(_ holder: Holder, _ digest: UInt64, by id: UInt64) throws {
    var body = ByteBuffer()
    body.append(PartWorld.one.rawValue)
    for number in [5, digest, 1, 1] { body.append(number) }
    var reader = ByteReader(body.bytes)
    try holder.desk.receiveDigest(&reader, of: try #require(holder.world.peers[NodeID(id)]))
  }
  private static func note(_ holder: Holder, _ digest: UInt64) throws {
    let replica = try #require(holder.shard)
    replica.outbox.markers = [marker(digest)]
    holder.desk.take(of: replica)
  }

  @Test func aFollowerTellsItsLeaderItsDigestAndStopsWhenThatSaysSo() throws {
    let holder = Holder()
    holder.desk.begin(PartWorld.topology(voters: [1, 2, 3]))
    holder.follow(PartWorld.topology(voters: [1, 2, 3]))
    try holder.world.follow(2, by: holder.shard)
    try ShardDeskTests.note(holder, 8)
    #expect(try holder.world.said(to: 2).map(\.kind) == [.digest] && holder.world.said(to: 3).isEmpty)
    var body = ByteBuffer()
    body.append(PartWorld.one.rawValue)
    body.append(UInt64(5))
    for (id, isStopped) in [(3, false), (2, true)] as [(UInt64, Bool)] {
      var reader = ByteReader(body.bytes)
      try holder.desk.receiveDeviant(&reader, of: try #require(holder.world.peers[NodeID(id)]))
      #expect((holder.shard?.quarantined != nil) == isStopped, "node \(id) says so")
    }
  }

  @Test func aLeaderTellsWhoDiffersFromAMajority() throws {
    let holder = try Holder.leading(voters: [1, 2, 3])
    try ShardDeskTests.note(holder, 8)
    try ShardDeskTests.report(holder, 9, by: 3)
    #expect(holder.world.logged(.error).first?.hasPrefix("replicas differ and no majority agrees yet") == true)
    #expect(try holder.world.said(to: 3).isEmpty)
    try ShardDeskTests.report(holder, 8, by: 2)
    #expect(try holder.world.said(to: 3).map(\.kind) == [.deviant] && holder.world.said(to: 2).isEmpty)
    #expect(holder.world.replicas.divergent == [PartWorld.one] && holder.shard?.quarantined == nil)
  }

  @Test func aLeaderThatDiffersFromAMajorityStopsItself() throws {
    let holder = try Holder.leading(voters: [1, 2, 3])
    try ShardDeskTests.report(holder, 9, by: 2)
    try ShardDeskTests.report(holder, 9, by: 3)
    #expect(holder.world.replicas.divergent.isEmpty)
    try ShardDeskTests.note(holder, 8)
    #expect(holder.shard?.quarantined?.contains("differs from the majority's") == true)
    #expect(holder.world.replicas.divergent == [PartWorld.one], "an audit is to say so")
  }

  // MARK: The catalogue

  @Test func aShardLogsTheChangesOfTheCatalogueThatItLacksOnce() throws {
    let holder = try Holder.leading()
    try holder.setMerchant("a")
    try holder.setMerchant("b")
    let before = holder.lastIndex(holder.shard)
    holder.desk.spreadCatalogue()
    holder.desk.spreadCatalogue()
    holder.world.quiesce(holder.shard)
    #expect(holder.shard?.machine.catalogueVersion == 2 && holder.lastIndex(holder.shard) == before + 1)
    let logged = try #require(holder.shard?.raft.entries(after: LogIndex(before)).first)
    #expect(EntryHeader.commandCount(of: logged) == 2)
    holder.beat()
    #expect(holder.lastIndex(holder.shard) == before + 1)
  }

  @Test func changesAreDroppedOnceAllShardsHaveThemAndSomeHaveComeTogether() throws {
    let holder = try Holder.leading { $0.deltasKept = 2 }
    for name in ["a", "b", "c"] { try holder.setMerchant(name) }
    func leaders(_ one: UInt32, _ two: UInt32) -> SaidLeaders {
      SaidLeaders(known: [
        PartWorld.one: KnownLeader(node: PartWorld.me, catalogueVersion: one),
        PartWorld.two: KnownLeader(node: NodeID(3), catalogueVersion: two),
      ])
    }
    for (one, two, dropped) in [(3, 0, 0), (1, 3, 0), (3, 2, 2), (3, 3, 2)] as [(UInt32, UInt32, UInt32)] {
      holder.beat(leaders(one, two))
      #expect(holder.desk.directory?.droppedVersion == dropped, "shards have \(one) and \(two)")
    }
    // What a shard lacks and nobody has any more it has lost: it says so, and does nothing.
    let newcomer = try Holder.leading()
    for name in ["a", "b"] { try newcomer.setMerchant(name) }
    try newcomer.log(.spread) { $0.append(UInt32(1)) }
    newcomer.desk.spreadCatalogue()
    #expect(newcomer.shard?.quarantined?.contains("no longer kept") == true)
  }

  // MARK: Operations

  @Test func aDrainThatHasFailedLetsTheNodeLeadAgain() throws {
    let holder = try Holder.leading()
    let drain = NodeDrain(node: NodeID(3))
    try holder.log(.beginOperation) {
      $0.append(NodeDrain.number)
      $0.append(counted: "operator")
      $0.append(counted: OperationChild(drain).params)
    }
    #expect(holder.desk.directory?.topology?.node(NodeID(3))?.state == .draining)
    let record = try #require(holder.desk.directory?.operations.open.first)
    try holder.log(.advanceOperation) { OperationChange(record, .failed, step: 0, "why").encode(into: &$0) }
    #expect(holder.desk.directory?.topology?.node(NodeID(3))?.state == .up)
  }

  // MARK: Semantics

  @Test func newSemanticsBeginOnceTheyMayAndAllNodesAreInReachAndKnowThem() throws {
    let holder = try Holder.leading()
    holder.beat()
    #expect(holder.desk.directory?.semantics == Semantics.first, "nobody has ended the upgrade")
    try holder.log(.beginOperation) {
      var params = ByteBuffer()
      UpgradeFinish(semantics: Semantics.newest).encode(into: &params)
      $0.append(UpgradeFinish.number)
      $0.append(counted: "operator")
      $0.append(counted: params.bytes)
    }
    let peer = try #require(holder.world.peers[NodeID(3)])
    let link = peer.incoming
    peer.incoming = nil
    holder.beat()
    #expect(holder.desk.directory?.semantics == Semantics.first, "one of them is not in reach")
    peer.incoming = link
    peer.hello.semantics = Semantics.first
    holder.beat()
    #expect(holder.desk.directory?.semantics == Semantics.first, "one of them does not know them")
    peer.hello.semantics = Semantics.newest
    holder.beat()
    holder.follow(try #require(holder.desk.directory?.topology))
    holder.beat()
    #expect(holder.desk.directory?.semantics == Semantics.newest)
    holder.beat()
    #expect(holder.shard?.machine.semantics == Semantics.newest, "shards follow the directory")
  }

  // MARK: Operations

  @Test func whatBecomesOfAnOperationIsLoggedOnce() throws {
    let holder = try Holder.leading()
    holder.beat()
    let plan = ShardLeader(shard: PartWorld.two, to: NodeID(3), from: NodeID(2), term: Term(4))
    var params = ByteBuffer()
    plan.encode(into: &params)
    try holder.log(.beginOperation) {
      $0.append(ShardLeader.number)
      $0.append(counted: "operator")
      $0.append(counted: params.bytes)
    }
    let table = try #require(holder.desk.directory)
    let before = holder.lastIndex(holder.directory)
    var leaders = SaidLeaders(known: [PartWorld.two: KnownLeader(node: NodeID(2), term: Term(4), hasTakenOver: true)])
    holder.beat(leaders)
    #expect(table.operations.open.map(\.state) == [.running] && holder.lastIndex(holder.directory) == before)
    leaders.known[PartWorld.two] = KnownLeader(node: NodeID(3), term: Term(5), hasTakenOver: true)
    holder.desk.proposeDue(leaders)
    holder.desk.proposeDue(leaders)
    holder.world.quiesce(holder.directory)
    #expect(table.operations.over.map(\.state) == [.done] && table.topology?.shards[1].preferredLeader == NodeID(3))
    let proposed = try #require(holder.directory?.raft.entries(after: LogIndex(before)))
    #expect(proposed.count == 1 && EntryHeader.commandCount(of: proposed[0]) == 1)
  }

  // MARK: Members

  /// An order of a version that the group has left does nothing, however late it is read.
  @Test func anOrderIsDoneFromTheVersionThatItExpects() throws {
    let holder = try Holder.leading()
    let move = ShardMove(shard: PartWorld.one, from: PartWorld.me, to: NodeID(3))
    try holder.log(.beginOperation) {
      $0.append(ShardMove.number)
      $0.append(counted: "operator")
      $0.append(counted: OperationChild(move).params)
    }
    func expect(_ version: UInt64, step: UInt32) throws -> Configuration {
      let record = try #require(holder.desk.directory?.operations.open.first)
      try holder.log(.advanceOperation) {
        OperationChange(record, .running, step: step, expects: version, "").encode(into: &$0)
      }
      holder.beat()
      return try #require(holder.shard).raft.configuration
    }
    let before = try #require(holder.shard).raft.configuration
    #expect(try expect(before.version + 1, step: 0) == before)
    #expect(try expect(before.version - 1, step: 0) == before)
    let learning = try expect(before.version, step: 0)
    #expect(learning.learners.map(\.node) == [NodeID(3)] && learning.voters == before.voters)
    #expect(try expect(learning.version, step: 0) == learning, "it is there")
    #expect(try expect(learning.version, step: 1) == learning, "it has not caught up")
    // It has; but the leader itself is to go, and has to hand over before.
    let replica = try #require(holder.shard)
    let member = try #require(learning.learners.first)
    for _ in 0..<3 {
      replica.step(
        Message(.appendReply, from: member, to: replica.raft.id, term: replica.raft.term, index: replica.raft.lastIndex)
      )
      holder.world.quiesce(replica)
    }
    try #require(holder.desk.report(of: replica, nil).isNear(NodeID(3)))
    holder.beat()
    #expect(replica.raft.configuration == learning)
    #expect(try expect(learning.version - 1, step: 2) == learning)
    #expect(try expect(learning.version, step: 2).learners.isEmpty)
  }

  @Test func whoIsAboutToLeaveIsNoHeir() throws {
    let holder = try Holder.leading(voters: [1, 2, 3])
    let world = holder.world
    let leadership = LeadershipDesk(
      turn: world.turn, membership: world.membership, peers: world.peers, replicas: world.replicas, slowWrite: 500_000)
    let replica = try #require(holder.shard)
    #expect(leadership.candidates(for: replica).map(\.id) == [NodeID(2), NodeID(3)])
    #expect(leadership.candidates(for: replica, leaving: NodeID(2)).map(\.id) == [NodeID(3)])
  }

  /// A joint configuration needs both majorities: who has lost what it acknowledged counts in neither.
  @Test func nobodyIsExchangedWhereAMajorityIsNotSound() throws {
    let holder = try Holder.leading(voters: [1, 2])
    func answer(_ replica: Replica?, by node: UInt64, born: UInt64 = 1, isDamaged: Bool = false) throws {
      let replica = try #require(replica)
      for _ in 0..<3 {
        var message = Message(
          .appendReply, from: ReplicaID(node: NodeID(node), born: born), to: replica.raft.id, term: replica.raft.term,
          index: replica.raft.lastIndex)
        if isDamaged { (message.isDamaged, message.life) = (true, 1) }
        replica.step(message)
        holder.world.quiesce(replica)
      }
    }
    func record(step: UInt32) throws {
      let record = try #require(holder.desk.directory?.operations.open.first)
      let version = try #require(holder.shard).raft.configuration.version
      try holder.log(.advanceOperation) {
        OperationChange(record, .running, step: step, expects: version, "").encode(into: &$0)
      }
      try answer(holder.directory, by: 2)
    }
    try answer(holder.directory, by: 2)
    try answer(holder.shard, by: 2)
    let move = ShardMove(shard: PartWorld.one, from: NodeID(2), to: NodeID(3))
    try holder.log(.beginOperation) {
      $0.append(ShardMove.number)
      $0.append(counted: "operator")
      $0.append(counted: OperationChild(move).params)
    }
    try answer(holder.directory, by: 2)
    try record(step: 0)
    holder.desk.driveGroups(SaidLeaders(), nil)
    try answer(holder.shard, by: 2)
    let learner = try #require(holder.shard?.raft.configuration.learners.first)
    try answer(holder.shard, by: 3, born: learner.born)
    try record(step: 1)
    try answer(holder.shard, by: 2, isDamaged: true)
    let before = try #require(holder.shard).raft.lastIndex
    holder.desk.driveGroups(SaidLeaders(), nil)
    holder.world.quiesce(holder.shard)
    #expect(holder.shard?.raft.lastIndex == before)
  }

  @Test func onlyALeaderThatKnowsSaysThatAReplicaIsNoMember() throws {
    func answers(_ holder: Holder, born: UInt64) throws -> Bool {
      let peer = try #require(holder.world.peers[NodeID(3)])
      peer.outbox.removeAll()
      var body = ByteBuffer()
      body.append(PartWorld.one.rawValue)
      body.append(born)
      var reader = ByteReader(body.bytes)
      try holder.desk.receive(.membershipAsked, &reader, of: peer)
      return !peer.outbox.isEmpty
    }
    let holder = try Holder.leading()
    let version = try #require(holder.shard).raft.configuration.version
    #expect(try answers(holder, born: version))
    #expect(try !answers(holder, born: version + 1), "it may have been added since")
    holder.shard?.stepDown()
    #expect(try !answers(holder, born: version))
    // One that has just been elected may have a later configuration in its log that is in force.
    let fresh = try Holder.leading(voters: [1, 2])
    let replica = try #require(fresh.shard)
    #expect(try !answers(fresh, born: 1))
    replica.step(
      Message(
        .appendReply, from: ReplicaID(node: NodeID(2), born: 1), to: replica.raft.id, term: replica.raft.term,
        index: replica.raft.lastIndex))
    fresh.world.quiesce(replica)
    #expect(try answers(fresh, born: 1))
    // And one that is a member is told nothing.
    let three = try Holder.leading(voters: [1, 2, 3])
    let other = try #require(three.shard)
    other.step(
      Message(
        .appendReply, from: ReplicaID(node: NodeID(2), born: 1), to: other.raft.id, term: other.raft.term,
        index: other.raft.lastIndex))
    three.world.quiesce(other)
    try #require(other.raft.hasCommittedInOwnTerm)
    #expect(try !answers(three, born: 1))
  }

  @Test func aReplicaLeavesForTheWordThatIsMeantForIt() throws {
    let holder = Holder()
    holder.follow()
    _ = try #require(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 4)))
    func hear(born: UInt64, version: UInt64) throws -> Bool {
      var body = ByteBuffer()
      body.append(PartWorld.one.rawValue)
      body.append(born)
      body.append(version)
      var reader = ByteReader(body.bytes)
      try holder.desk.receive(.notAMember, &reader, of: try #require(holder.world.peers[NodeID(2)]))
      return !holder.desk.removed.isEmpty
    }
    #expect(try !hear(born: 3, version: 9), "that was another")
    #expect(try !hear(born: 4, version: 3), "that is of before its birth")
    #expect(try hear(born: 4, version: 9))
    #expect(try hear(born: 3, version: 9), "what comes late of another changes nothing")
  }

  // MARK: Entries at which the process died

  private static func death(_ index: UInt64, count: UInt32) -> [ShardID: ApplyingNote.Death] {
    [PartWorld.one: .init(index: LogIndex(index), term: Term(1), place: 0, count: count)]
  }
  private static var foundWithMore: [RecoveredReplica] {
    [found(PartWorld.one, founding.entries)]
  }

  @Test func anEntryOfWhichProcessesDiedIsNotAppliedUntilItIsToBeTriedAgain() throws {
    let holder = Holder(found: ShardDeskTests.foundWithMore, deaths: ShardDeskTests.death(2, count: 2))
    holder.follow()
    #expect(holder.shard?.poison == Poison(index: LogIndex(2), kind: "BIRTH"))
    #expect(holder.world.logged(.error).first?.hasPrefix("alarm=POISON shard=1 index=2 kind=BIRTH") == true)
    holder.world.quiesce(holder.shard)
    #expect(holder.shard?.machine.lastIndex == LogIndex(1))
    #expect(holder.desk.clearPoison(PartWorld.one) && !holder.desk.clearPoison(PartWorld.two))
    holder.desk.tryPoison(PartWorld.one)
    #expect(holder.shard?.poison == nil && holder.shard?.isDirty == true)
    holder.world.quiesce(holder.shard)
    #expect(holder.shard?.machine.lastIndex == LogIndex(2) && holder.shard?.halt.suspect == nil)
  }

  @Test func anEntryOfWhichOneProcessDiedIsTriedAgainAlone() {
    let holder = Holder(found: ShardDeskTests.foundWithMore, deaths: ShardDeskTests.death(2, count: 1))
    holder.follow()
    #expect(holder.shard?.poison == nil && holder.shard?.halt.suspect == LogIndex(2))
    #expect(holder.world.logged(.warning).first?.contains("it is tried again") == true)
  }

  @Test func anEntryThatIsInASnapshotIsNoSuspect() {
    let holder = Holder(deaths: ShardDeskTests.death(2, count: 2))
    holder.follow()
    var found = ShardDeskTests.found(PartWorld.one, [])
    (found.snapshotIndex, found.snapshotTerm) = (LogIndex(2), Term(1))
    found.configuration = Configuration(founders: [PartWorld.me])
    holder.desk.start(found, machine: LedgerMachine(Ledger(shard: PartWorld.one), lastIndex: LogIndex(2)))
    #expect(holder.shard != nil && holder.shard?.poison == nil && holder.shard?.halt.suspect == nil)
  }

  @Test func peersThatHaveTheAlarmTryAgainToo() throws {
    let holder = Holder()
    let peer = try #require(holder.world.peers[NodeID(2)])
    #expect(!holder.desk.clearPoison(PartWorld.two))
    peer.condition.poisons = [PoisonedShard(shard: PartWorld.two, index: LogIndex(4), kind: "EARN")]
    #expect(holder.desk.clearPoison(PartWorld.two))
    #expect(try holder.world.said(to: 2).map(\.kind) == [.clearPoison] && holder.world.said(to: 3).isEmpty)
  }
}
