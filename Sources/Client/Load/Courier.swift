import Base
import System

/// Delivers many requests, each until it has a final answer: through all nodes at once, pipelined, with the same
/// bytes again on another node after `BUSY`, `UNAVAILABLE`, `UNKNOWN` or a lost connection. So each request must be
/// one that may be repeated: a read, or a write with a request id of its own.
///
/// Every connection has a node of its own and goes on trying it while it is down; the other connections meanwhile
/// take the requests. Requests are not kept in order.
final class Courier {
  struct Options {
    var endpoints: [Endpoint]
    var credentials: Credentials?
    var clientCount = 24
    var pipelineDepth = 128
    /// Seconds without one final answer, after which the delivery gives up.
    var patience = 120.0
    /// Seconds without a byte on a connection that owes answers, after which it counts as lost.
    var silence = 15.0
  }
  struct Counters: Sendable {
    var retries = 0
    var connectionsLost = 0
    var refusedByNode = ErrorCounts()
  }

  private struct Retry {
    let job: Int
    let due: UInt64
  }
  /// Requests to send again, by the node that failed them, first in first out.
  private struct RetryQueue {
    var items: [Retry] = []
    var head = 0
    var isEmpty: Bool { head == items.count }
    mutating func push(_ retry: Retry) { items.append(retry) }
    mutating func pop(at now: UInt64, waited: UInt64) -> Int? {
      guard head < items.count, items[head].due + waited <= now else { return nil }
      let job = items[head].job
      head += 1
      if head == items.count {
        items.removeAll(keepingCapacity: true)
        head = 0
      }
      return job
    }
  }
  private final class Lane {
    let channel: Channel
    let address: Int
    var jobs: [Int]
    var head = 0
    var tail = 0
    var lastHeard: UInt64 = 0
    var retryAt: UInt64 = 0
    var retryPause: UInt64 = 100_000_000
    var inFlight: Int { tail - head }
    init(channel: Channel, address: Int, depth: Int) {
      self.channel = channel
      self.address = address
      jobs = [Int](repeating: 0, count: depth)
    }
  }

  private let options: Options
  private let poller: ChannelPoller
  private var addresses: [Destination] = []
  private var lanes: [Lane] = []
  private var retries: [RetryQueue] = []
  private var cursor = 0
  private var jobCount = 0
  private var finished = 0
  private var lastFinish: UInt64 = 0
  private(set) var counters = Counters()

  /// Throws `.unreachable` where no address can be resolved.
  init(_ options: Options) throws(ClientError) {
    self.options = options
    poller = try ChannelPoller()
    poller.signIn = options.credentials?.bytes ?? []
    var reasons: [String] = []
    for endpoint in options.endpoints {
      do {
        // A name that stands for several addresses counts by the one that answers now, else by its first.
        let all = try endpoint.resolve()
        var chosen = all[0]
        for address in all where all.count > 1 {
          do throws(ConnectFailure) {
            _ = try Socket.connected(to: address, within: 1_000)
          } catch {
            continue
          }
          chosen = address
          break
        }
        addresses.append(Destination(address: chosen, endpoint: endpoint))
      } catch {
        reasons.append("\(error)")
      }
    }
    guard !addresses.isEmpty else { throw .unreachable(reasons) }
    retries = addresses.map { _ in RetryQueue() }
    for i in 0..<max(options.clientCount, addresses.count) {
      let channel = Channel(token: UInt32(i), poller: poller)
      lanes.append(Lane(channel: channel, address: i % addresses.count, depth: options.pipelineDepth))
    }
  }

  /// Delivers requests `0 ..< count`. `write` appends the request with that number, line break included, and writes
  /// the same bytes when it is asked again; `answered` gets each request's final reply: the first byte and the rest of
  /// the line. Throws `.unreachable` or `.timedOut` when nothing was answered for as long as the patience lasts.
  func deliver(
    count: Int, write: (Int, inout ByteBuffer) -> Void, answered: (Int, UInt8, UnsafeRawBufferPointer) -> Void,
    progress: (Int) -> Void = { _ in }
  ) throws(ClientError) {
    (cursor, jobCount, finished) = (0, count, 0)
    var now = Clock.monotonicNanoseconds()
    lastFinish = now
    for lane in lanes where lane.channel.state == .open { feed(lane, now, write) }
    while finished < count {
      reconnect(now)
      let n = poller.wait(milliseconds: 20)
      now = Clock.monotonicNanoseconds()
      for i in 0..<n {
        guard let event = poller.event(i) else { continue }
        handle(event, lanes[Int(event.token)], now, write, answered)
      }
      for lane in lanes where lane.channel.state == .open && lane.inFlight < lane.jobs.count && hasWork {
        feed(lane, now, write)
      }
      progress(finished)
      dropSilent(now)
      guard Double(now - min(now, lastFinish)) < options.patience * 1e9 else { throw giveUp() }
    }
  }

