import Checker
import Testing

@Suite struct HistoryTests {
  @Test func anOperationBeginsUnanswered() {
    #expect(Operation(.earn, member: "ann", client: "c1", begin: 5).result == .unknown)
  }
}
