import Base
import Glibc
import OpenSSL
import System

/// One thread of the generator: some of the connections, each kept full to the pipeline's depth (closed loop), or fed
/// by the clock (open loop). In an open loop a request's time counts from the moment at which it was due, so a stall
/// of the cluster shows in every request that it delayed (no coordinated omission).
final class LoadWorker: @unchecked Sendable {
  private let plan: LoadPlan
  private let templates: TemplateTable
  private let picker: MemberPicker
  private let merchantCount: UInt64
  private let kindOfPercent: [UInt8]
  private let addresses: [Destination]
  private let poller: ChannelPoller
  private var lanes: [Lane] = []
  private var generator: SeededGenerator
  private var limit: UInt64
  private var interval = 0.0
  private var issued: UInt64 = 0
  private var start: UInt64 = 0
  private var deadline = UInt64.max
  private var nextLane = 0
  private var outstanding = 0
  private(set) var result = LoadResult()
  /// Replies so far, for the line of progress; read from another thread, so only as good as that.
  private(set) var answeredSoFar: UInt64 = 0

  /// One connection, with the moments at which its open requests began.
  private final class Lane {
    let channel: Channel
    let address: Int
    let begun: UnsafeMutablePointer<UInt64>
    let kinds: UnsafeMutablePointer<UInt8>
    let mask: Int
    let depth: Int
    var head = 0
    var tail = 0
    var retryAt: UInt64 = 0
    var inFlight: Int { tail &- head }

    init(channel: Channel, address: Int, depth: Int) {
      self.channel = channel
      self.address = address
      self.depth = depth
      var room = 1
      while room < depth { room *= 2 }
      mask = room - 1
      begun = .allocate(capacity: room)
      kinds = .allocate(capacity: room)
    }
    deinit {
      begun.deallocate()
      kinds.deallocate()
    }
  }

  init(plan: LoadPlan, worker: Int, workerCount: Int, addresses: [Destination]) throws(ClientError) {
    self.plan = plan
    self.addresses = addresses
    let letters = Array("0123456789abcdefghijklmnopqrstuvwxyz")
    let workerID = plan.runID + String(letters[worker % letters.count])
    templates = TemplateTable(plan.templates(workerID: workerID))
    picker = MemberPicker(count: plan.memberCount, skew: plan.skew)
    merchantCount = UInt64(plan.merchantNames.count)
    kindOfPercent = plan.mix.flatMap { repeatElement(UInt8($0.kind.rawValue), count: $0.percent) }
    precondition(kindOfPercent.count == 100, "a mix adds up to 100 percent")
    generator = SeededGenerator(seed: plan.seed &+ UInt64(worker) &* 0x9E37_79B9)
    let share = plan.requestCount / workerCount + (worker < plan.requestCount % workerCount ? 1 : 0)
    limit = plan.requestCount == 0 ? .max : UInt64(share)
    if plan.rate > 0 { interval = 1e9 * Double(workerCount) / plan.rate }
    poller = try ChannelPoller()
    poller.signIn = plan.credentials?.bytes ?? []
  }

  /// Makes one more connection; `address` is the number of its address in `addresses`. Only before `run`.
  func connect(to address: Int, within milliseconds: Int32) throws(ConnectFailure) {
    let stream = try SecureStream.connected(to: addresses[address], on: poller.wire, within: milliseconds)
    let channel = Channel(token: UInt32(lanes.count), poller: poller)
    channel.adopt(stream, isConnected: true)
    lanes.append(Lane(channel: channel, address: address, depth: plan.pipelineDepth))
  }
  var hasConnections: Bool { !lanes.isEmpty }

  /// Runs to the end of the plan: until the last reply, or 10 s after the last request.
  func run() {
    let cpuStart = LoadWorker.threadTime()
    start = Clock.monotonicNanoseconds()
    if plan.seconds > 0 { deadline = start + UInt64(plan.seconds * 1e9) }
    for lane in lanes { feed(lane, start) }
    if interval > 0 { pump(start) }
    var last = start
    while outstanding > 0 || mayIssue(Clock.monotonicNanoseconds()) {
      let n = poller.wait(milliseconds: 100)
      var now = Clock.monotonicNanoseconds()
      for i in 0..<n {
        guard let event = poller.event(i) else { continue }
        handle(event, lanes[Int(event.token)], &now)
        last = now
      }
      if interval > 0 { pump(now) }
      if now > deadline, now - deadline > 10_000_000_000 { break }
      if n == 0 || result.reconnects > 0 { reconnect(now) }
    }
    result.errors.count("no reply", by: UInt64(outstanding))
    result.nanoseconds = max(1, last - start)
    result.sent = issued
    result.answered = answeredSoFar
    result.generatorNanoseconds = LoadWorker.threadTime() - cpuStart
    for lane in lanes { lane.channel.close() }
  }

