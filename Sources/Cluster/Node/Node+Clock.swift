import Base
import Ledger
import Raft

/// Clocks: what is read of each other's, and what follows from `ClockGuard`'s judgement.
extension Node {
  /// Stamps of others, deliveries' and markers', that are further ahead are not proposed: followers would not take them.
  static let stampTolerance: Int64 = 1_000_000
  /// So often the operator is told of what goes on, in microseconds.
  static let alarmInterval: UInt64 = 10_000_000

  // MARK: Readings

  func sendClock(to peer: Peer) {
    let start = peer.outbox.beginMessage(.clock)
    peer.outbox.append(now.wall.microseconds)
    peer.outbox.append(now.monotonic)
    let heard = peer.clock.lastHeard
    peer.outbox.append(heard?.theirs ?? 0)
    peer.outbox.append(heard.map { now.monotonic - $0.ours } ?? 0)
    peer.outbox.append(UInt8(clock.isOff ? 1 : 0))
    peer.outbox.endMessage(start)
  }

  func receiveClock(_ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) {
    let wall = Stamp(microseconds: try reader.read())
    let monotonic = try reader.read(UInt64.self)
    let echoed = try reader.read(UInt64.self)
    let heldFor = try reader.read(UInt64.self)
    peer.clock.heard(wall: wall, monotonic: monotonic, echoed: echoed, heldFor: heldFor, now: now)
    peer.clock.isOff = try reader.read(UInt8.self) != 0
    if echoed <= now.monotonic { peer.lastEcho = max(peer.lastEcho, echoed) }
    endUnheardLink(to: peer, heard: echoed)
  }

  /// The peer speaks, and has heard nothing of us for long: our link to it is stuck, whatever TCP says. `moment` is when we
  /// said what it heard last. The link may be in the middle of its greeting: the peer has its seat, since it speaks, and that
  /// word is what does not come. Members do not listen to who is none yet.
  private func endUnheardLink(to peer: Peer, heard moment: UInt64) {
    guard peer.cluster == cluster else { return }
    guard let dial = dials.first(where: { leads($0, to: peer) }), let link = dial.link else { return }
    if now.monotonic - min(now.monotonic, max(moment, dial.openedAt)) > Node.unheardLimit {
      closeLink(link, because: "\(peer.hello.name) has heard nothing on it for \(Node.unheardLimit / 1_000_000) s")
    }
  }
  private func leads(_ dial: Dial, to peer: Peer) -> Bool {
    guard let link = dial.link else { return false }
    guard peer.outgoing == nil else { return peer.outgoing == link }
    guard let greeting = links[link]?.greeting, greeting.isProven else { return false }
    return greeting.hello?.node == peer.id && greeting.hello?.life == peer.life
  }

  // MARK: The verdict

  private var clockReadings: [ClockGuard.Reading] {
    peers.compactMap { peer in
      guard peer.index != 0 else { return nil }
      let bounds = peer.clock.ahead(now: now).map { ClockGuard.Bounds(least: $0.least, most: $0.most) }
      return ClockGuard.Reading(ahead: bounds, leastOffset: peer.clock.leastOffset(now: now), isOff: peer.clock.isOff)
    }
  }
  func judgeClock() {
    if clock.judge(clockReadings, now: now, &out) { judgeLeadership() }
  }
  /// At each turn's end: a clock that was set is judged before it stamps anything.
  func noticeClockStep() {
    if clock.wasSet(now: now) { judgeClock() }
  }
  /// A moment that no clock which may stamp entries has yet to come to; nil while no peer's clock is known.
  var earliest: Stamp? { clock.earliest(now: now) }
  /// By how much the clock that is most ahead of ours is, of those that may stamp entries.
  var mostAhead: Int64 { clock.mostAhead(of: clockReadings) }

  /// How long the nearest majority of a shard's voters takes to answer this node, in microseconds.
  func majorityTrip(of voters: [NodeID]) -> UInt64 {
    let trips = voters.filter { $0 != id }.map { peer($0)?.clock.roundTrip(now: now) ?? .max }.sorted()
    let needed = voters.contains(id) ? voters.count / 2 : voters.count / 2 + 1
    return needed == 0 ? 0 : needed <= trips.count ? trips[needed - 1] : .max
  }
  /// From so long a round trip on a majority is far: several times what a log takes to write.
  static let farTrip: UInt64 = 4_000

  /// What settling a delivery takes when all is well: there and back, and an entry at either side; and one trip more.
  var deliveryPatience: UInt64 {
    var longest: UInt64 = 0
    for peer in peers where peer.index != 0 { longest = max(longest, peer.clock.roundTrip(now: now) ?? 0) }
    return max(configuration.deliveryInterval, 4 * longest)
  }

  /// With each heartbeat.
  func judgeDistances() {
    for replica in replicas {
      guard let replica, replica.isLeader else { continue }
      replica.setMajorityFar(majorityTrip(of: replica.raft.configuration.voters.map(\.node)) >= Node.farTrip)
    }
  }

  // MARK: Entries from the future

  /// Takes from an append what is stamped too far ahead of this node's clock; false if nothing is left. It is not
  /// acknowledged, and so comes again: by then it may be of the past. What is known to be committed is taken, because it is
  /// so whatever the clock says.
  func admit(_ message: inout Message, _ replica: Replica, from peer: Peer) -> Bool {
    guard let last = message.entries.last(where: { $0.kind == .command }) else { return true }
    let limit = ClockGuard.limit(now: now, applied: replica.machine.lastStamp)
    guard Node.stamp(of: last) > limit else { return true }
    let commit = message.commit
    let first = message.entries.firstIndex {
      $0.kind == .command && $0.index > commit && Node.stamp(of: $0) > limit
    }
    guard let refused = first else { return true }
    clock.tellRefused(
      stamp: Node.stamp(of: message.entries[refused]), of: replica.shard, from: peer.hello.name, now: now, &out)
    guard refused > 0 else { return false }
    message.entries.removeSubrange(refused...)
    return true
  }

  static func stamp(of entry: LogEntry) -> Int64 {
    entry.payload.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      // What cannot be read is refused by whoever applies it.
      return (try? EntryHeader(decoding: &reader))?.stamp.microseconds ?? .min
    }
  }
}
