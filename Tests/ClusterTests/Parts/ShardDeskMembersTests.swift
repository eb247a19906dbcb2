import Base
import CommandSupport
import Ledger
import Raft
import Storage
import Testing

@testable import Cluster

/// How a desk changes the members of the groups that are led here, and who leaves, without the node.
@Suite struct ShardDeskMembersTests {
  /// An order of a version that the group has left does nothing, however late it is read.
  @Test func anOrderIsDoneFromTheVersionThatItExpects() throws {
    let holder = try ShardDeskHolder.leading()
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

  /// Of a group that goes on from one replica the others that are left vote again.
  @Test func aMemberThatIsKeptVotesAgainOnceItHasWhatTheSurvivorHas() throws {
    let holder = try ShardDeskHolder.leading()
    let replica = try #require(holder.shard)
    _ = try replica.raft.propose(voters: [PartWorld.me], learners: [NodeID(2)], ifVersion: 1)
    holder.world.quiesce(replica)
    let recovery = UnsafeRecovery(
      lost: [NodeID(3)], rows: [.init(shard: PartWorld.one, survivor: PartWorld.me, version: 0, kept: [NodeID(2)])])
    try holder.log(.beginOperation) {
      $0.append(UnsafeRecovery.number)
      $0.append(counted: "operator")
      $0.append(counted: OperationChild(recovery).params)
    }
    holder.beat()
    #expect(replica.raft.configuration.voters.map(\.node) == [PartWorld.me], "it has not caught up")
    let member = try #require(replica.raft.configuration.learners.first)
    for _ in 0..<3 {
      replica.step(
        Message(.appendReply, from: member, to: replica.raft.id, term: replica.raft.term, index: replica.raft.lastIndex)
      )
      holder.world.quiesce(replica)
    }
    holder.beat()
    #expect(replica.raft.configuration.voters.map(\.node) == [PartWorld.me, NodeID(2)])
  }

  @Test func whoIsAboutToLeaveIsNoHeir() throws {
    let holder = try ShardDeskHolder.leading(voters: [1, 2, 3])
    let world = holder.world
    let leadership = LeadershipDesk(
      turn: world.turn, membership: world.membership, peers: world.peers, replicas: world.replicas, slowWrite: 500_000)
    let replica = try #require(holder.shard)
    #expect(leadership.candidates(for: replica).map(\.id) == [NodeID(2), NodeID(3)])
    #expect(leadership.candidates(for: replica, leaving: NodeID(2)).map(\.id) == [NodeID(3)])
  }

  /// A joint configuration needs both majorities: who has lost what it acknowledged counts in neither.
  @Test func nobodyIsExchangedWhereAMajorityIsNotSound() throws {
    let holder = try ShardDeskHolder.leading(voters: [1, 2])
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
    func answers(_ holder: ShardDeskHolder, born: UInt64) throws -> Bool {
      let peer = try #require(holder.world.peers[NodeID(3)])
      peer.outbox.removeAll()
      var body = ByteBuffer()
      body.append(PartWorld.one.rawValue)
      body.append(born)
      var reader = ByteReader(body.bytes)
      try holder.desk.receive(.membershipAsked, &reader, of: peer)
      return !peer.outbox.isEmpty
    }
    let holder = try ShardDeskHolder.leading()
    let version = try #require(holder.shard).raft.configuration.version
    #expect(try answers(holder, born: version))
    #expect(try !answers(holder, born: version + 1), "it may have been added since")
    holder.shard?.stepDown()
    #expect(try !answers(holder, born: version))
    // One that has just been elected may have a later configuration in its log that is in force.
    let fresh = try ShardDeskHolder.leading(voters: [1, 2])
    let replica = try #require(fresh.shard)
    #expect(try !answers(fresh, born: 1))
    replica.step(
      Message(
        .appendReply, from: ReplicaID(node: NodeID(2), born: 1), to: replica.raft.id, term: replica.raft.term,
        index: replica.raft.lastIndex))
    fresh.world.quiesce(replica)
    #expect(try answers(fresh, born: 1))
    // And one that is a member is told nothing.
    let three = try ShardDeskHolder.leading(voters: [1, 2, 3])
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
    let holder = ShardDeskHolder()
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
}
