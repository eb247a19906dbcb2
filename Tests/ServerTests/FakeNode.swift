import Base
import Cluster
import Glibc
import Synchronization
import System
import Testing

@testable import Server

/// Numbers, in place of what a real node has done.
enum FakeWork: DiskWork {
  enum Completion: Sendable {
    case log(UInt64)
    case job(UInt64)
  }
  typealias LogBatch = [UInt64]
  typealias Job = UInt64
  static var lanes: Int { 2 }
  static func lane(of job: UInt64) -> Int { Int(job % 2) }
}

/// A disk that remembers the order of things, and fails when told to.
final class FakeDisk: DiskRunner {
  typealias Work = FakeWork
  typealias Completion = FakeWork.Completion
  let events: Recorder
  private let fails = Atomic<Bool>(false)
  init(events: Recorder) { self.events = events }

  func failFromNowOn() { fails.store(true, ordering: .sequentiallyConsistent) }
  func write(_ batch: [UInt64]) throws -> Completion {
    if fails.load(ordering: .sequentiallyConsistent) { throw SystemError("fdatasync", code: EIO) }
    events.add("thread \(pthread_self())")
    events.add("write \(batch.map(String.init).joined(separator: ","))")
    return .log(batch.max() ?? 0)
  }
  func run(_ job: UInt64) -> Completion {
    events.add("job \(job)")
    return .job(job)
  }
  func maintain() -> Completion? { nil }
}

/// What happened, in order; a test waits for it with a deadline.
final class Recorder: Sendable {
  private let lines = Mutex<[String]>([])
  func add(_ line: String) { lines.withLock { $0.append(line) } }
  var all: [String] { lines.withLock { $0 } }
  func count(_ prefix: String) -> Int { all.count { $0.hasPrefix(prefix) } }
  /// Waits until so many lines begin so.
  /// - Returns: whether that came in time.
  func waits(for prefix: String, count wanted: Int = 1, milliseconds: Int = 5000) -> Bool {
    let deadline = Clock.monotonic() + UInt64(milliseconds) * 1000
    while count(prefix) < wanted {
      if Clock.monotonic() > deadline { return false }
      _ = Semaphore().wait(milliseconds: 1)
    }
    return true
  }
}

/// A node that answers lines: each word below, anything else is echoed.
///
///     BIG n        n bytes of x, and a line end
///     LOG n        ":n" once a batch with n is durable
///     JOB n        ":n" once job n is done
///     WAIT         holds reading until a log batch is durable
///     BUSY         "busy", and the client is not idle from then on
///     QUIT         "+OK", and the connection is closed
///     LINK a       opens a link to an address; BULK a, a bulk one
///     SEND t       sends text over all links
///     UNLINK       closes all links
final class FakeNode: NodeCore {
  typealias Work = FakeWork
  let events: Recorder
  var stopsAtOnce = true
  private var out = Effects<FakeWork>()
  private var queued: [UInt64] = []
  private var isWriting = false
  private var waiting: [(client: ClientID, number: UInt64)] = []
  private var busy: Set<ClientID> = []
  private var held: [ClientID: UInt64] = [:]
  private var links: [LinkID] = []
  private var requests: UInt64 = 0
  private var received = 0

  init(events: Recorder) { self.events = events }

