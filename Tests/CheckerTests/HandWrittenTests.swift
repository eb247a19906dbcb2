import Checker
import Testing

/// Small histories that a person can judge.
@Suite struct HandWrittenTests {
  private func report(_ lines: String) throws -> CheckReport {
    LinearizabilityChecker.check(try History(parsing: Array("tallystick-history 1\n\(lines)".utf8)).operations)
  }

  /// Herlihy and Wing 1990, figure 1, with an account for their queue: of two operations at once either may come first.
  @Test func operationsAtOnceMayTakeEitherOrder() throws {
    let first = """
      1 9 a earn ann points=5 id=1 result=ok balance=5
      2 8 b earn ann points=3 id=2 result=ok balance=8
      10 11 a balance ann result=ok balance=8
      """
    let second = """
      1 9 a earn ann points=5 id=1 result=ok balance=8
      2 8 b earn ann points=3 id=2 result=ok balance=3
      10 11 a balance ann result=ok balance=8
      """
    #expect(try report(first).isOK)
    #expect(try report(second).isOK)
  }

  /// Sequentially consistent, but not linearizable: a read after the answer does not see it.
  @Test func aReadThatBeganAfterTheAnswerSeesIt() throws {
    let report = try report(
      """
      1 2 a earn ann points=5 id=1 result=ok
      3 4 b balance ann result=ok balance=0
      """)
    #expect(report.violation?.member == "ann")
    #expect(report.violation?.excerpt.count == 2)
    #expect(report.violation?.reason.contains("balance 5") == true, "\(report.finding)")
  }

  /// Lowe 2017: once one reader has seen an operation that is under way, none that begins later may miss it.
  @Test func whatWasSeenOnceIsNotUnseen() throws {
    let reads = """
      1 20 a earn ann points=5 id=1 result=ok
      2 3 b balance ann result=ok balance=5
      4 5 c balance ann result=ok balance=
      """
    #expect(try report(reads + "5").isOK)
    #expect(try report(reads + "0").violation != nil)
  }

  @Test func anUnknownOperationMayTakeEffectAtAnyTimeOrNever() throws {
    let history = """
      1 2 a earn ann points=5 id=1 result=ok balance=5
      3 - a redeem ann points=2 id=2
      4 5 b balance ann result=ok balance=5
      60 61 b balance ann result=ok balance=
      """
    #expect(try report(history + "3").isOK)
    #expect(try report(history + "5").isOK)
    #expect(try report(history + "3\n62 63 b balance ann result=ok balance=5").violation != nil)
    #expect(try report(history + "1").violation != nil)
  }

  @Test func aRefusalSaysThatPointsWereMissing() throws {
    let history = "1 2 a earn ann points=5 id=1 result=ok\n3 4 a redeem ann points="
    #expect(try report(history + "6 id=2 result=refused").isOK)
    #expect(try report(history + "5 id=2 result=refused").violation != nil)
    #expect(try report(history + "5 id=2 result=refused code=FROZEN").isOK)
  }

  @Test func aHoldIsClosedOnce() throws {
    let hold = """
      1 2 a earn ann points=10 id=1 result=ok balance=10
      3 4 a hold ann points=6 id=2 expires=100 result=ok balance=10 available=4
      5 6 a capture ann points=4 id=3 hold=2 result=ok balance=6 available=6

      """
    #expect(try report(hold + "7 8 a release ann id=4 hold=2 result=refused").isOK)
    #expect(try report(hold + "7 8 a release ann points=6 id=4 hold=2 result=ok").violation != nil)
    #expect(try report("1 2 a capture ann points=1 id=1 hold=0 result=ok").violation?.reason.contains("hold") == true)
  }

  @Test func aHoldLapsesNoSoonerThanItMay() throws {
    let hold = """
      1 2 a earn ann points=10 id=1 result=ok
      3 4 a hold ann points=6 id=2 expires=100 result=ok
      """
    #expect(try report(hold + "\n120 121 a balance ann result=ok balance=10 held=0").isOK)
    #expect(try report(hold + "\n120 121 a balance ann result=ok balance=10 held=6").isOK)
    #expect(try report(hold + "\n98 99 a balance ann result=ok balance=10 held=0").violation != nil)
    let never = hold.replacing(" expires=100", with: "")
    #expect(try report(never + "\n120 121 a balance ann result=ok balance=10 held=0").violation != nil)
  }

  @Test func aLocalReadMayBeAsOldAsItSays() throws {
    let history = """
      1 2 a earn ann points=5 id=1 result=ok
      10 11 a earn ann points=5 id=2 result=ok
      """
    #expect(try report(history + "\n20 21 b balance ann result=ok balance=5 local=5").isOK)
    #expect(try report(history + "\n20 21 b balance ann result=ok balance=5 local=12").violation != nil)
    #expect(try report(history + "\n20 21 b balance ann result=ok balance=5").violation != nil)
  }

