import Base
import Replies
import System

/// Posts a file of purchases as EARNs, each under an id that follows from its line, so that posting the file again
/// moves nothing; through all nodes at once, and through failures of any of them.
struct Replay {
  struct Options: Sendable {
    var endpoints: [Endpoint]
    var program = "cdnow"
    var memberPrefix = "c"
    /// One merchant each; empty: those of the cluster's nodes.
    var regions: [String] = []
    /// The day onto which the last purchase is shifted; `nil`: what the program's title remembers, else yesterday.
    var lastDay: Day?
    var clientCount = 24
    var pipelineDepth = 128
    var top = 10
    /// A shell command to run once half the purchases are posted.
    var halfway: String?
    /// Requests that are sent once program and merchants are there: rules, tiers, campaigns.
    var setUp: [String] = []
    /// Each purchase counts as of its posting.
    var isNow = false
    var patience = 120.0
  }
  struct RegionSum: Sendable {
    var region: String
    var merchant: String
    var purchases = 0
    var cents: Int64 = 0
    var points: Int64 = 0
  }
  struct Summary: Sendable {
    var purchases = 0
    var accepted = 0
    /// Of those accepted, how many had been posted before; `nil` where the audit did not tell.
    var repeated: Int?
    var refused = ErrorCounts()
    var retries = 0
    var connectionsLost = 0
    var seconds = 0.0
    var lastDay = Day(number: 0)
    var regions: [RegionSum] = []
    /// What the file adds up to at the program's rate; nil: rules decide.
    var expectedPoints: Int64?
    var members = 0
    var top: [(member: String, points: Int64)] = []
    var balanceSum: Int64?
    var books: Record?

    var points: Int64 { regions.reduce(0) { $0 + $1.points } }
    var perSecond: Double { seconds > 0 ? Double(accepted) / seconds : 0 }
  }

  private static let titlePrefix = "Purchases replayed, the last on "

  let options: Options
  let target: Target
  let purchases: Purchases
  private let courier: Courier
  private var merchants: [(region: String, name: String)] = []

  init(_ options: Options, target: Target, purchases: Purchases) throws(ClientError) {
    self.options = options
    self.target = target
    self.purchases = purchases
    courier = try Courier(
      Courier.Options(
        endpoints: options.endpoints, credentials: target.credentials, clientCount: options.clientCount,
        pipelineDepth: options.pipelineDepth,
        patience: options.patience))
  }

  /// Does it all: program, merchants, members, purchases, balances, audit.
  mutating func run(quiet: Bool) throws(ClientError) -> Summary {
    var summary = Summary()
    summary.lastDay = try setUp()
    try addMembers(quiet: quiet)
    let before = transactions()
    try post(into: &summary, quiet: quiet)
    try readBalances(into: &summary, quiet: quiet)
    summary.books = try retrying { () throws(ClientError) in try target.audit().total }
    if let before, let after = summary.books?.integer("transactions") {
      summary.repeated = max(0, summary.accepted - Int(max(0, after - before)))
    }
    summary.retries = courier.counters.retries
    summary.connectionsLost = courier.counters.connectionsLost
    return summary
  }

  // MARK: - Program, merchants, members

  /// Gives the day of the last purchase: pinned in the program's title by the first posting, since a later one with
  /// other dates would be other content under the same ids.
  private mutating func setUp() throws(ClientError) -> Day {
    let target = target
    let program = options.program
    let known = try retrying { () throws(ClientError) in try target.askPages("PROGRAM LIST", key: "program") }
      .first { $0["program"] == program }
    var day = options.lastDay ?? .yesterday
    if options.lastDay == nil, let title = known?["title"], title.hasPrefix(Replay.titlePrefix),
      let pinned = Day(title.dropFirst(Replay.titlePrefix.count))
    {
      day = pinned
    }
    let title = Words.quote(Replay.titlePrefix + day.description)
    try setProgram("PROGRAM SET \(program) kind=points title=\(title) earn=1/100 expire=never")
    var regions = options.regions
    if regions.isEmpty {
      let nodes = try retrying { () throws(ClientError) in try target.askRecords("CLUSTER NODES") }
      regions = Set(nodes.compactMap { $0["region"] }.filter { !$0.isEmpty }).sorted()
    }
    guard !regions.isEmpty else { throw .usage("the cluster names no region: give --regions") }
    merchants = regions.map { ($0, "\(program)-\($0)") }
    for (region, name) in merchants {
      try write("MERCHANT SET \(name) program=\(program) region=\(region)")
    }
    for line in options.setUp { try write(line) }
    return day
  }

  /// Sets the program so that purchases of any age count at their own time, or as far back as the cluster allows: a
  /// purchase that is older still counts as of its posting.
  private func setProgram(_ line: String) throws(ClientError) {
    do throws(ClientError) {
      try write("\(line) backdate=3650d")
    } catch {
      guard case .refused = error else { throw error }
      try write("\(line) backdate=366d")
    }
  }

  private func write(_ line: String) throws(ClientError) {
    let target = target
    _ = try retrying { () throws(ClientError) in try target.ask(line) }
  }

