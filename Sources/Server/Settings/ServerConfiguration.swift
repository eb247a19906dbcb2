import Cluster
import Glibc

/// What one node is told by its operator: flags over the configuration file over defaults.
public struct ServerConfiguration: Sendable {
  /// A label for people; the identity is in the data directory.
  public var name: String
  public var region: String
  /// The data directory.
  public var data: String
  /// Where terminals connect.
  public var listen: HostPort
  /// Where other nodes connect.
  public var peer: HostPort
  /// Where HTTP is spoken; nil: nowhere.
  public var http: HostPort?
  /// The user who alone sees the figures; nil: everybody does.
  public var metricsUser: String?
  /// What other nodes are told to connect to, and what terminals are: `peer` and `listen` unless set.
  public var advertisePeer: HostPort
  public var advertise: HostPort
  /// Peer addresses of some nodes of the cluster.
  public var join: [HostPort]
  public var lost: [String]
  /// Terminals are listened to where others can read what they say, and the operator wants that.
  public var isInsecure: Bool { exposure.isInsecure }
  let exposure: Exposure
  public var logLevel: LogLevel
  /// Connections of terminals.
  public var clientsMax: Int
  /// Of one address; nil: any number.
  public var connectionsPerAddress: Int?
  /// Bytes of memory; nil: by what the machine has.
  public var memoryLimit: UInt64?
  /// Bytes read from one client in one turn of the loop, and from all of them.
  public var readBytesMax: Int
  public var turnBytesMax: Int
  /// Whether a loop that is idle writes the log itself.
  public var writesWhenIdle: Bool
  /// Threads beside the loop on which replicas take their turns.
  public var workers: Int
  /// How long a graceful stop may take.
  public var stopSeconds: Int
  /// TLS.
  public var security: SecuritySettings
  /// The settings of the node itself: every one of them, in the order of their documentation.
  public var node: [(key: String, value: String)]
  /// Every setting that is listed, with its value; and those of them that `CONFIG SET` changed before.
  public var all: [(setting: Setting, value: String)] = []
  public var changed: [(key: String, value: String)] = []

  /// The value of a setting of the node.
  public func nodeValue(_ key: String) -> String? { node.first { $0.key == key }?.value }
}

/// Why the command line or the configuration file was not accepted: one line that says what, where, and what to do.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

/// What the command line asks for.
public enum StartRequest: Sendable {
  case run(ServerConfiguration)
  /// `--print-config`, `--help`: print that and end.
  case print(String)
}

extension ServerConfiguration {
  /// The settings of the shell, in the order in which they are printed.
  public static let settings: [Setting] = processSettings + SecuritySettings.all
  private static let processSettings: [Setting] = [
    Setting("name", "", "The node's name, a label for people. Empty: the name of this machine.", problem: label(0)),
    Setting("region", "local", "The region that this node stands in.", problem: label(1)),
    Setting("data", "./data", "The data directory. An empty or missing one makes a new node.", problem: notEmpty),
    Setting(
      "listen", "127.0.0.1:7401", "HOST:PORT where terminals connect; *:PORT is every address.", problem: address),
    Setting(
      "insecure", "no",
      """
      yes, or --insecure alone: listens without TLS, to terminals and to other nodes, also at other addresses than this machine's own
      (127.0.0.1), where what is said, secrets too, can be read on its way; and answers others also while the cluster has no user, when everybody may
      do everything. As long as either is so there is an alarm, INSECURE.
      """, problem: { ["yes", "no"].contains($0) ? nil : "must be yes or no" }),
    Setting(
      "http", "",
      """
      HOST:PORT where HTTP is spoken: /metrics, /health/live, /health/ready, POST /v1/commands. Empty: nowhere. Its connections
      count among those of terminals.
      """, problem: addressOrEmpty),
    Setting("metrics-user", "", "The user who alone may read /metrics. Empty: everybody may.", problem: label(0)),
    Setting("peer", "127.0.0.1:7501", "HOST:PORT where other nodes connect.", problem: address),
    Setting(
      "join", "",
      "Peer addresses of some nodes of the cluster, HOST:PORT,HOST:PORT; this node's own may be among them.",
      problem: addresses),
    Setting(
      "lost", "",
      """
      Nodes that will never come back, NAME,NAME or their ids: this start does not wait for their word on whether it is the
      node. For a survivor that was started again before tally unsafe recover; leave it out at the next start.
      """),
    Setting(
      "advertise", "", "HOST:PORT that terminals are told, where it is not `listen`.", problem: addressOrEmpty),
    Setting(
      "advertise-peer", "", "HOST:PORT that other nodes are told, where it is not `peer`.", problem: addressOrEmpty),
    Setting("log-level", "info", "What is logged on standard error: debug, info, warning or error.", problem: level)
      .changeable,
    Setting(
      "max-clients", "20000",
      """
      Connections of terminals, 1 to 1000000; fewer where the limit on file descriptors (ulimit -n) leaves fewer beside the
      log, the journals and the links. With one more, the one that has been idle for longest is closed. The last 16 (of
      fewer than 32: the last half) answer only CLUSTER, HEALTH, INFO and AUTH, so that an operator finds room.
      """, whole: 1...1_000_000),
    Setting(
      "connections-per-address", "off",
      "Connections that terminals of one address may have, 1 to 1000000, or off; those of this machine do not count.",
      problem: { $0 == "off" ? nil : Setting.problem(ofWhole: $0, in: 1...1_000_000).map { "\($0), or off" } }
    ).changeable,
    Setting(
      "memory-limit-mb", "auto",
      """
      MiB of memory that this node may use, 128 to 16777216, or auto: three quarters of what the machine, or the control
      group, has. Limits on the process's data (ulimit -d) and address space (ulimit -v) count as well, at three quarters.
      At four fifths there is an alarm, NOMEM; at the limit this node hands over leadership, and no node takes what makes
      the state of its shards grow; a tenth above, no write. Give several nodes of one machine their parts of it.
      """, problem: { $0 == "auto" ? nil : Setting.problem(ofWhole: $0, in: 128...16_777_216).map { "\($0), or auto" } }
    ).changeable,
    Setting(
      "read-bytes", "65536",
      "Bytes read from one terminal in a turn of the loop, 4096 to 1048576: more is more throughput, less is fairer.",
      whole: 4096...1_048_576),
    Setting(
      "turn-bytes", "262144", "Bytes read from all terminals in a turn, 4096 to 67108864.",
      whole: 4096...67_108_864
    ).changeable,
    Setting(
      "log-writer", "idle",
      """
      Who writes the log: thread, always a thread of its own; idle, the main loop itself when it has nothing else to do,
      which spares a lone request two wake-ups. When a write has taken over 20 ms, the thread writes for the next 10 s,
      so that a slow disk does not hold up reads as well. With thread a node whose disk hangs hands over by itself; with
      idle the others may have to notice that it is silent.
      """, problem: { ["thread", "idle"].contains($0) ? nil : "must be thread or idle" }),
    Setting(
      "workers", "auto",
      """
      Threads beside the main loop that work for shards under load, 0 to 64; auto: none on up to 3 processors, else two
      fewer than there are, up to 16.
      """, problem: { $0 == "auto" ? nil : Setting.problem(ofWhole: $0, in: 0...64).map { "\($0), or auto" } }),
    Setting(
      "stop-seconds", "10",
      "Seconds that a graceful stop (SIGTERM) may take before the process ends anyway, 1 to 3600.",
      whole: 1...3600),
  ]

