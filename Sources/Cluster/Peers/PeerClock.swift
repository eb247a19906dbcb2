import Base

/// What is known of a peer's wall clock, from the readings that its heartbeats bring.
///
/// A reading is as old as the frame was on its way. How long that was at most follows from what the peer echoes: our own
/// monotonic clock as it last heard it, and for how long it kept that. So each sample has a bound of its error, half a round
/// trip, and the best of the last few counts: a frame that lay in a queue spoils nothing.
struct PeerClock {
  private struct Sample: BitwiseCopyable {
    /// The peer's wall clock less our monotonic one: a step of our own wall clock does not touch it.
    var offset: Int64
    /// How wrong that may be, either way.
    var error: Int64
    var takenAt: UInt64
  }
  private var samples: [Sample] = []
  private var next = 0
  /// To be echoed: the peer's monotonic clock as last heard, and when that was here.
  private(set) var lastHeard: (theirs: UInt64, ours: UInt64)?
  /// The peer says that its own clock is off.
  var isOff = false

  static let sampleCount = 8
  /// Samples that are older say nothing.
  static let sampleAge: UInt64 = 5_000_000

  /// A heartbeat has come: the peer's clocks when it was sent, and what it echoes.
  mutating func heard(wall: Stamp, monotonic: UInt64, echoed: UInt64, heldFor: UInt64, now: Moment) {
    lastHeard = (monotonic, now.monotonic)
    guard echoed != 0, echoed <= now.monotonic, heldFor <= now.monotonic - echoed else { return }
    let roundTrip = Int64(now.monotonic - echoed - heldFor)
    let sample = Sample(
      offset: wall.microseconds &+ roundTrip / 2 &- Int64(now.monotonic), error: roundTrip / 2 + 1,
      takenAt: now.monotonic)
    if samples.count < PeerClock.sampleCount {
      samples.append(sample)
    } else {
      samples[next] = sample
      next = (next + 1) % PeerClock.sampleCount
    }
  }

  /// By how much the peer's wall clock is ahead of ours: at least, and at most; nil if it was not heard lately.
  func ahead(now: Moment) -> (least: Int64, most: Int64)? {
    var best: Sample?
    for sample in samples where now.monotonic - sample.takenAt <= PeerClock.sampleAge {
      if best.map({ sample.error < $0.error }) ?? true { best = sample }
    }
    guard let best else { return nil }
    let ahead = best.offset &+ Int64(now.monotonic) &- now.wall.microseconds
    return (ahead &- best.error, ahead &+ best.error)
  }

  /// What the peer's wall clock says now at least, less our monotonic clock; nil if it was not heard lately.
  func leastOffset(now: Moment) -> Int64? {
    var least: Int64?
    for sample in samples where now.monotonic - sample.takenAt <= PeerClock.sampleAge {
      let aged = Int64(now.monotonic - sample.takenAt) / PeerClock.driftDivisor
      least = max(least ?? .min, sample.offset &- sample.error &- aged)
    }
    return least
  }
  /// Clocks that count time part by no more than a thousandth.
  private static let driftDivisor: Int64 = 1_000

  /// How long the quickest of the last few heartbeats took there and back; nil if none was answered lately.
  func roundTrip(now: Moment) -> UInt64? {
    var least: Int64?
    for sample in samples where now.monotonic - sample.takenAt <= PeerClock.sampleAge {
      least = min(least ?? .max, sample.error)
    }
    return least.map { UInt64(2 * ($0 - 1)) }
  }

  /// The link was lost: what comes next may be of another life.
  mutating func forget() { self = PeerClock() }
}

extension Peer {
  /// Appends a reading of this node's clocks, and what it last heard of the peer's.
  func appendClock(to buffer: inout ByteBuffer, now: Moment, isOff: Bool) {
    buffer.append(now.wall.microseconds)
    buffer.append(now.monotonic)
    let heard = clock.lastHeard
    buffer.append(heard?.theirs ?? 0)
    buffer.append(heard.map { now.monotonic - $0.ours } ?? 0)
    buffer.append(UInt8(isOff ? 1 : 0))
  }
  /// Takes such a reading of the peer's. Returns when this node said what the peer has heard of it last.
  func receiveClock(_ reader: inout ByteReader, now: Moment) throws(MalformedBytes) -> UInt64 {
    let wall = Stamp(microseconds: try reader.read())
    let monotonic = try reader.read(UInt64.self)
    let echoed = try reader.read(UInt64.self)
    let heldFor = try reader.read(UInt64.self)
    clock.heard(wall: wall, monotonic: monotonic, echoed: echoed, heldFor: heldFor, now: now)
    clock.isOff = try reader.read(UInt8.self) != 0
    if echoed <= now.monotonic { lastEcho = max(lastEcho, echoed) }
    return echoed
  }
}