  private var hasWork: Bool { cursor < jobCount || retries.contains { !$0.isEmpty } }

  private func giveUp() -> ClientError {
    let seconds = Int(options.patience)
    let left = jobCount - finished
    guard lanes.contains(where: { $0.channel.state == .open }) else {
      return .unreachable(["no node for \(seconds) s, \(left) requests left"])
    }
    let last = counters.refusedByNode.examples.last.map { ", last: \($0)" } ?? ""
    return .timedOut("no answer for \(seconds) s, \(left) requests left\(last)")
  }

  private func handle(
    _ event: ChannelPoller.Event, _ lane: Lane, _ now: UInt64, _ write: (Int, inout ByteBuffer) -> Void,
    _ answered: (Int, UInt8, UnsafeRawBufferPointer) -> Void
  ) {
    switch lane.channel.state {
    case .closed: return
    case .connecting:
      guard event.isWritable else { return }
      guard lane.channel.finishConnecting() else { return lose(lane, now) }
      lane.retryPause = 100_000_000
      lane.lastHeard = now
      feed(lane, now, write)
    case .open:
      if event.isReadable {
        guard receive(lane, now, answered) else { return lose(lane, now) }
        feed(lane, now, write)
      } else if event.isWritable, !lane.channel.flush() {
        lose(lane, now)
      }
    }
  }

  private func receive(
    _ lane: Lane, _ now: UInt64, _ answered: (Int, UInt8, UnsafeRawBufferPointer) -> Void
  ) -> Bool {
    lane.lastHeard = now
    return lane.channel.receive { kind, line in
      guard lane.inFlight > 0 else { return }
      let job = lane.jobs[lane.head % lane.jobs.count]
      lane.head += 1
      if kind == UInt8(ascii: "-"), Courier.isPassing(line) {
        counters.retries += 1
        counters.refusedByNode.count(line)
        retries[lane.address].push(Retry(job: job, due: now + 50_000_000))
      } else {
        finished += 1
        lastFinish = now
        answered(job, kind, line)
      }
    }
  }

  /// Whether the error is one that a later attempt with the same id may overcome.
  static func isPassing(_ line: UnsafeRawBufferPointer) -> Bool {
    let code = line.prefix { $0 != 32 }
    return code.elementsEqual("BUSY".utf8) || code.elementsEqual("UNAVAILABLE".utf8)
      || code.elementsEqual("UNKNOWN".utf8)
  }

  private func feed(_ lane: Lane, _ now: UInt64, _ write: (Int, inout ByteBuffer) -> Void) {
    if lane.inFlight == 0 { lane.lastHeard = now }
    while lane.inFlight < lane.jobs.count, let job = nextJob(for: lane.address, now) {
      lane.jobs[lane.tail % lane.jobs.count] = job
      lane.tail += 1
      write(job, &lane.channel.output)
    }
    if !lane.channel.flush() { lose(lane, now) }
  }

  /// First what another node has failed, then what this one has if nobody else took it, then what is new.
  private func nextJob(for address: Int, _ now: UInt64) -> Int? {
    for i in retries.indices where i != address {
      if let job = retries[i].pop(at: now, waited: 0) { return job }
    }
    let othersLive = lanes.contains { $0.address != address && $0.channel.state == .open }
    if let job = retries[address].pop(at: now, waited: othersLive ? 500_000_000 : 0) { return job }
    guard cursor < jobCount else { return nil }
    cursor += 1
    return cursor - 1
  }

  private func lose(_ lane: Lane, _ now: UInt64) {
    if lane.channel.state == .open || lane.inFlight > 0 { counters.connectionsLost += 1 }
    lane.channel.close()
    while lane.inFlight > 0 {
      retries[lane.address].push(Retry(job: lane.jobs[lane.head % lane.jobs.count], due: now))
      lane.head += 1
      counters.retries += 1
    }
    lane.retryAt = now + lane.retryPause
    lane.retryPause = min(1_000_000_000, lane.retryPause * 2)
  }

  private func reconnect(_ now: UInt64) {
    for lane in lanes where lane.channel.state == .closed && now >= lane.retryAt {
      if !lane.channel.connect(to: addresses[lane.address]) { lose(lane, now) }
      lane.lastHeard = now
    }
  }

  private func dropSilent(_ now: UInt64) {
    let silence = UInt64(options.silence * 1e9)
    for lane in lanes where now > lane.lastHeard + silence {
      if lane.channel.state == .connecting || (lane.channel.state == .open && lane.inFlight > 0) { lose(lane, now) }
    }
  }
}