  /// Reads the command line of `tally start` (without these two words) and the file that it names.
  /// - Parameters:
  ///   - settings: those of the node.
  ///   - hostName: for a node without a name.
  ///   - readFile: the text of a file.
  ///   - readChanged: what `CONFIG SET` left in a data directory; nil: nothing.
  public static func parse(
    _ arguments: [String], settings nodeSettings: [Setting], hostName: String,
    readFile: (String) throws(SettingsFileError) -> String, readChanged: (_ data: String) -> String? = { _ in nil }
  ) throws(ConfigurationError) -> StartRequest {
    let all = settings + nodeSettings
    let line = try CommandLine.parse(arguments, settings: all)
    if line.wantsHelp { return .print(SettingsFile.usage(all)) }
    if line.wantsFile { return .print(SettingsFile.render(settings, nodeSettings)) }
    var values = Dictionary(all.map { ($0.key, $0.value) }) { first, _ in first }
    if let path = line.file {
      let text: String
      do { text = try readFile(path) } catch {
        throw ConfigurationError("--config \(path): \(error.reason); name a file that can be read")
      }
      for (key, value) in try SettingsFile.parse(text, path: path, settings: all) { values[key] = value }
    }
    let data = line.values.last { $0.key == "data" }?.value ?? values["data"] ?? ""
    var changed: [(key: String, value: String)] = []
    if let text = readChanged(data) {
      changed = try SettingsFile.parse(text, path: "\(data)/settings", settings: all.filter(\.isChangeable))
      for (key, value) in changed { values[key] = value }
    }
    for (key, value) in line.values { values[key] = value }
    var configuration = try ServerConfiguration(values: values, nodeSettings: nodeSettings, hostName: hostName)
    configuration.all = all.filter { !$0.isHidden }.map { ($0, values[$0.key] ?? "") }
    configuration.changed = changed
    return .run(configuration)
  }

