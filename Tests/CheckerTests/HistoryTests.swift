import Checker
import Testing

@Suite struct HistoryTests {
  private func error(_ text: String) -> HistoryError? {
    do throws(HistoryError) {
      _ = try History(parsing: Array(text.utf8))
      return nil
    } catch { return error }
  }

  @Test func anOperationBeginsUnanswered() {
    #expect(Operation(.earn, member: "ann", client: "c1", begin: 5).result == .inDoubt)
  }

  @Test func everyFieldIsKept() throws {
    let lines = [
      "1 2 c1 earn ann points=5 id=a result=ok balance=5",
      "3 - c1 hold ann points=5 id=b expires=90",
      "4 5 c2 capture ann points=3 id=c hold=b result=refused code=REVERSED",
      "6 7 c2 transfer ann points=3 id=d to=bob result=rejected",
      "8 9 c2 balance ann result=ok balance=5 held=-1 available=6 local=3",
    ]
    let history = try History(parsing: Array((["tallystick-history 1"] + lines).joined(separator: "\n").utf8))
    #expect(history.operations.map(\.line) == lines)
    #expect(history.operations[1].expires == 90)
  }

  @Test func aBadLineIsNamed() {
    #expect(error("")?.line == 1)
    #expect(error("tallystick-history 2\n")?.line == 1)
    #expect(error("tallystick-history 1\n") == nil)
    let bad = [
      "1 2 c1 earn", "1 2 c1 steal ann points=5 result=ok", "x 2 c1 earn ann points=5 result=ok",
      "2 1 c1 earn ann points=5 result=ok", "1 2 c1 earn ann result=ok", "1 2 c1 earn ann points=5",
      "1 - c1 earn ann points=5 result=ok", "1 2 c1 earn ann points=5 result=maybe",
      "1 2 c1 earn ann points=5 colour=red result=ok", "1 2 c1 earn ann points result=ok",
      "1 2  c1 earn ann points=5 result=ok", "1 2 c1 earn ann points=5 result=ok ",
      "1 2 c1 earn ann points=9999999999999999999 result=ok", "1 2 c1 capture ann result=ok",
      "1 2 c1 transfer ann points=1 result=ok", "1 2 c1 transfer ann points=1 to=ann result=ok", "",
      "1 2 c1 earn ann points=5 result=ok local=-4",
    ]
    for line in bad {
      let found = error("tallystick-history 1\n1 2 c1 balance ann result=ok\n\(line)\n")
      #expect(found?.line == 3, "'\(line)': \(found.map(\.description) ?? "taken")")
    }
  }
}
