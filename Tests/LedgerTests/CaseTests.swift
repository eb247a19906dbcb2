import Testing

@testable import Ledger

/// What several cases about one purchase take.
struct CaseTests {
  /// A purchase of 200 points, and three cases about it: of 150 points, of the 50 that are left, and of nothing more.
  private func world(_ semantics: UInt8) throws -> (World, cases: [String]) {
    let world = try World.withCafe(members: ["ann"])
    world.semantics = semantics
    _ = try world.run("AS sue support 0")
    #expect(
      try world.run("EARN ann merchant=cafe points=200 id=e")
        == "+tx=#1 member=ann program=points points=200 balance=200")
    var cases: [String] = []
    for (id, points) in [("a", " points=150"), ("b", ""), ("c", "")] {
      let answer = try world.run("CASE OPEN ann kind=return reason=back tx=#1 id=\(id)\(points)")
      let name = try #require(answer.split(separator: " ").first { $0.hasPrefix("+case=") })
      cases.append(String(name.dropFirst("+case=".count)))
    }
    _ = try world.run("AS bob approver 0")
    return (world, cases)
  }
  private func balance(_ world: World) throws -> String {
    try world.run("BALANCE ann").split(separator: " ").filter { $0.hasPrefix("balance=") || $0.hasPrefix("held=") }
      .joined(separator: " ")
  }

  @Test func anApprovedCaseTakesNothingOnWhichOthersAreToDecide() throws {
    let (world, cases) = try world(Semantics.settled)
    #expect(try balance(world) == "balance=200 held=200")
    #expect(try world.run("CASE APPROVE \(cases[2]) id=1") == "+case=\(cases[2]) state=approved")
    #expect(try balance(world) == "balance=200 held=200")
    #expect(try world.run("CASE APPROVE \(cases[1]) id=2").contains("state=approved tx="))
    #expect(try balance(world) == "balance=150 held=150")
    #expect(try world.run("CASE REJECT \(cases[0]) id=3") == "+case=\(cases[0]) state=rejected")
    #expect(try balance(world) == "balance=150 held=0")
    // What nobody is to decide on any more is returned by whom it concerns.
    #expect(try world.run("REFUND #1 id=4").contains(" points=-150 "))
    #expect(try world.run("CHECK") == "ok")
  }
  /// The last of them takes what is left, whatever it was opened with.
  @Test func aCaseThatHeldNothingTakesWhatOthersHaveLeft() throws {
    let (world, cases) = try world(Semantics.settled)
    #expect(try world.run("CASE REJECT \(cases[0]) id=1").hasSuffix("state=rejected"))
    #expect(try world.run("CASE APPROVE \(cases[1]) id=2").contains(" points=-50 "))
    #expect(try world.run("CASE APPROVE \(cases[2]) id=3").contains(" points=-150 "))
    #expect(try balance(world) == "balance=0 held=0" && world.run("CHECK") == "ok")
  }
  /// Logs of before go on as they began.
  @Test func beforeItTookAll() throws {
    let (world, cases) = try world(Semantics.checked)
    #expect(try world.run("CASE APPROVE \(cases[2]) id=1").contains(" points=-200 "))
  }
}
