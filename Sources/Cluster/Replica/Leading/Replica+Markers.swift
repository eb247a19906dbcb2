import Base

extension Replica {
  func addMarker(_ envelope: UnsafeRawBufferPointer, at wanted: Stamp, _ origin: Origin) {
    let marker = Marker(stamp: wanted, envelope: Array(envelope), origin: origin)
    guard leading.markers.add(marker, clock: clock.own) else {
      return refuseMarker(origin, "the shard cannot take a marker at that stamp")
    }
    proposeMarkers()
  }

  /// Proposes the markers that are due.
  func proposeMarkers() {
    guard !leading.markers.isEmpty else { return }
    for marker in leading.markers.takeDue(clock: clock.own) { propose(marker) }
  }

  private func propose(_ marker: Marker) {
    if !gather.isEmpty { self.propose() }
    guard gather.isEmpty, marker.stamp > leading.lastStamp, marker.stamp > machine.lastStamp else {
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
