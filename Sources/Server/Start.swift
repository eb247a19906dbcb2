import Base
import Cluster
import Glibc
import System

/// What a node is made from.
public struct StartContext: Sendable {
  public var configuration: ServerConfiguration
  /// Random: the identity of the node, if the data directory is a new one.
  public var newIdentity: UInt64
  /// Random: its secret then.
  public var newProof: Proof
  /// Random: the key of a cluster that this node begins.
  public var newHashKey: HashKey
  public var now: Moment
  public var logger: Logger
  /// File descriptors that the process may have.
  public var descriptorsMax: Int
}

/// Runs one node until it is told to stop: all of `tally start`.
/// - Parameters:
///   - arguments: the command line behind `tally start`.
///   - settings: those of the node: documented, checked and passed on by the shell.
///   - make: opens the data directory, which exists, and makes the node. What it throws is shown to the operator, so
///     it says in one line what is wrong and what to do.
/// - Returns: the exit code: 0 after a graceful stop; 1 for wrong arguments, among them an address or a directory that
///   cannot be used; 2 where the data directory is there and refuses (another's, in use, damaged).
public func start<Core: NodeCore>(
  arguments: [String], settings: [Setting] = [],
  make: (StartContext) throws -> (core: Core, disk: any DiskRunner<Core.Work>)
) -> Int32 {
  Watch.endAtSignals()
  let configuration: ServerConfiguration
  do {
    let request = try ServerConfiguration.parse(
      arguments, settings: settings, hostName: Startup.hostName(), readFile: SettingsFile.read)
    switch request {
    case .print(let text):
      Startup.print(text, to: 1)
      return 0
    case .run(let accepted): configuration = accepted
    }
  } catch {
    Startup.print("tally: \(error)\n", to: 2)
    return 1
  }
  do {
    return try run(configuration, make: make)
  } catch {
    Startup.print("tally: \(error)\n", to: 2)
    return (error as? StartError)?.isRefusal == true ? 2 : 1
  }
}

private func run<Core: NodeCore>(
  _ configuration: ServerConfiguration, make: (StartContext) throws -> (core: Core, disk: any DiskRunner<Core.Work>)
) throws -> Int32 {
  Watch.ignoreSignals()
  let descriptorsMax = Startup.raiseDescriptorLimit()
  try Startup.prepareDirectory(configuration.data)
  // Ports are taken before the data is read, so that a mistake is told at once; they listen when the node is ready,
  // so that clients of a node that is still starting go elsewhere at once.
  let clientListener = try Startup.bind(configuration.listen, flag: "listen")
  let peerListener = try Startup.bind(configuration.peer, flag: "peer")
  let httpListener = try Startup.bind(ifAny: configuration.http, flag: "http")
  let logger = Logger(level: configuration.logLevel)
  let context = StartContext(
    configuration: configuration, newIdentity: UInt64.random(in: 1 ... .max),
    newProof: Proof(.random(in: 1 ... .max), .random(in: 1 ... .max)),
    newHashKey: HashKey(low: .random(in: 1 ... .max), high: .random(in: 0 ... .max)), now: Clock.now(), logger: logger,
    descriptorsMax: descriptorsMax)
  let core: Core
  let disk: any DiskRunner<Core.Work>
  do { (core, disk) = try make(context) } catch {
    logger.drain(milliseconds: 200)
    if error is ConfigurationError { throw error }
    throw StartError("cannot open the data directory \(configuration.data): \(error)", isRefusal: true)
  }
  try Startup.listen(clientListener, configuration.listen, flag: "listen")
  try Startup.listen(peerListener, configuration.peer, flag: "peer")
  try Startup.listen(ifAny: httpListener, configuration.http, flag: "http")
  var options = LoopOptions()
  options.clientsMax = configuration.clientsMax
  options.connectionsPerAddress = configuration.connectionsPerAddress
  options.descriptorsMax = descriptorsMax
  options.memoryLimit = configuration.memoryLimit
  options.readBytesMax = configuration.readBytesMax
  options.turnBytesMax = configuration.turnBytesMax
  options.writesWhenIdle = configuration.writesWhenIdle
  options.stopSeconds = configuration.stopSeconds
  options.gateway.metricsUser = configuration.metricsUser
  let onFatal: @Sendable (String) -> Void = { reason in
    logger.log(.error, reason)
    logger.drain(milliseconds: 200)
    _exit(1)
  }
  let places =
    "clients=\(Socket.localAddress(clientListener).description)"
    + " peers=\(Socket.localAddress(peerListener).description)"
    + (configuration.http.map { " http=\($0)" } ?? "")
  var loop = try EventLoop.make(
    core: core, disk: disk, options: options, logger: logger, clientListener: clientListener,
    peerListener: peerListener, httpListener: httpListener, onFatal: onFatal)
  Watch.blockSignals()
  let stop = loop.stopper
  let onStop: @Sendable () -> Void = {
    ServiceManager.stopping()
    stop()
  }
  let watch = Watch(
    pulse: loop.pulse, handlesSignals: true, stopSeconds: configuration.stopSeconds + 2, onStop: onStop,
    onFatal: onFatal)
  logger.log(
    .info, "started name=\(configuration.name) region=\(configuration.region) \(places) data=\"\(configuration.data)\"")
  ServiceManager.ready()
  let code = loop.run()
  watch.close()
  logger.drain(milliseconds: 500)
  return code
}

