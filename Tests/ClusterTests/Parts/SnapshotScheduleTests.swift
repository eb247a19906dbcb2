import Base
import Ledger
import Raft
import Testing

@testable import Cluster

/// When a replica's next snapshot is due.
@Suite struct SnapshotScheduleTests {
  private var schedule = SnapshotSchedule()

  private func claim(now: UInt64 = 100, isReplaying: Bool = false) -> SnapshotSchedule.Claim {
    schedule.claim(now: now, logLimit: 1_000, isReplaying: isReplaying)
  }

  @Test mutating func whatWasAppliedSinceTheLastCountsWithTheHeadStartOfTheFirst() {
    schedule = SnapshotSchedule(headStart: 5)
    #expect(claim() == .none && schedule.weight == 5, "nothing is behind it")
    schedule.applied(commands: 3)
    #expect(claim() == .behind(8) && claim(isReplaying: true) == .none)
    schedule.begin(of: DirectoryMachine())
    #expect(claim() == .none && schedule.weight == 0)
    schedule.applied(commands: 2)
    #expect(claim() == .behind(2) && schedule.commands == 2)
  }

  @Test mutating func oneIsDueForItsAgeIfAnythingHasChanged() {
    schedule = SnapshotSchedule(wholeDue: 1_000)
    #expect(claim(now: 1_000) == .none, "there is nothing to be old")
    schedule.applied(commands: 1)
    #expect(claim(now: 999) == .behind(1) && !schedule.isToBeWhole(now: 999))
    #expect(claim(now: 1_000) == .next && schedule.isToBeWhole(now: 1_000))
    #expect(claim(now: 1_000, isReplaying: true) == .none)
    schedule.begin(of: DirectoryMachine())
    schedule.beganForAge(nextDue: 2_000)
    #expect(schedule.endsTail && claim(now: 5_000) == .none, "nothing was applied since")
    _ = schedule.end()
    #expect(!schedule.endsTail)
    schedule.logged(bytes: 1)
    #expect(claim(now: 1_999) == .none && claim(now: 2_000) == .next)
    // One that came to nothing, or left some of the log, is soon due again.
    schedule.begin(of: DirectoryMachine())
    schedule.beganForAge(nextDue: 9_000)
    schedule.wasInVain(nextDue: 3_000)
    #expect(claim(now: 2_999) == .none && claim(now: 3_000) == .next)
    // What was found at a start may build on older ones.
    #expect(SnapshotSchedule(wholeDue: 10, isRestored: true).isAged(now: 10))
  }

  @Test mutating func aLogThatIsTooLongMakesItTheNext() {
    schedule.logged(bytes: 999)
    #expect(claim() == .none)
    schedule.logged(bytes: 1)
    #expect(claim() == .next && claim(isReplaying: true) == .none)
    schedule.replaced()
    #expect(claim() == .none && schedule.logBytes == 0)
  }

  @Test mutating func somebodyWhoWaitsNeedsNoReason() {
    schedule.want()
    #expect(claim() == .next && claim(isReplaying: true) == .next)
    schedule.begin(of: DirectoryMachine())
    #expect(claim() == .none && !schedule.isWanted)
  }

  @Test mutating func forAPeerAllAreWholeForSomeTime() {
    schedule.wantWhole(until: 200)
    #expect(claim() == .next && schedule.isToBeWhole(now: 199) && !schedule.isToBeWhole(now: 200))
    schedule.begin(of: DirectoryMachine())
    #expect(schedule.isToBeWhole(now: 199), "it may ask for another")
    schedule.offered()
    #expect(!schedule.isToBeWhole(now: 199))
  }

  @Test mutating func oneThatFailedIsTriedAgainAfterAWhileUntilItDoesNot() {
    schedule.failed(retryAt: 150)
    schedule.want()
    #expect(claim(now: 149) == .none && !schedule.mayBegin(now: 149) && claim(now: 150) == .next)
    schedule.begin(of: DirectoryMachine())
    #expect(claim(now: 150) == .next && schedule.isOwed, "it is not written yet")
    schedule.succeeded()
    #expect(claim(now: 150) == .none && !schedule.isOwed)
  }

  @Test mutating func theMachineThatIsBeingWrittenIsGivenBackOnce() {
    let machine = DirectoryMachine()
    #expect(!schedule.isRunning && schedule.end() == nil)
    schedule.begin(of: machine)
    #expect(schedule.isRunning)
    #expect(schedule.end() as AnyObject === machine)
    #expect(!schedule.isRunning && schedule.end() == nil)
  }
}

/// Whose turn it is to take one.
@Suite struct SnapshotDeskTests {
  /// A voter that has as much to apply may: it has been here all the time, and what it touches is warm.
  @Test(arguments: [false, true]) func aNewcomerTakesNoneBeforeItHasCaughtUp(isVoter: Bool) throws {
    let world = PartWorld()
    var configuration = NodeConfiguration(
      name: "n1", region: "r1", clientAddress: "n1:1", peerAddress: "n1:2", join: [])
    configuration.snapshotCommands = 100
    let desk = SnapshotDesk(
      turn: world.turn, membership: world.membership, peers: world.peers, replicas: world.replicas,
      disk: DiskDesk(turn: world.turn, configuration: configuration), configuration: configuration)
    let founders = (isVoter ? [1, 2, 3] : [4, 5, 6]).map { NodeID($0) }
    let raft = try RaftGroup(
      node: NodeID(1), options: RaftOptions(), seed: 1, hardState: HardState(born: 1), snapshotIndex: LogIndex(0),
      snapshotTerm: Term(0), configuration: Configuration(founders: founders), entries: [])
    let replica = Replica(
      shard: PartWorld.one, machine: LedgerMachine(Ledger(shard: PartWorld.one), lastIndex: LogIndex(0)), raft: raft)
    world.replicas.add(replica)
    var committed = [LogEntry(index: LogIndex(1), term: Term(1), payload: [])]
    replica.applying.backlog.add(&committed)
    replica.snapshots.applied(commands: 200)
    var begun = 0
    desk.takeNext { _ in begun += 1 }
    #expect(begun == (isVoter ? 1 : 0))
    replica.applying.drop()
    desk.takeNext { _ in begun += 1 }
    #expect(begun == (isVoter ? 2 : 1))
  }
}
