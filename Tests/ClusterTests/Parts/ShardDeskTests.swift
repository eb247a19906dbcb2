import Base
import CommandSupport
import Ledger
import Raft
import Storage
import Testing

@testable import Cluster

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
    let holder = ShardDeskHolder()
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
    let holder = ShardDeskHolder(found: [
      ShardDeskTests.found(PartWorld.one, ShardDeskTests.founding.entries + [more], ShardDeskTests.voted)
    ])
    holder.desk.begin(PartWorld.topology())
    #expect(holder.written().allSatisfy { $0.shard == .directory })
    #expect(holder.shard == nil, "it waits for the directory's word")
    holder.follow()
    #expect(holder.lastIndex(holder.shard) == 3 && holder.shard?.raft.vote == ShardDeskTests.voted.vote)
  }

  @Test func aGroupThatLostItsBeginningIsGivenItAndKeepsItsVote() throws {
    let holder = ShardDeskHolder(found: [ShardDeskTests.found(PartWorld.one, [], ShardDeskTests.voted)])
    holder.desk.begin(PartWorld.topology())
    let records = holder.written()
    let state = try #require(try ShardDeskTests.state(in: records, of: PartWorld.one))
    #expect(state.term == Term(7) && state.vote == ShardDeskTests.voted.vote && state.commit == LogIndex(2))
    #expect(records.count { $0.shard == PartWorld.one } == 3)
  }

  @Test func aFounderThatHasLeftFoundsNothing() {
    let holder = ShardDeskHolder(tombstones: [PartWorld.one: 1])
    holder.desk.begin(PartWorld.topology())
    holder.follow()
    #expect(holder.written().allSatisfy { $0.shard == .directory } && holder.shard == nil)
  }

  @Test func theDirectoryThatWasFoundIsInstalledAtOnceAndWithoutItsBeginningNot() {
    let directory = Founding.directory(of: PartWorld.topology())
    #expect(ShardDeskHolder(found: [ShardDeskTests.found(.directory, directory.entries)]).isRestored)
    let holder = ShardDeskHolder(found: [
      ShardDeskTests.found(.directory, []), ShardDeskTests.found(PartWorld.one, ShardDeskTests.founding.entries),
    ])
    #expect(!holder.isRestored && holder.world.replicas.isEmpty)
    // One that was born later begins with nothing, and may have voted since: it is what it was.
    let newcomer = ShardDeskTests.found(.directory, [], HardState(term: Term(7), born: 4))
    #expect(ShardDeskHolder(found: [newcomer]).isRestored)
  }

  @Test func aReplicaBeginsForAMessageThatIsMeantForIt() throws {
    let holder = ShardDeskHolder(tombstones: [PartWorld.one: 3])
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
    let holder = ShardDeskHolder(fence: 5)
    holder.follow()
    #expect(try #require(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 1))).raft.isFenced)
  }

  @Test func whatCannotStartIsNotTakenForNothing() throws {
    // A log with a gap.
    let gap = LogEntry(index: LogIndex(4), term: Term(1), kind: .noop, payload: [])
    let holder = ShardDeskHolder(found: [ShardDeskTests.found(PartWorld.one, ShardDeskTests.founding.entries + [gap])])
    holder.follow()
    #expect(holder.shard == nil && holder.world.logged(.error).first?.hasPrefix("shard 1 cannot start here") == true)
    #expect(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 1)) == nil)
  }

  // MARK: How they leave

  @Test func aReplicaLeavesForGoodAndItsSuccessorWaitsUntilNothingIsLeft() throws {
    let holder = ShardDeskHolder()
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
  private static func report(_ holder: ShardDeskHolder, _ digest: UInt64, by id: UInt64) throws {
    var body = ByteBuffer()
    body.append(PartWorld.one.rawValue)
    for number in [5, digest, 1, 1] { body.append(number) }
    var reader = ByteReader(body.bytes)
    try holder.desk.receiveDigest(&reader, of: try #require(holder.world.peers[NodeID(id)]))
  }
  private static func note(_ holder: ShardDeskHolder, _ digest: UInt64) throws {
    let replica = try #require(holder.shard)
    replica.outbox.markers = [marker(digest)]
    holder.desk.take(of: replica)
  }

  @Test func aFollowerTellsItsLeaderItsDigestAndStopsWhenThatSaysSo() throws {
    let holder = ShardDeskHolder()
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
    let holder = try ShardDeskHolder.leading(voters: [1, 2, 3])
    try ShardDeskTests.note(holder, 8)
    try ShardDeskTests.report(holder, 9, by: 3)
    #expect(holder.world.logged(.error).first?.hasPrefix("replicas differ and no majority agrees yet") == true)
    #expect(try holder.world.said(to: 3).isEmpty)
    try ShardDeskTests.report(holder, 8, by: 2)
    #expect(try holder.world.said(to: 3).map(\.kind) == [.deviant] && holder.world.said(to: 2).isEmpty)
    #expect(holder.world.replicas.divergent == [PartWorld.one] && holder.shard?.quarantined == nil)
  }

  @Test func aLeaderThatDiffersFromAMajorityStopsItself() throws {
    let holder = try ShardDeskHolder.leading(voters: [1, 2, 3])
    try ShardDeskTests.report(holder, 9, by: 2)
    try ShardDeskTests.report(holder, 9, by: 3)
    #expect(holder.world.replicas.divergent.isEmpty)
    try ShardDeskTests.note(holder, 8)
    #expect(holder.shard?.quarantined?.contains("differs from the majority's") == true)
    #expect(holder.world.replicas.divergent == [PartWorld.one], "an audit is to say so")
  }

  // MARK: The catalogue

  @Test func aShardLogsTheChangesOfTheCatalogueThatItLacksOnce() throws {
    let holder = try ShardDeskHolder.leading()
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
    let holder = try ShardDeskHolder.leading { $0.deltasKept = 2 }
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
    let newcomer = try ShardDeskHolder.leading()
    for name in ["a", "b"] { try newcomer.setMerchant(name) }
    try newcomer.log(.spread) { $0.append(UInt32(1)) }
    newcomer.desk.spreadCatalogue()
    #expect(newcomer.shard?.quarantined?.contains("no longer kept") == true)
  }

  // MARK: Operations

  @Test func aDrainThatHasFailedLetsTheNodeLeadAgain() throws {
    let holder = try ShardDeskHolder.leading()
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
    let holder = try ShardDeskHolder.leading()
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
    let holder = try ShardDeskHolder.leading()
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

  // MARK: Entries at which the process died

  private static func death(_ index: UInt64, count: UInt32) -> [ShardID: ApplyingNote.Death] {
    [PartWorld.one: .init(index: LogIndex(index), term: Term(1), place: 0, count: count)]
  }
  private static var foundWithMore: [RecoveredReplica] {
    [found(PartWorld.one, founding.entries)]
  }

  @Test func anEntryOfWhichProcessesDiedIsNotAppliedUntilItIsToBeTriedAgain() throws {
    let holder = ShardDeskHolder(found: ShardDeskTests.foundWithMore, deaths: ShardDeskTests.death(2, count: 2))
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
    let holder = ShardDeskHolder(found: ShardDeskTests.foundWithMore, deaths: ShardDeskTests.death(2, count: 1))
    holder.follow()
    #expect(holder.shard?.poison == nil && holder.shard?.halt.suspect == LogIndex(2))
    #expect(holder.world.logged(.warning).first?.contains("it is tried again") == true)
  }

  @Test func anEntryThatIsInASnapshotIsNoSuspect() {
    let holder = ShardDeskHolder(deaths: ShardDeskTests.death(2, count: 2))
    holder.follow()
    var found = ShardDeskTests.found(PartWorld.one, [])
    (found.snapshotIndex, found.snapshotTerm) = (LogIndex(2), Term(1))
    found.configuration = Configuration(founders: [PartWorld.me])
    holder.desk.start(found, machine: LedgerMachine(Ledger(shard: PartWorld.one), lastIndex: LogIndex(2)))
    #expect(holder.shard != nil && holder.shard?.poison == nil && holder.shard?.halt.suspect == nil)
  }

  @Test func anEntryOfWhichProcessesDiedIsNotTriedByTheReplicaThatComesAfter() throws {
    let memory = PrivateMemory(byteCount: ApplyingNote.byteCount)
    for _ in 1...2 {
      let note = ApplyingNote(memory)
      _ = try note.takeDeaths(build: 1)
      note.begin(PartWorld.one, LogIndex(2), Term(1), place: 0)
      note.trap.pointee = 4
    }
    let note = ApplyingNote(memory)
    let deaths = try note.takeDeaths(build: 1)
    let holder = ShardDeskHolder(found: ShardDeskTests.foundWithMore, note: note, deaths: deaths)
    holder.follow()
    holder.desk.retire(try #require(holder.shard))
    _ = (holder.written(), holder.clearedAway())
    holder.desk.clearedAway(PartWorld.one, failure: nil)
    let successor = try #require(holder.desk.startNewcomer(PartWorld.one, for: holder.message(born: 5)))
    #expect(successor.poison?.index == LogIndex(2), "its log is that of the one before")
    #expect(try ApplyingNote(memory).takeDeaths(build: 1)[PartWorld.one]?.isPoison == true, "so it is after a start")
  }

  @Test func peersThatHaveTheAlarmTryAgainToo() throws {
    let holder = ShardDeskHolder()
    let peer = try #require(holder.world.peers[NodeID(2)])
    #expect(!holder.desk.clearPoison(PartWorld.two))
    peer.condition.poisons = [PoisonedShard(shard: PartWorld.two, index: LogIndex(4), kind: "EARN")]
    #expect(holder.desk.clearPoison(PartWorld.two))
    #expect(try holder.world.said(to: 2).map(\.kind) == [.clearPoison] && holder.world.said(to: 3).isEmpty)
  }
}
