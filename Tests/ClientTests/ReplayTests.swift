import Foundation
import Testing

@testable import Client

@Suite struct ReplayTests {
  private static let csv = """
    customer,date,units,cents
    00001,1997-01-01,1,1177
    00001,1998-06-30,5,99
    00002,1997-01-12,1,0
    00003,1997-02-28,2,250000
    """

  @Test(arguments: ["1970-01-01", "1969-12-31", "1997-02-28", "2000-02-29", "1900-03-01", "2026-11-21", "9999-12-31"])
  func aDaySurvivesBeingCountedAndWrittenAgain(text: String) throws {
    #expect(try #require(Day(text)).description == text)
  }

  @Test func daysFollowOneAnotherOverEightHundredYears() throws {
    let start = try #require(Day("1600-01-01")).number
    var previous = Day(number: start - 1).description
    for number in start..<(start + 292_194) {
      let text = Day(number: number).description
      guard text > previous, Day(text)?.number == number else {
        Issue.record("day \(number) is \(text), after \(previous)")
        return
      }
      previous = text
    }
    #expect(previous == "2399-12-31")
  }

  @Test(arguments: ["1997-02-29", "1997-13-01", "1997-1-1", "yesterday", "1997-01-01T00:00:00Z", ""])
  func whatIsNoDayIsRefused(text: String) {
    #expect(Day(text) == nil)
  }

  @Test func purchasesAreReadByTheNamesOfTheirColumns() throws {
    let purchases = try Purchases(text: Self.csv, path: "x.csv")
    #expect(purchases.customers == ["00001", "00002", "00003"])
    #expect(purchases.all.map(\.cents) == [1177, 99, 0, 250_000])
    #expect(purchases.all.map(\.customer) == [0, 0, 1, 2])
    #expect(purchases.lastDay.description == "1998-06-30")
    let swapped = try Purchases(text: "cents,customer,date\r\n5,a,1999-01-01\r\n", path: "x.csv")
    #expect(swapped.all == [Purchases.Purchase(customer: 0, day: swapped.lastDay, cents: 5)])
  }

  @Test(
    arguments: [
      "", "customer,date\n1,1999-01-01", "customer,date,cents\n1,1999-01-01,x", "customer,date,cents\n1,1999-99-01,5",
      "customer,date,cents\na b,1999-01-01,5", "customer,date,cents\n", "customer,date,cents\n1,1999-01-01,-5",
    ])
  func aFileThatIsNoListOfPurchasesIsRefused(text: String) {
    #expect(throws: ClientError.self) { try Purchases(text: text, path: "x.csv") }
  }

  @Test func theFileThatComesWithTheProductAddsUpToWhatItsPageSays() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("tools/data/cdnow.csv.gz").path
    let purchases = try Purchases(path: path)
    #expect(purchases.all.count == 69_659)
    #expect(purchases.customers.count == 23_570)
    #expect(purchases.all.reduce(0) { $0 + $1.cents } == 250_031_563)
  }

  private func replay(_ cluster: FakeCluster, last: String? = nil, halfway: String? = nil) throws -> Replay.Summary {
    var options = Replay.Options(endpoints: try Endpoint.list(cluster.addresses))
    options.clientCount = 6
    options.pipelineDepth = 4
    options.lastDay = last.flatMap { Day($0) }
    options.halfway = halfway
    let target = try Target(try Flags(["--to", cluster.addresses], accepting: [.to, .timeout]))
    var csv = Self.csv
    for i in 0..<200 { csv += "\n\(10_000 + i % 50),1997-03-0\(1 + i % 9),1,\(i * 7)" }
    var replay = try Replay(options, target: target, purchases: try Purchases(text: csv, path: "x.csv"))
    return try replay.run(quiet: true)
  }

  @Test func postingAFileTwiceMovesItsPointsOnce() throws {
    let cluster = try FakeCluster()
    let first = try replay(cluster)
    #expect(first.accepted == 204)
    #expect(first.repeated == 0)
    #expect(first.points == first.expectedPoints)
    #expect(cluster.totalPoints == Int(first.points))
    #expect(first.balanceSum == first.points)
    #expect(first.top.first?.member == "c00003")
    #expect(first.top.first?.points == 2500)
    #expect(first.regions.map(\.region) == ["east", "north", "west"])
    #expect(first.regions.allSatisfy { $0.purchases == 68 })
    let second = try replay(cluster)
    #expect(second.accepted == 204)
    #expect(second.repeated == 204)
    #expect(second.points == first.points)
    #expect(cluster.totalPoints == Int(first.points))
  }

  @Test func postingAgainOnALaterDayKeepsTheDaysOfTheFirstPosting() throws {
    let cluster = try FakeCluster()
    // As if the first posting had been long ago: the title remembers its last day, which no flag repeats.
    let first = try replay(cluster, last: "2020-05-05")
    let second = try replay(cluster)
    #expect(second.lastDay == first.lastDay)
    #expect(second.refused.total == 0)
    #expect(second.repeated == 204)
  }

  @Test func connectionsThatDropDoubleNothing() throws {
    let cluster = try FakeCluster()
    cluster.faults.dropAfter = 30
    let summary = try replay(cluster)
    #expect(summary.accepted == 204)
    #expect(summary.connectionsLost > 0)
    #expect(cluster.totalPoints == Int(summary.points))
    #expect(summary.points == summary.expectedPoints)
  }

  @Test func theErrandForHalfwayRunsBeforeTheSummary() throws {
    let mark = FileManager.default.temporaryDirectory.appendingPathComponent("tally-halfway-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: mark) }
    _ = try replay(try FakeCluster(), halfway: "touch '\(mark)'")
    #expect(FileManager.default.fileExists(atPath: mark))
  }

  @Test func theIntegerBehindAKeyIsThatOfTheWholeKey() {
    func read(_ text: String) -> Int64? { Array(text.utf8).withUnsafeBytes { Replay.integer("points=", in: $0) } }
    #expect(read("tx=1-2 xpoints=5 points=-12 balance=3") == -12)
    #expect(read("points=7") == 7)
    #expect(read("points=") == nil)
    #expect(read("balance=7") == nil)
  }
}
