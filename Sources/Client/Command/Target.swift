import OpenSSL
import Replies

/// The cluster that a command is for: its addresses, tried in order, and a connection to one of them.
struct Target {
  private(set) var endpoints: [Endpoint]
  let timeouts: Connection.Timeouts
  /// Who asks; nil: nobody signs in.
  var credentials: Credentials?

  /// How to speak TLS; nil: in the clear.
  let security: TLSContext?

  /// From `--to`, else the environment's `TALLY_TO`, else 127.0.0.1:7401; so for TLS.
  init(_ flags: Flags) throws(ClientError) {
    let security = try Target.security(flags)
    self.security = security
    endpoints = try Endpoint.list(flags["to"] ?? Console.environment("TALLY_TO") ?? "127.0.0.1:7401").map { endpoint in
      var endpoint = endpoint
      endpoint.security = security
      return endpoint
    }
    let seconds = try flags.number("timeout", or: 30, in: 0.1...86_400)
    timeouts = Connection.Timeouts(connect: Int32(min(3, seconds) * 1000), reply: Int32(seconds * 1000))
    credentials = try Credentials(flags)
  }

  private static func security(_ flags: Flags) throws(ClientError) -> TLSContext? {
    let files = TLSContext.Files(
      certificate: flags["tls-cert"] ?? Console.environment("TALLY_TLS_CERT"),
      key: flags["tls-key"] ?? Console.environment("TALLY_TLS_KEY"),
      authorities: flags["tls-ca"] ?? Console.environment("TALLY_TLS_CA"))
    guard files.authorities != nil else {
      guard files == .init() else {
        throw .usage("--tls-cert and --tls-key need --tls-ca: by which nodes are verified")
      }
      return nil
    }
    guard (files.certificate == nil) == (files.key == nil) else {
      throw .usage("--tls-cert and --tls-key belong together: name the certificate and its key")
    }
    do { return try TLSContext(files, verification: .signed) } catch { throw .local("\(error)") }
  }
  /// The same, with the cluster's other nodes behind those that were named: for what may outlive these.
  func knowingAllNodes() -> Target {
    var wider = self
    for row in (try? askRecords("CLUSTER NODES")) ?? [] where row["state"] != "removed" {
      guard let address = row["address"], let endpoint = try? endpoint(address) else { continue }
      if !wider.endpoints.contains(where: { $0.description == endpoint.description }) {
        wider.endpoints.append(endpoint)
      }
    }
    return wider
  }
  /// The address of another node, which is spoken to as those that were named.
  func endpoint(_ address: String) throws(ClientError) -> Endpoint {
    var endpoint = try Endpoint(address)
    endpoint.security = security
    return endpoint
  }

  /// A connection to the first address at which somebody answers.
  func connect() throws(ClientError) -> Connection {
    if endpoints.count > 1 {
      for endpoint in endpoints { if let connection = try? answering(endpoint) { return connection } }
    }
    return try connect(to: endpoints)
  }
  /// A node that hangs takes connections all the same: so long it has for a PING, where others could be asked as well (ms).
  private static let patience: Int32 = 3_000
  /// A connection to a node that answers at once.
  private func answering(_ endpoint: Endpoint) throws(ClientError) -> Connection {
    let short = Connection.Timeouts(
      connect: min(Target.patience, timeouts.connect), reply: min(Target.patience, timeouts.reply))
    let connection = try Connection(to: [endpoint], timeouts: short)
    _ = try connection.request("PING")
    connection.timeouts = timeouts
    if let credentials { _ = try connection.request(credentials.line).orThrow() }
    return connection
  }
  func connect(
    to endpoints: [Endpoint], timeouts: Connection.Timeouts? = nil
  ) throws(ClientError) -> Connection {
    try Connection(to: endpoints, timeouts: timeouts ?? self.timeouts, credentials: credentials)
  }

  /// The reply to one read, from the first node that answers it: a node that drops the connection or says
  /// `UNAVAILABLE` is passed over while there is another.
  func ask(_ line: String) throws(ClientError) -> Value {
    guard endpoints.count > 1 else {
      return try ask(line) { endpoint throws(ClientError) in try connect(to: [endpoint]) }
    }
    var late: [Endpoint] = []
    do throws(ClientError) {
      return try ask(line) { endpoint throws(ClientError) in
        do throws(ClientError) { return try answering(endpoint) } catch {
          guard case .timedOut = error else { throw error }
          late.append(endpoint)
          throw .unreachable(["\(endpoint): nothing within \(Target.patience / 1_000) s"])
        }
      }
    } catch {
      // Nobody answers at once: each has its time.
      guard case .unreachable = error, !late.isEmpty else { throw error }
      return try ask(line) { endpoint throws(ClientError) in try connect(to: [endpoint]) }
    }
  }
  private func ask(
    _ line: String, _ connect: (Endpoint) throws(ClientError) -> Connection
  ) throws(ClientError) -> Value {
    var failures: [ClientError] = []
    for endpoint in endpoints {
      do {
        let value = try connect(endpoint).request(line)
        if case .error(let code, let text) = value, ["UNAVAILABLE", "BUSY"].contains(code) {
          failures.append(.refused(code: code, text: text))
          continue
        }
        return try value.orThrow()
      } catch {
        // A node may not know its users yet.
        if case .refused(let code, _) = error, code != "UNAVAILABLE" { throw error }
        failures.append(error)
      }
    }
    // What a node said tells more than that another one is silent.
    for failure in failures {
      if case .refused = failure { throw failure }
    }
    for failure in failures {
      if case .unreachable = failure { continue }
      throw failure
    }
    throw .unreachable(
      failures.flatMap { failure -> [String] in
        if case .unreachable(let reasons) = failure { reasons } else { [] }
      })
  }

  /// The records of a list, all its pages.
  /// - Parameter key: the field by which the list is ordered.
  func askPages(_ line: String, key: String) throws(ClientError) -> [Record] {
    let most = 10_000
    var records: [Record] = []
    var after = ""
    while true {
      let page = try askRecords("\(line) limit=\(most)\(after)")
      records += page
      guard page.count == most, let last = page.last?[key] else { return records }
      after = " after=\(last)"
    }
  }

  /// The records of a reply, or `.malformedReply` where there are none to be had.
  func askRecords(_ line: String) throws(ClientError) -> [Record] {
    let value = try ask(line)
    if case .array(let values) = value {
      let records = value.records
      guard records.count == values.count else { throw .malformedReply("\(line) answered with other than records") }
      return records
    }
    guard let record = value.record else { throw .malformedReply("\(line) answered with other than records") }
    return [record]
  }

  /// An audit: a record a shard, and the total.
  func audit() throws(ClientError) -> (shards: [Record], total: Record) {
    let records = try askRecords("AUDIT")
    guard let total = records.last, total["total"] == "yes" else { throw .malformedReply("AUDIT gave no total") }
    return (records.dropLast(), total)
  }
}
