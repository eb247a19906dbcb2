import Base

extension Replica {
  func addMarker(_ envelope: UnsafeRawBufferPointer, at wanted: Stamp, _ replyTo: ReplyTo) {
    let marker = Marker(stamp: wanted, envelope: Array(envelope), replyTo: replyTo)
    guard leading.markers.add(marker, clock: clock.own) else {
      return refuseMarker(replyTo, "the shard cannot take a marker at that stamp")
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
      return refuseMarker(marker.replyTo, "the shard is past that stamp")
    }
    gather.add(marker: marker.envelope, for: marker.replyTo, at: marker.stamp)
    self.propose()
    guard !gather.isEmpty else { return }
    // It could not be proposed, and must not wait: what came after it would share its entry and its stamp.
    gather.reset()
    refuseMarker(marker.replyTo, "the shard has too much uncommitted")
  }

  private func refuseMarker(_ replyTo: ReplyTo, _ reason: String) {
    reply.buffer.removeAll()
    reply.error(.busy, reason)
    outbox.result(shard, replyTo, reply.buffer.bytes)
  }
}
