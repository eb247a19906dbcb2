import Base
import Testing

@testable import Cluster

/// What an audit's records add up to.
@Suite struct AuditTotalsTests {
  private func totals(_ shards: [(sum: Int64, between: String?)], owed: String? = nil) -> AuditTotals {
    var totals = AuditTotals()
    for (sum, between) in shards {
      var reply = ReplyWriter()
      reply.record()
      reply.field(.members, .max)
      reply.field(.transactions, .max)
      reply.field(.sum, sum)
      if let between { reply.field(.between, between) }
      if let owed { reply.field(named: "owed", owed) }
      totals.add(RecordView(reply.buffer.bytes))
    }
    return totals
  }

  @Test func noSumWraps() {
    let wide = "9300000000000000000000"
    let sound = totals([(0, wide), (0, "-" + wide), (0, "0")])
    #expect(sound.isBalanced && sound.inTransit == 0 && sound.members == 3 * Int128(Int64.max))
    #expect(totals([(0, wide), (0, "-9299999999999999999995")]).inTransit == 5)
    #expect(!totals([(0, "-" + wide), (0, "9299999999999999999999")]).isBalanced)
    // Twice this is 0 in 64 bits.
    for sum in [Int64.max, .min, 1 << 62] {
      #expect(!totals([(sum, "0"), (sum, "0"), (sum, "0"), (sum, "0")]).isBalanced)
    }
  }

  /// Slots on their way may take members along who owe more than they have.
  @Test func lessThanNothingIsInTransitOnlyWhereWhoMovesOwesIt() {
    #expect(totals([(0, "-18")], owed: "18").isBalanced && totals([(0, "0")], owed: "18").isBalanced)
    #expect(!totals([(0, "-19")], owed: "18").isBalanced && !totals([(0, "-18")]).isBalanced)
    #expect(!totals([(0, "0")], owed: "-1").isBalanced && !totals([(0, "0")], owed: "x").isBalanced)
  }

  @Test func aRecordThatDoesNotSayIsNoBalance() {
    #expect(!totals([(0, "0"), (0, nil)]).isBalanced)
    #expect(!totals([(0, "x")]).isBalanced)
  }
}