  /// Asks again for half a minute while the cluster has no leader or nobody answers. Only for what may be repeated.
  private func retrying<T>(_ body: () throws(ClientError) -> T) throws(ClientError) -> T {
    let start = Clock.monotonicNanoseconds()
    while true {
      do throws(ClientError) {
        return try body()
      } catch {
        let isPassing = [3, 4, 5].contains(error.exitCode)
        guard isPassing, Clock.monotonicNanoseconds() - start < 30_000_000_000 else { throw error }
        // Between two tries: nobody tells a client when there is a leader again.
        pause(milliseconds: 200)
      }
    }
  }

  private func member(_ customer: Int) -> String { options.memberPrefix + purchases.customers[customer] }

  private func addMembers(quiet: Bool) throws(ClientError) {
    let count = purchases.customers.count
    let progress = Progress("members  ", total: count, isQuiet: quiet)
    var errors = ErrorCounts()
    try courier.deliver(
      count: count,
      write: { customer, output in
        let region = merchants[customer % merchants.count].region
        output.append(utf8: "MEMBER ADD \(member(customer)) region=\(region)\r\n")
      },
      answered: { _, kind, line in
        // Somebody else's details of the same member are no hindrance.
        guard kind == UInt8(ascii: "-"), !line.starts(with: "EXISTS".utf8) else { return }
        errors.count(line)
      },
      progress: { progress.update($0) })
    progress.finish(count)
    if let example = errors.examples.first {
      throw .refused(code: "MEMBER ADD", text: "\(example) (\(errors.total) members)")
    }
  }

  // MARK: - Purchases

  private func transactions() -> Int64? {
    (try? target.audit())?.total.integer("transactions")
  }

  private func post(into summary: inout Summary, quiet: Bool) throws(ClientError) {
    let all = purchases.all
    let merchants = merchants
    let shift = summary.lastDay.number - purchases.lastDay.number
    var sums = merchants.map { RegionSum(region: $0.region, merchant: $0.name) }
    var refused = ErrorCounts()
    var accepted = 0
    let progress = Progress("purchases", total: all.count, isQuiet: quiet)
    var errand: Errand?
    let start = Clock.monotonicNanoseconds()
    try courier.deliver(
      count: all.count,
      write: { row, output in
        let purchase = all[row]
        let at = options.isNow ? "" : " at=\(Day(number: purchase.day.number + shift))T12:00:00Z"
        output.append(
          utf8: "EARN \(member(purchase.customer)) merchant=\(merchants[row % merchants.count].name) "
            + "spend=\(purchase.cents)\(at) id=\(options.program)-\(row + 1)\r\n")
      },
      answered: { row, kind, line in
        guard kind == UInt8(ascii: "+") else { return refused.count(line) }
        accepted += 1
        let i = row % merchants.count
        sums[i].purchases += 1
        sums[i].cents += all[row].cents
        sums[i].points += Replay.integer("points=", in: line) ?? 0
      },
      progress: { done in
        if let command = options.halfway, errand == nil, done >= all.count / 2 { errand = Errand(command) }
        progress.update(done)
      })
    summary.seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
    progress.finish(all.count)
    errand?.wait()
    summary.purchases = all.count
    summary.accepted = accepted
    summary.refused = refused
    summary.regions = sums
    if options.setUp.isEmpty { summary.expectedPoints = all.reduce(0) { $0 + $1.cents / 100 } }
    summary.members = purchases.customers.count
  }

  /// The integer behind a key in a record's line, without taking the record apart.
  static func integer(_ key: StaticString, in line: UnsafeRawBufferPointer) -> Int64? {
    let wanted = UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
    var at = 0
    while at + wanted.count < line.count {
      let isWordStart = at == 0 || line[at - 1] == 32
      if isWordStart, line[at...].starts(with: wanted) {
        let digits = line[(at + wanted.count)...].prefix { $0 != 32 }
        return Int64(String(decoding: digits, as: UTF8.self))
      }
      at += 1
    }
    return nil
  }

  // MARK: - Balances

  private func readBalances(into summary: inout Summary, quiet: Bool) throws(ClientError) {
    let count = purchases.customers.count
    guard options.top > 0 else { return }
    var balances = [Int64](repeating: 0, count: count)
    var missing = 0
    let progress = Progress("balances ", total: count, isQuiet: quiet)
    try courier.deliver(
      count: count,
      write: { customer, output in
        output.append(utf8: "BALANCE \(member(customer)) program=\(options.program)\r\n")
      },
      answered: { customer, kind, line in
        if kind == UInt8(ascii: "+"), let balance = Replay.integer("balance=", in: line) {
          balances[customer] = balance
        } else {
          missing += 1
        }
      },
      progress: { progress.update($0) })
    progress.finish(count)
    if missing == 0 { summary.balanceSum = balances.reduce(0, +) }
    let order = balances.indices.sorted { (balances[$0], $1) > (balances[$1], $0) }
    summary.top = order.prefix(options.top).map { (member($0), balances[$0]) }
  }
}
