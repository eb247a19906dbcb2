import Base

/// Program, merchants and members for a run of load: added where they are missing.
struct BenchSetup {
  let target: Target
  let plan: LoadPlan
  /// 0: one a region.
  var merchantCount = 0

  /// What each member gets where the mix spends points.
  static let openingPoints = 1_000_000_000

  init(target: Target, plan: LoadPlan) {
    self.target = target
    self.plan = plan
  }

  /// Gives the merchants' names.
  func run(quiet: Bool) throws(ClientError) -> [String] {
    let connection = try target.connect()
    let regions = BenchSetup.regions(connection)
    _ = try connection.request("PROGRAM SET \(plan.program) kind=points earn=1/100 expire=never").orThrow()
    let count = merchantCount > 0 ? merchantCount : max(1, regions.count)
    var merchants: [String] = []
    for i in 0..<count {
      let name = "bench-\(i + 1)"
      let region = regions.isEmpty ? "" : " region=\(regions[i % regions.count])"
      _ = try connection.request("MERCHANT SET \(name) program=\(plan.program)\(region)").orThrow()
      merchants.append(name)
    }
    if try !membersExist(connection) { try addMembers(quiet: quiet) }
    if plan.needsPoints { try givePoints(merchants[0], quiet: quiet) }
    return merchants
  }

  /// The regions of the cluster, sorted; none where it does not tell.
  static func regions(_ connection: Connection) -> [String] {
    guard let nodes = try? connection.request("CLUSTER NODES") else { return [] }
    return Set(nodes.records.compactMap { $0["region"] }.filter { !$0.isEmpty }).sorted()
  }

  /// Looks for some hundred members, and for the last that would have been added: adding is done in their order.
  private func membersExist(_ connection: Connection) throws(ClientError) -> Bool {
    let count = plan.memberCount
    var sample = Set((max(0, count - 256)..<count))
    for i in stride(from: 0, to: count, by: max(1, count / 256)) { sample.insert(i) }
    let numbers = sample.sorted()
    for number in numbers { try connection.send("MEMBER SHOW \(RequestTemplate.memberName(number))") }
    var missing = 0
    for _ in numbers {
      if case .error = try connection.receive() { missing += 1 }
    }
    return missing == 0
  }

  private func addMembers(quiet: Bool) throws(ClientError) {
    try deliver("adding members", quiet: quiet) { number, output in
      output.append("MEMBER ADD ")
      output.append(utf8: RequestTemplate.memberName(number))
      output.append("\r\n")
    }
  }

  private func givePoints(_ merchant: String, quiet: Bool) throws(ClientError) {
    try deliver("giving them points", quiet: quiet) { number, output in
      output.append("EARN ")
      output.append(utf8: RequestTemplate.memberName(number))
      output.append(utf8: " merchant=\(merchant) points=\(BenchSetup.openingPoints) id=bench-opening\r\n")
    }
  }

  private func deliver(
    _ title: String, quiet: Bool, _ write: (Int, inout ByteBuffer) -> Void
  ) throws(ClientError) {
    let courier = try Courier(Courier.Options(endpoints: target.endpoints, credentials: target.credentials))
    let progress = Progress(title, total: plan.memberCount, isQuiet: quiet)
    var errors = ErrorCounts()
    try courier.deliver(
      count: plan.memberCount, write: write,
      answered: { _, kind, line in if kind == UInt8(ascii: "-") { errors.count(line) } },
      progress: { progress.update($0) })
    progress.finish(plan.memberCount)
    guard let example = errors.examples.first else { return }
    let parts = example.split(separator: " ", maxSplits: 1).map(String.init)
    throw .refused(code: parts.first ?? "ERR", text: "\(title): \(parts.dropFirst().joined()) (\(errors.total) in all)")
  }
}
