import Base

/// An audit's cut: everything before its marker has an earlier stamp, everything after a later one.
extension Replica {
  struct Marker {
    var stamp: Stamp
    var envelope: [UInt8]
    var origin: Origin
  }
  /// So far ahead of the clock a marker is proposed: longer than from one tick to the next.
  private static let markerLead: Int64 = 25_000
  /// So far ahead of the clock a stamp may be asked for.
  private static let markerReach: Int64 = 5_000_000
  private static let markerLimit = 64

  /// A marker waits until the clock has come near its stamp: what is proposed meanwhile is of earlier stamps, and no
  /// follower takes the marker's for one of the future.
  func addMarker(_ envelope: UnsafeRawBufferPointer, at wanted: Stamp, _ origin: Origin) {
    guard markers.count < Replica.markerLimit, wanted.microseconds &- clock.microseconds <= Replica.markerReach else {
      return refuseMarker(origin, "the shard cannot take a marker at that stamp")
    }
    markers.append(Marker(stamp: wanted, envelope: Array(envelope), origin: origin))
    proposeMarkers()
  }

  /// Proposes the markers that are due.
  func proposeMarkers() {
    guard !markers.isEmpty else { return }
    let horizon = clock.microseconds &+ Replica.markerLead
    let waiting = markers
    markers = waiting.filter { $0.stamp.microseconds > horizon }
    for marker in waiting where marker.stamp.microseconds <= horizon { propose(marker) }
  }

  private func propose(_ marker: Marker) {
    if !gather.isEmpty { self.propose() }
    guard gather.isEmpty, marker.stamp > lastProposedStamp, marker.stamp > machine.lastStamp else {
      return refuseMarker(marker.origin, "the shard is past that stamp")
    }
    gather.add(marker: marker.envelope, for: marker.origin, at: marker.stamp)
    self.propose()
    guard !gather.isEmpty else { return }
    // It could not be proposed, and must not wait: what came after it would share its entry and its stamp.
    gather.reset()
    refuseMarker(marker.origin, "the shard has too much uncommitted")
  }

  private func refuseMarker(_ origin: Origin, _ reason: String) {
    reply.buffer.removeAll()
    reply.error(.busy, reason)
    outbox.result(shard, origin, reply.buffer.bytes)
  }
}
