import Testing

@testable import Client

@Suite struct LoadTests {
  @Test func aPercentileIsNeverTooLowAndAtMostTwoInAHundredTooHigh() {
    var histogram = Histogram()
    for value in 1...100_000 { histogram.record(UInt64(value)) }
    for (percent, exact) in [(50.0, 50_000.0), (90, 90_000), (99, 99_000), (99.9, 99_900)] {
      let found = Double(histogram.percentile(percent))
      #expect(found >= exact && found <= exact * 1.02, "p\(percent) is \(found)")
    }
    #expect(histogram.percentile(100) == 100_000)
    #expect(histogram.maximum == 100_000)
    #expect(histogram.count == 100_000)
  }

  @Test func everyValueLiesWithinTheBoundsOfItsCell() {
    for shift in 0..<63 {
      for offset in [-1, 0, 1] {
        let value = UInt64(max(0, (1 << shift) + offset))
        let cell = Histogram.cell(of: value)
        #expect(Histogram.upperBound(of: cell) >= value)
        if cell > 0 { #expect(Histogram.upperBound(of: cell - 1) < value) }
      }
    }
  }

  @Test func mergingTwoHistogramsIsRecordingIntoOne() {
    var (a, b, both) = (Histogram(), Histogram(), Histogram())
    for value in 1...1000 as ClosedRange<UInt64> {
      if value % 3 == 0 { a.record(value * value) } else { b.record(value * value) }
      both.record(value * value)
    }
    a.merge(b)
    #expect(a.percentile(50) == both.percentile(50))
    #expect(a.count == both.count && a.maximum == both.maximum)
  }

  private func stamped(_ line: String, asArray: Bool) -> String {
    let table = TemplateTable([RequestTemplate(line, asArray: asArray, runID: "run00001")])
    let channelLess = TemplateTable.Filling(member: 42, recipient: 7, spend: 1234, counter: 99)
    return table.text(0, channelLess)
  }

  @Test func aTemplateIsStampedWithItsNumbersAsALineAndAsAnArray() {
    let line = "EARN {member} merchant=m spend={spend} id={id}"
    #expect(stamped(line, asArray: false) == "EARN m00000042 merchant=m spend=1234 id=run00001-0000000099\r\n")
    #expect(
      stamped("TRANSFER {member} {recipient} id={id}", asArray: true)
        == "*4\r\n$8\r\nTRANSFER\r\n$9\r\nm00000042\r\n$9\r\nm00000007\r\n$22\r\nid=run00001-0000000099\r\n")
    #expect(stamped("ECHO {other}", asArray: false) == "ECHO {other}\r\n")
  }

  @Test func aMixAddsUpToAHundredOrIsRefused() throws {
    #expect(try LoadPlan.parseMix("earn").count == 1)
    #expect(try LoadPlan.parseMix("mixed").map(\.percent) == [80, 15, 5])
    #expect(try LoadPlan.parseMix("earn=50,transfer=50").map(\.kind) == [.earn, .transfer])
    for text in ["earn=50", "steal", "earn=x", "line", "earn=60,redeem=60"] {
      #expect(throws: ClientError.self, "\(text)") { try LoadPlan.parseMix(text) }
    }
  }

  @Test(arguments: [0.0, 0.5, 0.99, 1])
  func pickedMembersAreInRangeAndTheHotOnesAreHotterWithMoreSkew(skew: Double) {
    let picker = MemberPicker(count: 1000, skew: skew)
    var counts = [Int](repeating: 0, count: 1000)
    for i in 0..<100_000 {
      counts[Int(picker.pick(UInt64(i) &* 2_654_435_761 & 0xFFFF_FFFF))] += 1
    }
    let top = counts.sorted(by: >).prefix(10).reduce(0, +)
    switch skew {
    case 0: #expect(top < 2_000)
    case 0.5: #expect(top > 4_000 && top < 20_000)
    default: #expect(top > 25_000)
    }
  }

  @Test func aClosedLoopSendsExactlyWhatWasAskedAndCountsEveryReply() throws {
    let cluster = try FakeCluster()
    for i in 0..<50 { _ = cluster.answer("MEMBER ADD \(RequestTemplate.memberName(i))") }
    var plan = LoadPlan(endpoints: try Endpoint.list(cluster.addresses))
    plan.clientCount = 6
    plan.pipelineDepth = 7
    plan.threadCount = 2
    plan.requestCount = 1_001
    plan.memberCount = 50
    plan.mix = [(.earn, 60), (.balance, 40)]
    let result = try LoadGenerator(plan: plan).run()
    #expect(result.sent == 1_001)
    #expect(result.answered == 1_001)
    #expect(result.errors.total == 0)
    let earned = result.histograms[LoadPlan.Kind.earn.rawValue].count
    #expect(earned + result.histograms[LoadPlan.Kind.balance.rawValue].count == 1_001)
    // No request id came twice, else fewer would have been posted.
    #expect(cluster.transactionCount == Int(earned))
    #expect(cluster.nodes.allSatisfy { $0.requestCount > 100 })
  }

  @Test func errorsAreCountedByCode() throws {
    let cluster = try FakeCluster()
    cluster.faults.errorEvery = 10
    for i in 0..<10 { _ = cluster.answer("MEMBER ADD \(RequestTemplate.memberName(i))") }
    var plan = LoadPlan(endpoints: try Endpoint.list(cluster.addresses))
    plan.clientCount = 3
    plan.pipelineDepth = 10
    plan.requestCount = 500
    plan.memberCount = 20
    let result = try LoadGenerator(plan: plan).run()
    let errors = Dictionary(uniqueKeysWithValues: result.errors.byCode.map { ($0.code, $0.count) })
    #expect(errors["BUSY"] == 50)
    #expect((errors["NOTFOUND"] ?? 0) > 100)
    #expect(result.answered == 500)
  }

  @Test func anOpenLoopCountsTheTimeFromWhenARequestWasDue() throws {
    // A thread of its own answers; at 1,000 a second the last of 200 is due after 199 ms, whatever the replies do.
    let cluster = try FakeCluster(nodeCount: 1)
    var plan = LoadPlan(endpoints: try Endpoint.list(cluster.addresses))
    plan.clientCount = 2
    plan.pipelineDepth = 4
    plan.requestCount = 200
    plan.rate = 1_000
    plan.mix = [(.balance, 100)]
    let result = try LoadGenerator(plan: plan).run()
    #expect(result.answered == 200)
    #expect(result.nanoseconds >= 199_000_000)
  }
}
