import Base
import Ledger
import Raft

/// Whether a wall clock can be trusted. Every entry is stamped by its leader's clock, and points expire by the stamps; so a
/// node whose clock is off neither leads nor proposes, and a follower does not take entries from the future. Both are the
/// node's judgement, not the ledger's: what is committed is applied by its stamp, whatever the clock says.
extension Node {
  /// A clock is off when it is further from the median than the first, and right again when it is within the second.
  static let clockTolerance: Int64 = 500_000
  static let clockRecovery: Int64 = 400_000
  /// Stamps of others, deliveries' and markers', that are further ahead are not proposed: followers would not take them.
  static let stampTolerance: Int64 = 1_000_000
  static let alarmInterval: UInt64 = 10_000_000

  struct ClockState {
    var isOff = false
    /// By how much this node's clock was ahead of the median when last judged; nil without a verdict.
    var ahead: Int64?
    var offSince: UInt64 = 0
    /// The wall clock less the monotonic one: changes when the wall clock is set.
    var skew: Int64 = 0
    /// What the earliest of all clocks that may stamp entries says at least, less this node's monotonic clock.
    var earliest: Int64?
    /// When the operator was last told, of this node's clock and of a peer's entries.
    var toldOff: UInt64?
    var toldRefused: UInt64?
  }

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

  /// At each turn's end: a clock that was set is judged before it stamps anything.
  func noticeClockStep() {
    let skew = now.wall.microseconds &- Int64(now.monotonic)
    let step = skew &- clock.skew
    clock.skew = skew
    if step > 100_000 || step < -100_000 { judgeClock() }
  }

  /// Judges this node's clock by all that are heard, and by those of them that are believed: next to a clock that is further
  /// off, one that is off looks like the one in the middle. Either verdict tells that it is off, both that it is right.
  func judgeClock() {
    findEarliest()
    guard let all = compare(believedOnly: false) else {
      clock.ahead = nil
      return
    }
    let believed = compare(believedOnly: true) ?? all
    clock.ahead = (believed.isOff ? believed : all).ahead
    if all.isOff || believed.isOff {
      clockIsOff()
    } else if clock.isOff, all.isRight, believed.isRight {
      clockIsRight()
    }
  }

  private struct ClockVerdict {
    /// By how much this node's clock is ahead; nil where two that differ are all there is.
    var ahead: Int64?
    var isOff: Bool
    /// Within what a clock that was off must come to.
    var isRight: Bool
  }

  /// Compares this node's clock with the median of all that are heard, its own among them: with three nodes the one that
  /// is off is found by the two that agree. Of two that differ nobody knows which is right; the one that is ahead does not
  /// lead, for the other would not take its stamps, and what was stamped once stays in the log. Nil: nobody is heard.
  /// - Parameter believedOnly: leaves out those that know themselves to be off.
  private func compare(believedOnly: Bool) -> ClockVerdict? {
    var least: [Int64] = [0]
    var most: [Int64] = [0]
    for peer in peers where peer.index != 0 && !(believedOnly && peer.clock.isOff) {
      guard let bounds = peer.clock.ahead(now: now) else { continue }
      least.append(bounds.least)
      most.append(bounds.most)
    }
    if least.count < 2 { return nil }
    if least.count == 2 {
      let isOff = -most[1] > Node.clockTolerance
      return ClockVerdict(
        ahead: isOff ? -(least[1] + most[1]) / 2 : nil, isOff: isOff, isRight: most[1] >= -Node.clockRecovery)
    }
    least.sort()
    most.sort()
    // Of an even number the median that speaks for this node: two against two is no verdict.
    let behindBy = least[(least.count - 1) / 2]
    let aheadBy = -most[most.count / 2]
    return ClockVerdict(
      ahead: (aheadBy - behindBy) / 2, isOff: max(behindBy, aheadBy) > Node.clockTolerance,
      isRight: max(behindBy, aheadBy) <= Node.clockRecovery)
  }

  /// Whoever leads next may have a clock that is behind all others, and what is committed then is older by that clock than
  /// what this node would promise by its own. So promises (`asof=`) go by the earliest of the clocks that are heard. One
  /// that is further behind than two tolerances leads nothing.
  private func findEarliest() {
    let own = now.wall.microseconds &- Int64(now.monotonic)
    clock.earliest = peers.count == 1 ? own : nil
    for peer in peers where peer.index != 0 && !peer.clock.isOff {
      guard let offset = peer.clock.leastOffset(now: now) else { continue }
      clock.earliest = min(clock.earliest ?? own, max(offset, own - 2 * Node.clockTolerance))
    }
  }
  /// A moment that no clock which may stamp entries has yet to come to; nil while no peer's clock is known.
  var earliest: Stamp? {
    clock.earliest.map { min(now.wall, Stamp(microseconds: Int64(now.monotonic) &+ $0)) }
  }

  private func clockIsOff() {
    if !clock.isOff {
      clock.isOff = true
      clock.offSince = now.monotonic
      statusDue = true
      judgeLeadership()
    }
    guard clock.toldOff.map({ now.monotonic - $0 >= Node.alarmInterval }) ?? true else { return }
    clock.toldOff = now.monotonic
    let milliseconds = (clock.ahead ?? 0) / 1000
    log(
      .error,
      "alarm=CLOCK this node's clock is \(abs(milliseconds)) ms \(milliseconds < 0 ? "behind" : "ahead of") the others':"
        + " it does not lead until the clock is right; set it (chronyc makestep) and see that it is kept so")
  }

  private func clockIsRight() {
    clock.isOff = false
    clock.toldOff = nil
    statusDue = true
    judgeLeadership()
    log(.info, "the clock is right again")
  }

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
      replica.setMajorityFar(majorityTrip(of: replica.raft.configuration.voters) >= Node.farTrip)
    }
  }

  /// By how much the clock that is most ahead of ours is, of those that may stamp entries.
  var mostAhead: Int64 {
    var most: Int64 = 0
    for peer in peers where peer.index != 0 && !peer.clock.isOff {
      if let bounds = peer.clock.ahead(now: now) { most = max(most, bounds.most) }
    }
    return clock.isOff ? 0 : min(most, 2 * Node.clockTolerance)
  }

  // MARK: Entries from the future

  /// Takes from an append what is stamped too far ahead of this node's clock; false if nothing is left. It is not
  /// acknowledged, and so comes again: by then it may be of the past. Stamps that only follow from those before are taken,
  /// or a shard whose time once ran ahead would stand still until then; and what is known to be committed is taken, because
  /// it is so whatever the clock says.
  func admit(_ message: inout Message, _ replica: Replica, from peer: Peer) -> Bool {
    guard let last = message.entries.last(where: { $0.kind == .command }) else { return true }
    let applied = replica.machine.lastStamp.microseconds
    let limit = max(now.wall.microseconds &+ Node.clockTolerance, applied &+ 1_000)
    guard Node.stamp(of: last) > limit else { return true }
    let commit = message.commit
    let first = message.entries.firstIndex {
      $0.kind == .command && $0.index > commit && Node.stamp(of: $0) > limit
    }
    guard let refused = first else { return true }
    if clock.toldRefused.map({ now.monotonic - $0 >= Node.alarmInterval }) ?? true {
      clock.toldRefused = now.monotonic
      let ahead = (Node.stamp(of: message.entries[refused]) - now.wall.microseconds) / 1000
      log(
        .error,
        "alarm=CLOCK shard=\(replica.shard.rawValue) entries of node=\(peer.hello.name) are stamped \(ahead) ms ahead of"
          + " this node's clock: they are not taken; set the clock that is wrong, there or here")
    }
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