  @Test func aTransferIsADebitAndACredit() throws {
    let history = """
      1 2 a earn ann points=5 id=1 result=ok
      3 4 a transfer ann points=5 id=2 to=bob result=ok balance=0
      5 6 a balance ann result=ok balance=0
      """
    #expect(try report(history + "\n5 6 b balance bob result=ok balance=5").isOK)
    #expect(try report(history + "\n5 6 b balance bob result=ok balance=0").violation?.member == "bob")
    #expect(
      try report(
        history.replacing("3 4 a transfer", with: "3 - a transfer").replacing(" result=ok balance=0\n", with: "\n")
          + "\n5 6 b balance bob result=ok balance=0"
      ).violation?.reason.contains("never credited bob") == true)
  }

  @Test func aTransferThatTheRecipientRefusedWasAwayForAWhile() throws {
    let history = """
      10 20 a earn ann points=50 id=e result=ok balance=50
      30 90 b transfer ann points=20 id=t to=bob result=refused code=FROZEN

      """
    let away = "40 50 c balance ann result=ok balance=30 held=0"
    let there = "60 70 c balance ann result=ok balance=50 held=0"
    for lines in [away, there, away + "\n" + there] { #expect(try report(history + lines).isOK, "\(lines)") }
    let wrong = [
      "95 99 c balance ann result=ok balance=30 held=0", "40 50 c balance ann result=ok balance=70 held=0",
      "40 50 c balance bob result=ok balance=20 held=0",
      away + "\n" + there + "\n75 80 d balance ann result=ok balance=30",
    ]
    for lines in wrong { #expect(try report(history + lines).violation != nil, "\(lines)") }
  }

  @Test func aTransferInDoubtIsWholeAtTheEnd() throws {
    let history = """
      1 2 a earn ann points=5 id=1 result=ok
      3 - a transfer ann points=5 id=2 to=bob
      8 9 a balance ann result=ok balance=
      """
    let bob = "\n8 9 b balance bob result=ok balance="
    #expect(try report(history + "0" + bob + "5").isOK)
    #expect(try report(history + "5" + bob + "0").isOK)
    #expect(try report(history + "0" + bob + "0").violation?.member == "bob")
    #expect(try report(history + "5" + bob + "5").violation?.member == "ann")
    let halted = try History(parsing: Array("tallystick-history 1\n\(history)0\(bob)0\n".utf8)).operations
    #expect(LinearizabilityChecker.check(halted, isQuiescent: false).isOK)
    // Without a final read it may still be on its way.
    #expect(try report(history + "0").isOK)
  }

  // MARK: The largest balance

  private static let most: Int64 = 1_000_000_000_000_000_000

  /// A purchase is refused for want of room only where there is none, whoever took it.
  @Test func aPurchaseIsRefusedWhereThereIsNoRoom() throws {
    let full = "1 2 a earn ann points=1000000000000000 id=1 result=ok balance=\(Self.most - 5)\n"
    let before = "0 0 z balance ann result=ok balance=\(Self.most - 5 - 1_000_000_000_000_000)\n"
    func refused(_ points: Int, _ more: String = "") throws -> CheckReport {
      let earns = (0..<999).map { i in
        "0 0 f\(i) earn ann points=1000000000000000 id=f\(i) result=ok balance=\((i + 1) * 1_000_000_000_000_000)\n"
      }
      let less = "0 0 g redeem ann points=5 id=g result=ok balance=\(Self.most - 5 - 1_000_000_000_000_000)\n"
      return try report(
        earns.joined() + less + before + full + more + "5 6 b earn ann points=\(points) id=2 result=refused code=LIMIT")
    }
    #expect(try refused(6).isOK)
    #expect(try refused(1_000_000_000_000_000).isOK)
    let found = try refused(5)
    #expect(found.violation?.reason.contains("there was room for 5 points") == true, "\(found.finding)")
    // One that may have taken effect meanwhile explains it.
    #expect(try refused(5, "3 - c earn ann points=3 id=3\n").isOK)
    // Or points that are on their way to another.
    #expect(try refused(5, "3 - c transfer ann to=bob points=3 id=3\n").isOK)
    #expect(try refused(5, "3 4 c transfer ann to=bob points=3 id=3 result=ok\n").violation != nil)
    #expect(try refused(5, "3 - c redeem ann points=3 id=3\n").violation != nil)
  }

  @Test func noAccountHasMoreThanTheLargestBalance() throws {
    let earns = (0..<1000).map { i in
      "\(2 * i) \(2 * i + 1) a earn ann points=1000000000000000 id=\(i) result=ok balance=\((i + 1) * 1_000_000_000_000_000)\n"
    }
    #expect(try report(earns.joined()).isOK)
    let found = try report(earns.joined() + "5000 5001 a earn ann points=1 id=x result=ok balance=\(Self.most + 1)")
    #expect(found.violation?.reason.contains("no account may have so much") == true, "\(found.finding)")
  }
}
