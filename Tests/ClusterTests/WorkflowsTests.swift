import Base
import Testing

@testable import Cluster

/// What waits inside a node, without the node.
@Suite struct WorkflowsTests {
  private static let owner = EdgeItem.Owner(client: 1, generation: 2, slot: 3)
  private var workflows = Workflows()

  private static func record(_ members: Int64) -> [UInt8] {
    var writer = ReplyWriter(capacity: 64)
    writer.record()
    writer.field(.members, members)
    return writer.buffer.array
  }
  private static func refusal(_ code: ErrorCode) -> [UInt8] {
    var writer = ReplyWriter(capacity: 64)
    writer.error(code, "no")
    return writer.buffer.array
  }
  private mutating func answer(
    _ number: UInt64, _ shard: UInt32, _ attempt: Int, _ reply: [UInt8], isThere: Bool = true, now: UInt64 = 0
  ) -> Workflows.AuditOutcome? {
    reply.withUnsafeBytes {
      workflows.auditAnswered(number, ShardID(shard), attempt, $0, isThere: isThere, now: now)?.outcome
    }
  }

  @Test mutating func aStepIsTakenOnce() {
    let number = workflows.keep(.catalogue(Self.owner))
    #expect(number != 0 && workflows.step(number) != nil)
    #expect(workflows.keep(.catalogue(Self.owner)) != number)
    #expect(workflows.take(number) != nil && workflows.take(number) == nil && workflows.step(number) == nil)
    #expect(workflows.take(0) == nil)
  }

  // MARK: Audits

  @Test mutating func anAuditIsCompleteWithAllShardsInTheirOrder() {
    let number = workflows.beginAudit(Self.owner)
    #expect(workflows.attemptAudit(number, of: 2) == 1)
    #expect(answer(number, 2, 1, Self.record(5)) == .waits)
    #expect(answer(number, 1, 1, Self.record(4)) == .complete([Self.record(4), Self.record(5)]))
    #expect(workflows.audits.isEmpty && answer(number, 1, 1, Self.record(4)) == nil)
    #expect(workflows.attemptAudit(number, of: 2) == nil)
  }

  @Test mutating func aShardThatIsPastTheStampHasAllTriedAgain() {
    let number = workflows.beginAudit(Self.owner)
    _ = workflows.attemptAudit(number, of: 2)
    _ = answer(number, 1, 1, Self.record(4))
    #expect(answer(number, 2, 1, Self.refusal(.busy), now: 100) == .waits)
    #expect(workflows.dueAudits(now: 10_099).isEmpty && workflows.dueAudits(now: 10_100) == [number])
    #expect(workflows.attemptAudit(number, of: 2) == 2 && workflows.dueAudits(now: 20_000).isEmpty)
    // What is left of the first attempt counts no more.
    #expect(answer(number, 2, 1, Self.record(5)) == nil)
    #expect(answer(number, 1, 2, Self.record(4)) == .waits)
  }

  @Test mutating func aShardThatHasEndedIsNotWaitedFor() {
    let number = workflows.beginAudit(Self.owner)
    _ = workflows.attemptAudit(number, of: 2)
    #expect(answer(number, 2, 1, Self.refusal(.unavailable), isThere: false, now: 100) == .waits)
    #expect(workflows.dueAudits(now: 10_100) == [number])
    #expect(workflows.attemptAudit(number, of: 1) == 2)
    #expect(answer(number, 1, 2, Self.record(4)) == .complete([Self.record(4)]))
  }

  @Test mutating func anAuditIsNotTriedForEver() {
    let number = workflows.beginAudit(Self.owner)
    for attempt in 1..<Workflows.auditAttempts {
      #expect(workflows.attemptAudit(number, of: 2) == attempt)
      #expect(answer(number, 1, attempt, Self.refusal(.busy)) == .waits)
    }
    #expect(workflows.attemptAudit(number, of: 2) == Workflows.auditAttempts)
    #expect(answer(number, 1, Workflows.auditAttempts, Self.refusal(.busy)) == .failed)
    let other = workflows.beginAudit(Self.owner)
    _ = workflows.attemptAudit(other, of: 2)
    #expect(answer(other, 1, 1, Self.refusal(.unavailable)) == .failed && workflows.audits.isEmpty)
  }

  // MARK: Health and the catalogue

  @Test mutating func aHealthCheckIsOverWithItsLastAnswer() throws {
    let number = workflows.beginHealthCheck(Self.owner, of: 2, now: 7)
    #expect(workflows.healthAnswered(number, isCommitted: true) == nil)
    let checkFound = workflows.healthAnswered(number, isCommitted: false)
    let check = try #require(checkFound)
    #expect(check.committed == 1 && check.asked == 2 && check.started == 7)
    #expect(workflows.healthAnswered(number, isCommitted: true) == nil)
    let ofNobody = workflows.beginHealthCheck(Self.owner, of: 0, now: 7)
    #expect(workflows.healthAnswered(ofNobody, isCommitted: nil)?.asked == 0)
  }

  @Test mutating func aChangeIsWaitedForUntilAllShardsHaveItOrTheTimeIsOver() {
    workflows.wait(Self.owner, forVersion: 5, until: 100)
    workflows.wait(Self.owner, forVersion: 6, until: 200)
    func behind(_ versions: [UInt32]) -> (UInt32) -> [ShardID] {
      { wanted in versions.enumerated().filter { $0.element < wanted }.map { ShardID(UInt32($0.offset)) } }
    }
    #expect(workflows.endedWaits(now: 0, behind([5, 4])).isEmpty)
    #expect(workflows.endedWaits(now: 0, behind([5, 5])).map(\.behind) == [[]])
    #expect(workflows.endedWaits(now: 199, behind([5, 6])).isEmpty)
    #expect(workflows.endedWaits(now: 200, behind([5, 6])).map(\.behind) == [[ShardID(0)]])
    #expect(workflows.endedWaits(now: 300, behind([0])).isEmpty)
  }
}