  func clientOpened(_ id: ClientID, from: String, now: Moment) { events.add("opened \(id.rawValue) \(from)") }
  func clientCertified(_ id: ClientID, as user: String, now: Moment) { events.add("certified \(user)") }
  func isIdle(_ id: ClientID) -> Bool { !busy.contains(id) }
  func asked(_ question: OwnQuestion, by id: ClientID, now: Moment) { events.add("asked for \(question)") }
  func clientEnded(_ id: ClientID, now: Moment) {
    events.add("ended \(id.rawValue)")
    if !waiting.contains(where: { $0.client == id }) { out.clientClose.append(id) }
  }
  func clientClosed(_ id: ClientID, now: Moment) {
    events.add("closed \(id.rawValue)")
    waiting.removeAll { $0.client == id }
  }
  func clientReceived(_ id: ClientID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int {
    var start = 0
    while held[id] == nil, let base = bytes.baseAddress, let found = memchr(base + start, 10, bytes.count - start) {
      let line = UnsafeRawBufferPointer(rebasing: bytes[start..<UnsafeRawPointer(found) - base])
      start += line.count + 1
      received += 1
      // Long lines are many megabytes: no String of them, which a debug build takes byte by byte.
      if line.count > 64 {
        out.clientOutput.append((id, Array(line) + [10]))
      } else {
        respond(id, String(decoding: line, as: UTF8.self))
      }
    }
    events.add("received \(received)")
    return start
  }
  private func respond(_ id: ClientID, _ line: String) {
    let words = line.split(separator: " ", maxSplits: 1).map(String.init)
    let rest = words.count > 1 ? words[1] : ""
    switch words.first {
    case "BIG": send(id, String(repeating: "x", count: Int(rest) ?? 0) + "\n")
    case "BUSY":
      busy.insert(id)
      send(id, "busy\n")
    case "LOG":
      queued.append(UInt64(rest) ?? 0)
      waiting.append((id, UInt64(rest) ?? 0))
    case "JOB":
      out.jobs.append(UInt64(rest) ?? 0)
      waiting.append((id, UInt64(rest) ?? 0))
    case "WAIT":
      requests += 1
      held[id] = 1_000_000 + requests
      queued.append(1_000_000 + requests)
      out.clientReading.append((id, false))
    case "QUIT":
      send(id, "+OK\n")
      held[id] = .max
      out.clientClose.append(id)
    case "LINK", "BULK":
      requests += 1
      out.openLink.append((requests, rest, words[0] == "BULK"))
    case "SEND": for link in links { out.linkOutput.append((link, Array("\(rest)\n".utf8))) }
    case "SENDBIG": for link in links { out.linkOutput.append((link, [UInt8](repeating: 120, count: Int(rest) ?? 0))) }
    case "UNLINK":
      out.linkClose += links
      links = []
    default: send(id, line + "\n")
    }
  }
  private func send(_ id: ClientID, _ text: String) { out.clientOutput.append((id, Array(text.utf8))) }

  func linkOpened(_ id: LinkID, request: UInt64?, now: Moment) {
    links.append(id)
    events.add("link opened \(request.map(String.init) ?? "by peer")")
  }
  func linkReceived(_ id: LinkID, _ bytes: UnsafeRawBufferPointer, now: Moment) -> Int {
    guard bytes.last == 10 else { return 0 }
    let end = bytes.count - 1
    events.add("link received \(end + 1) \(String(decoding: bytes[..<min(end, 40)], as: UTF8.self))")
    return end + 1
  }
  func linkClosed(_ id: LinkID, now: Moment) {
    links.removeAll { $0 == id }
    events.add("link closed")
  }
  func linkFailed(request: UInt64, now: Moment) { events.add("link failed \(request)") }
  func linkDrained(_ id: LinkID, now: Moment) { events.add("link drained") }
  func tick(now: Moment) { events.add("tick") }
  func completed(_ completion: FakeDisk.Completion, now: Moment) {
    switch completion {
    case .log(let number):
      isWriting = false
      for (client, asked) in waiting where asked <= number { send(client, ":\(asked)\n") }
      waiting.removeAll { $0.number <= number }
      for (client, asked) in held where asked <= number {
        held[client] = nil
        out.clientReading.append((client, true))
      }
    case .job(let number):
      for (client, asked) in waiting where asked == number { send(client, ":\(asked)\n") }
      waiting.removeAll { $0.number == number }
    }
  }
  func stop(now: Moment) {
    events.add("stop")
    if stopsAtOnce { out.exit = (0, "asked to") }
  }
  func measured(_ gauges: ShellGauges, now: Moment) { events.add("measured \(gauges.clients) \(gauges.unsentBytes)") }
  func flush(now: Moment, into effects: inout Effects<FakeWork>) {
    if !isWriting && !queued.isEmpty {
      out.logBatch = queued
      queued = []
      isWriting = true
    }
    swap(&out, &effects)
  }
}

/// A loop with a fake node, on a thread of its own.
final class RunningNode: Sendable {
  let events = Recorder()
  let disk: FakeDisk
  let port: UInt16
  let peerPort: UInt16
  let httpPort: UInt16
  let fatal = Recorder()
  private let stopper = Mutex<(@Sendable () -> Void)?>(nil)
  private let securer = Mutex<(@Sendable (LoopSecurity) -> Void)?>(nil)
  private let exitCode = Mutex<Int32?>(nil)
  private let thread: Mutex<NativeThread?>

  init(
    _ options: LoopOptions = LoopOptions(), host: String = "127.0.0.1", stopsAtOnce: Bool = true,
    security: LoopSecurity = LoopSecurity()
  ) throws {
    let local = try #require(SocketAddress(HostPort(host: host, port: 0), numericOnly: true))
    let listener = try Socket.bind(local)
    try Socket.listen(listener)
    let peers = try Socket.bind(local)
    try Socket.listen(peers)
    let http = try Socket.bind(local)
    try Socket.listen(http)
    httpPort = try #require(HostPort(Socket.localAddress(http).description)).port
    port = try #require(HostPort(Socket.localAddress(listener).description)).port
    peerPort = try #require(HostPort(Socket.localAddress(peers).description)).port
    disk = FakeDisk(events: events)
    let (raw, rawPeers, rawHTTP) = (dup(listener.rawValue), dup(peers.rawValue), dup(http.rawValue))
    let started = Semaphore()
    thread = Mutex(nil)
    let runner = NativeThread(name: "loop") { [self] in
      let node = FakeNode(events: events)
      node.stopsAtOnce = stopsAtOnce
      do {
        var loop = try EventLoop.make(
          core: node, disk: disk, options: options,
          logger: Logger(level: .error, descriptor: open("/dev/null", O_WRONLY)),
          clientListener: Descriptor(owning: raw), peerListener: Descriptor(owning: rawPeers),
          httpListener: Descriptor(owning: rawHTTP), security: security,
          onFatal: { [fatal] in fatal.add($0) })
        let stop = loop.stopper
        stopper.withLock { $0 = stop }
        let secure = loop.securer
        securer.withLock { $0 = secure }
        started.signal()
        let code = loop.run()
        exitCode.withLock { $0 = code }
      } catch {
        fatal.add("\(error)")
        started.signal()
      }
    }
    thread.withLock { $0 = runner }
    started.wait()
  }

  /// Renews its certificates, as SIGHUP does.
  func secure(_ security: LoopSecurity) { securer.withLock { $0 }?(security) }
  /// Asks for a graceful stop, as the first SIGTERM does.
  func requestStop() { stopper.withLock { $0 }?() }
  /// Waits for the end of the loop.
  func join() -> Int32? {
    thread.withLock { $0.take() }?.join()
    return exitCode.withLock { $0 }
  }
  @discardableResult func stop() -> Int32? {
    requestStop()
    return join()
  }
}
