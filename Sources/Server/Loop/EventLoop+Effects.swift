import Base
import Cluster

// What the node wants done at the end of a turn.

/// Rare effects: taking them costs an allocation next time.
private func taken<Element>(_ list: inout [Element]) -> [Element] {
  var taken: [Element] = []
  swap(&taken, &list)
  return taken
}

extension EventLoop {
  /// The log first, since the disk takes longest; then other nodes, who have a log to write too; then clients.
  mutating func perform() {
    if let batch = effects.logBatch {
      effects.logBatch = nil
      if options.writesWhenIdle && effects.isLogBatchAwaited { idleBatch = batch } else { workers.submit(batch) }
    }
    sendLinkOutput()
    sendClientOutput()
    if !effects.clientReading.isEmpty {
      for (client, on) in taken(&effects.clientReading) { setReading(client.rawValue, on: on) }
    }
    if !effects.clientClose.isEmpty {
      for id in taken(&effects.clientClose) {
        if let client = clients.find(id.rawValue), !closesHTTP(id.rawValue, client) { beginClose(id.rawValue, client) }
      }
    }
    if !effects.linkClose.isEmpty {
      for id in taken(&effects.linkClose) { closeLink(id.rawValue) }
    }
    if !effects.openLink.isEmpty {
      for (request, address, bulk) in taken(&effects.openLink) {
        openLink(request: request, address: address, isBulk: bulk)
      }
    }
    if !effects.jobs.isEmpty {
      for job in taken(&effects.jobs) { workers.submit(job) }
    }
    if !effects.logLines.isEmpty {
      for (level, text) in taken(&effects.logLines) { logger.log(level, text) }
    }
  }
  private mutating func sendLinkOutput() {
    guard !effects.linkOutput.isEmpty else { return }
    var output: [(link: LinkID, bytes: [UInt8])] = []
    swap(&output, &effects.linkOutput)
    for (id, bytes) in output {
      if links.append(bytes, to: id.rawValue) { gauges.unsentBytes += bytes.count }
    }
    output.removeAll(keepingCapacity: true)
    swap(&output, &effects.linkOutput)
    for id in links.dirty {
      guard let link = links.find(id) else { continue }
      link.pointee.isDirty = false
      // One that waits for the kernel is sent to when that is ready.
      if !link.pointee.interest.contains(.writable) { sendToLink(id) }
    }
    links.cleaned()
  }

  private mutating func sendClientOutput() {
    // Gateways of HTTP have output of their own.
    guard !effects.clientOutput.isEmpty || !clients.dirty.isEmpty else { return }
    var output: [(client: ClientID, bytes: [UInt8])] = []
    swap(&output, &effects.clientOutput)
    for (id, bytes) in output where !takesReplies(id.rawValue, bytes) {
      if clients.append(bytes, to: id.rawValue) { gauges.unsentBytes += bytes.count }
    }
    output.removeAll(keepingCapacity: true)
    swap(&output, &effects.clientOutput)
    for id in clients.dirty {
      guard let client = clients.find(id) else { continue }
      client.pointee.state.remove(.dirty)
      if !client.pointee.interest.contains(.writable) {
        sendToClient(id)
      } else if client.pointee.output.byteCount > LoopOptions.unsentBytesMax {
        client.pointee.state.insert(.heldByOutput)
      }
    }
    clients.cleaned()
  }
}