/// Why a node was not started: one line that says what, and what to do.
struct StartError: Error, CustomStringConvertible {
  let description: String
  /// What is on the disk forbids it, not what was asked for.
  let isRefusal: Bool
  init(_ description: String, isRefusal: Bool = false) {
    self.description = description
    self.isRefusal = isRefusal
  }
}

/// The steps before a node runs.
enum Startup {
  static func bind(_ address: HostPort, flag: String) throws(StartError) -> Descriptor {
    guard let resolved = SocketAddress(address, numericOnly: false) else {
      throw StartError("--\(flag) \(address): the host is not known; give an address of this machine")
    }
    do { return try Socket.bind(resolved) } catch { throw problem(error, address, flag) }
  }
  static func listen(_ listener: borrowing Descriptor, _ address: HostPort, flag: String) throws(StartError) {
    do { try Socket.listen(listener) } catch { throw problem(error, address, flag) }
  }
  /// The same of what there may be.
  static func bind(ifAny address: HostPort?, flag: String) throws(StartError) -> Descriptor? {
    guard let address else { return nil }
    return try bind(address, flag: flag)
  }
  static func listen(ifAny listener: borrowing Descriptor?, _ address: HostPort?, flag: String) throws(StartError) {
    guard let address else { return }
    switch listener {
    case .some(let listener): try listen(listener, address, flag: flag)
    case .none: break
    }
  }
  private static func problem(_ error: SystemError, _ address: HostPort, _ flag: String) -> StartError {
    let advice =
      switch error.code {
      case EADDRINUSE:
        "port \(address.port) is in use; stop who uses it (ss -ltnp 'sport = :\(address.port)'), or choose another"
      case EADDRNOTAVAIL: "\(address.host) is not an address of this machine; see ip addr"
      case EACCES: "port \(address.port) needs privileges; choose one over 1023"
      default: error.description
      }
    return StartError("--\(flag) \(address): \(advice)")
  }

  /// Makes the data directory, and those above it, where they are missing.
  static func prepareDirectory(_ path: String) throws(StartError) {
    var status = stat()
    if stat(path, &status) != 0 {
      guard errno == ENOENT else { throw StartError("--data \(path): \(SystemError.text(of: errno))") }
      var made = path.hasPrefix("/") ? "/" : ""
      for part in path.split(separator: "/") {
        made += "\(part)/"
        guard mkdir(made, 0o755) == 0 || errno == EEXIST else {
          throw StartError(
            "--data \(path): cannot make \(made): \(SystemError.text(of: errno)); name another directory")
        }
      }
      guard stat(path, &status) == 0 else { throw StartError("--data \(path): \(SystemError.text(of: errno))") }
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw StartError("--data \(path): is a file, not a directory; name a directory")
    }
    guard access(path, R_OK | W_OK | X_OK) == 0 else {
      throw StartError("--data \(path): \(SystemError.text(of: errno)); it must be readable and writable by this user")
    }
  }

  /// Raises the limit on open files as far as it goes.
  /// - Returns: the limit.
  static func raiseDescriptorLimit() -> Int {
    var limit = rlimit()
    let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(files, &limit) == 0 else { return 1024 }
    if limit.rlim_cur < limit.rlim_max {
      var raised = limit
      raised.rlim_cur = limit.rlim_max
      if setrlimit(files, &raised) == 0 { limit = raised }
    }
    return Int(clamping: limit.rlim_cur)
  }

  /// A number of this very program: another build has another one.
  static func build() -> UInt64 {
    var status = stat()
    guard stat("/proc/self/exe", &status) == 0 else { return 0 }
    var hasher: UInt64 = 0xCBF2_9CE4_8422_2325
    for value in [Int64(status.st_size), Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec)] {
      hasher = (hasher ^ UInt64(bitPattern: value)) &* 0x0000_0100_0000_01B3
      hasher ^= hasher >> 29
    }
    return hasher
  }

  /// The first label of the machine's name, with what a name may not hold replaced.
  static func hostName() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let text = buffer.baseAddress, gethostname(text, 255) == 0 else { return "node" }
      buffer[255] = 0
      let label = String(cString: text).prefix { $0 != "." }
      let name = String(label.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") ? $0 : "-" })
      return name.isEmpty ? "node" : String(name.prefix(64))
    }
  }

  static func print(_ text: String, to descriptor: Int32) {
    Array(text.utf8).withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let slice = UnsafeRawBufferPointer(rebasing: rest)
        let count = write(descriptor, slice.baseAddress, slice.count)
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
      }
    }
  }
}