  private init(values: [String: String], nodeSettings: [Setting], hostName: String) throws(ConfigurationError) {
    // Each value was checked by its setting: what cannot be read here is a default that is wrong.
    func text(_ key: String) -> String { values[key] ?? "" }
    func number(_ key: String) -> Int { Int(text(key)) ?? 0 }
    guard let listen = HostPort(text("listen")), let peer = HostPort(text("peer")) else {
      throw ConfigurationError("listen and peer must be HOST:PORT")
    }
    guard listen != peer || listen.port == 0 else {
      throw ConfigurationError("listen and peer are both \(listen): terminals and nodes need a port each")
    }
    if let http = HostPort(text("http")), http.port != 0, http == listen || http == peer {
      throw ConfigurationError("http is \(http), which is listen or peer: it needs a port of its own")
    }
    guard !peer.isEveryAddress || !text("advertise-peer").isEmpty else {
      throw ConfigurationError(
        "peer is every address of this machine: say by advertise-peer which one nodes connect to")
    }
    let places = [("listen", listen)] + (HostPort(text("http")).map { [("http", $0)] } ?? [])
    let exposed = text("tls-cert").isEmpty ? places.first { !$0.1.isLoopback } : nil
    if let (key, place) = exposed, text("insecure") != "yes" {
      throw ConfigurationError(
        "\(key) \(place): what is said there, secrets too, can be read on its way; set tls-cert and tls-key, use 127.0.0.1, or"
          + " say --insecure")
    }
    if text("peer-cert").isEmpty, !peer.isLoopback, text("insecure") != "yes" {
      throw ConfigurationError(
        "peer \(peer): what nodes tell each other, all members' data, can be read and forged on its way; set peer-cert, peer-key and"
          + " peer-ca, use 127.0.0.1, or say --insecure")
    }
    let reachable = places.contains { !$0.1.isLoopback }
    exposure = Exposure(
      isInsecure: exposed != nil || text("peer-cert").isEmpty && !peer.isLoopback,
      guardsOpenCluster: reachable && text("insecure") != "yes" && text("tls-client") != "required",
      answersOpenly: reachable && text("insecure") == "yes")
    name = text("name").isEmpty ? hostName : text("name")
    region = text("region")
    data = text("data")
    self.listen = listen
    http = HostPort(text("http"))
    metricsUser = text("metrics-user").isEmpty ? nil : text("metrics-user")
    self.peer = peer
    let address = listen.isEveryAddress ? HostPort(host: hostName, port: listen.port) : listen
    advertise = HostPort(text("advertise")) ?? address
    advertisePeer = HostPort(text("advertise-peer")) ?? peer
    join = text("join").split(separator: ",").compactMap { HostPort(String($0)) }
    lost = text("lost").split(separator: ",").map(String.init)
    logLevel = LogLevel(word: text("log-level")) ?? .info
    clientsMax = number("max-clients")
    connectionsPerAddress = Int(text("connections-per-address"))
    memoryLimit = UInt64(text("memory-limit-mb")).map { $0 << 20 }
    readBytesMax = number("read-bytes")
    turnBytesMax = number("turn-bytes")
    writesWhenIdle = text("log-writer") == "idle"
    let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
    workers = text("workers") == "auto" ? (processors > 3 ? min(processors - 2, 16) : 0) : number("workers")
    stopSeconds = number("stop-seconds")
    security = try SecuritySettings(text)
    node = nodeSettings.map { ($0.key, text($0.key)) }
  }
}

// MARK: - What values are acceptable

extension Setting {
  /// A whole number within bounds.
  init(_ key: String, _ value: String, _ documentation: String, whole range: ClosedRange<Int>) {
    self.init(key, value, documentation) { Setting.problem(ofWhole: $0, in: range) }
  }
  static func problem(ofWhole value: String, in range: ClosedRange<Int>) -> String? {
    guard let number = Int(value), range.contains(number) else {
      return "must be a whole number, \(range.lowerBound) to \(range.upperBound)"
    }
    return nil
  }
}

extension ServerConfiguration {
  @Sendable private static func notEmpty(_ value: String) -> String? { value.isEmpty ? "must not be empty" : nil }
  @Sendable private static func address(_ value: String) -> String? {
    HostPort(value) == nil ? "must be HOST:PORT, such as 127.0.0.1:7401" : nil
  }
  @Sendable private static func addressOrEmpty(_ value: String) -> String? { value.isEmpty ? nil : address(value) }
  @Sendable private static func addresses(_ value: String) -> String? {
    let wrong = value.split(separator: ",", omittingEmptySubsequences: false).first { HostPort(String($0)) == nil }
    guard let wrong, !value.isEmpty else { return nil }
    return "must be HOST:PORT,HOST:PORT,…; '\(wrong)' is not an address"
  }
  @Sendable private static func level(_ value: String) -> String? {
    LogLevel(word: value) == nil ? "must be debug, info, warning or error" : nil
  }
  private static func label(_ least: Int) -> @Sendable (String) -> String? {
    { value in
      let isPlain = value.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
      return isPlain && value.utf8.count >= least && value.utf8.count <= 64
        ? nil : "must be \(least) to 64 of A-Z a-z 0-9 . _ -"
    }
  }
}

extension LogLevel {
  /// The level of that name: debug, info, warning, error.
  init?(word: String) {
    switch word {
    case "debug": self = .debug
    case "info": self = .info
    case "warning": self = .warning
    case "error": self = .error
    default: return nil
    }
  }
}

/// Who reaches the ports of terminals, and what that means.
struct Exposure: Sendable {
  var isInsecure: Bool
  /// See `NodeConfiguration.guardsOpenCluster`.
  var guardsOpenCluster: Bool
  /// See `NodeConfiguration.answersOpenly`.
  var answersOpenly: Bool
}
