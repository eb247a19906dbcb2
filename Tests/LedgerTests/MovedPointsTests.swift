import Testing

@testable import Ledger

@Suite struct MovedPointsTests {
  @Test func eachMovementCountsByItsKindUntilItIsTaken() throws {
    let world = World(shards: 1)
    for line in [
      "PROGRAM SET g earn=1/1", "MERCHANT SET s program=g", "MEMBER ADD ann", "MEMBER ADD bob",
      "EARN ann merchant=s points=50 id=a", "EARN ann merchant=s points=7 id=b", "REDEEM ann merchant=s points=20 id=c",
      "REDEEM ann merchant=s points=900 id=d", "HOLD ann merchant=s points=5 id=e",
      // A repeat moves nothing.
      "EARN ann merchant=s points=7 id=b",
    ] { _ = try world.run(line) }
    let taken = world.shards[0].ledger.takeMoved()
    let moved = try #require(taken)
    let sums = moved.byKind.filter { $0.points > 0 }.map { "\($0.kind) \($0.points)" }
    #expect(sums == ["earn 57", "redeem 20", "hold 5"])
    let rest = world.shards[0].ledger.takeMoved()
    #expect(rest == nil)
    var both = moved
    both.add(moved)
    #expect(both.byKind.first { "\($0.kind)" == "earn" }?.points == 114)
  }
}