  private func mayIssue(_ now: UInt64) -> Bool { issued < limit && now < deadline }

  private func handle(_ event: ChannelPoller.Event, _ lane: Lane, _ now: inout UInt64) {
    if lane.channel.state == .connecting {
      guard event.isWritable else { return }
      if lane.channel.finishConnecting() { feed(lane, now) } else { lose(lane, now) }
      return
    }
    guard lane.channel.state == .open else { return }
    if event.isReadable {
      now = Clock.monotonicNanoseconds()
      guard receive(lane, now) else { return lose(lane, now) }
      feed(lane, now)
    } else if event.isWritable, !lane.channel.flush() {
      lose(lane, now)
    }
  }

  @inline(__always) private func receive(_ lane: Lane, _ now: UInt64) -> Bool {
    var answered = 0
    let isAlive = lane.channel.receive { kind, line in
      guard lane.head != lane.tail else { return }
      let slot = lane.head & lane.mask
      lane.head &+= 1
      answered &+= 1
      let begun = lane.begun[slot]
      result.histograms[Int(lane.kinds[slot])].record(now > begun ? now &- begun : 0)
      if kind == UInt8(ascii: "-") { result.errors.count(line) }
    }
    outstanding &-= answered
    answeredSoFar &+= UInt64(answered)
    return isAlive
  }

  /// Closed loop: fills the connection's pipeline.
  private func feed(_ lane: Lane, _ now: UInt64) {
    guard interval == 0, lane.channel.state == .open else { return }
    guard now < deadline else { return }
    while lane.inFlight < lane.depth, issued < limit { issue(on: lane, begun: now) }
    if !lane.channel.flush() { lose(lane, now) }
  }

  /// Open loop: sends what is due, on the connections in turn, and sets the alarm for the next.
  private func pump(_ now: UInt64) {
    guard now >= start else { return }
    var isFull = false
    while issued < limit, !isFull {
      let due = start &+ UInt64(Double(issued) * interval)
      guard due <= now, due < deadline else {
        if due < deadline { poller.alarm(at: due) }
        break
      }
      isFull = true
      for _ in 0..<lanes.count {
        let lane = lanes[nextLane]
        nextLane = nextLane + 1 == lanes.count ? 0 : nextLane + 1
        if lane.channel.state == .open, lane.inFlight < lane.depth {
          issue(on: lane, begun: due)
          isFull = false
          break
        }
      }
    }
    for lane in lanes where lane.channel.state == .open && lane.channel.unsentByteCount > 0 {
      if !lane.channel.flush() { lose(lane, now) }
    }
  }

  @inline(__always) private func issue(on lane: Lane, begun: UInt64) {
    let random = generator.next()
    let kind = kindOfPercent.withUnsafeBufferPointer { $0[Int(((random & 0xFFFF) &* 100) &>> 16)] }
    let merchant = ((random &>> 48) &* merchantCount) &>> 16
    let member = picker.pick(random &>> 16)
    var recipient: UInt64 = 0
    if kind == UInt8(LoadPlan.Kind.transfer.rawValue) || kind == UInt8(LoadPlan.Kind.line.rawValue) {
      recipient = picker.pick(generator.next())
      if recipient == member { recipient = (member + 1) % picker.count }
    }
    issued &+= 1
    templates.append(
      Int(UInt64(kind) &* merchantCount &+ merchant),
      TemplateTable.Filling(
        member: member, recipient: recipient, spend: 1000 &+ (random &>> 20) % 9000, counter: issued),
      to: &lane.channel.output)
    let slot = lane.tail & lane.mask
    lane.begun[slot] = begun
    lane.kinds[slot] = kind
    lane.tail &+= 1
    outstanding &+= 1
  }

  private func lose(_ lane: Lane, _ now: UInt64) {
    lane.channel.close()
    result.errors.count("connection lost", by: UInt64(lane.inFlight))
    outstanding -= lane.inFlight
    lane.head = lane.tail
    lane.retryAt = now + 200_000_000
    result.reconnects += 1
  }

  private func reconnect(_ now: UInt64) {
    guard mayIssue(now) else { return }
    for lane in lanes where lane.channel.state == .closed && now >= lane.retryAt {
      lane.retryAt = now + 500_000_000
      guard lane.channel.connect(to: addresses[lane.address]) else { continue }
      if lane.channel.state == .open { feed(lane, now) }
    }
  }

  private static func threadTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
