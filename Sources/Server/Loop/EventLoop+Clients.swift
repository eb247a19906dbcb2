import Base
import Cluster
import Glibc
import System

// Terminals' connections.

extension EventLoop {
  /// Notes a client that is ready, and sends to it if it has waited for that.
  mutating func clientReady(_ id: UInt64, _ readiness: Readiness) {
    guard let client = clients.find(id) else { return }
    if readiness.contains(.failed)
      || readiness.contains(.hungUp) && (client.pointee.isHeld || client.pointee.state.contains(.ended))
    {
      return dropClient(id)
    }
    if readiness.contains(.writable) {
      sendToClient(id)
      guard clients.find(id) != nil else { return }
    }
    guard readiness.contains(.readable) || readiness.contains(.hungUp) else { return }
    if client.pointee.isHeld && !client.pointee.state.contains(.closing) {
      // Held since: now is the time to stop watching.
      updateInterest(id, client)
    } else {
      clients.enqueue(id, client)
    }
  }

  /// Reads from the clients that are ready, in order, up to a turn's bytes; the others come first in the next turn. Of handshakes
  /// a few go on in a turn, the others stay behind, so that they hold up nobody who is known.
  mutating func readClients() {
    guard clients.hasReady else { return }
    var queue: [UInt64] = []
    clients.takeReady(into: &queue)
    var bytes = 0
    var next = 0
    var handshakes = 0
    var later: [UInt64] = []
    while next < queue.count && bytes < options.turnBytesMax {
      let id = queue[next]
      next += 1
      guard let client = clients.find(id) else { continue }
      if client.pointee.state.contains(.handshaking) {
        guard handshakes < LoopOptions.handshakesMax else {
          later.append(id)
          continue
        }
        handshakes += 1
      }
      client.pointee.state.remove(.queued)
      bytes += read(id, client)
    }
    clients.putBack(&queue, reached: next)
    if !later.isEmpty { clients.putBehind(later) }
  }

  /// Reads once from a client, or offers it its leftover again.
  /// - Returns: how many bytes the node was offered.
  private mutating func read(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) -> Int {
    if client.pointee.state.contains(.closing) { return discard(id, client) }
    if client.pointee.state.contains(.handshaking) { return shakeHands(id, client) }
    if client.pointee.isHeld { return 0 }
    let kept = client.pointee.leftover.count
    if kept > 0 { client.pointee.leftover.withUnsafeBytes { scratch.copyMemory(from: $0) } }
    if client.pointee.state.contains(.offer) {
      client.pointee.state.remove(.offer)
      if kept > 0 { offer(id, client, count: kept) }
      if client.pointee.stream.hasMore { clients.enqueue(id, client) }
      return kept
    }
    guard kept <= LoopOptions.leftoverBytesMax else {
      let reason = Array("-ERR too many bytes without the end of a request\r\n".utf8)
      client.pointee.output.append(reason)
      gauges.unsentBytes += reason.count
      core.clientClosed(ClientID(id), now: now)
      beginClose(id, client)
      return 0
    }
    return take(id, client, receive(client, behind: kept), behind: kept)
  }
  /// Reads from a client into `scratch`.
  /// - Parameter kept: bytes of it that stay.
  mutating func receive(_ client: UnsafeMutablePointer<ClientConnection>, behind kept: Int) -> Descriptor.Transfer {
    let room = options.readBytesMax + client.pointee.stream.slack
    let unsent = client.pointee.stream.unsentCount
    let result = client.pointee.stream.receive(
      into: UnsafeMutableRawBufferPointer(rebasing: scratch[kept..<kept + room]))
    // TLS may have something to say itself.
    gauges.unsentBytes += client.pointee.stream.unsentCount - unsent
    return result
  }
  /// Deals with what a client sent.
  mutating func take(
    _ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>, _ received: Descriptor.Transfer, behind kept: Int
  ) -> Int {
    let endBytes = client.pointee.stream.isSecure ? LoopOptions.endOfSessionBytes : 0
    switch received {
    case .moved(let count):
      clients.noteUse(id, client)
      gauges.clientBytesIn += UInt64(count)
      offer(id, client, count: kept + count)
      if client.pointee.stream.hasMore { clients.enqueue(id, client) }
      if client.pointee.stream.unsentCount > 0 { updateInterest(id, client) }
      return count
    case .wouldBlock:
      if client.pointee.stream.unsentCount > 0 { updateInterest(id, client) }
      return 0
    case .failed:
      if let failure = client.pointee.stream.failure { failed(.terminal, client.pointee.stream.descriptor, failure) }
      dropClient(id)
      return endBytes
    case .ended:
      client.pointee.state.insert(.ended)
      dropLeftover(client)
      updateInterest(id, client)
      if client.pointee.http == nil { core.clientEnded(ClientID(id), now: now) } else { settle(id) }
      return endBytes
    }
  }
  /// Offers the node the first bytes of `scratch`, and keeps what it leaves.
  private mutating func offer(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>, count: Int) {
    let bytes = UnsafeRawBufferPointer(rebasing: scratch[..<count])
    let consumed = client.pointee.http?.gateway.received(bytes) ?? core.clientReceived(ClientID(id), bytes, now: now)
    precondition(consumed >= 0 && consumed <= count, "a node consumes what there is")
    if consumed == count {
      if client.pointee.leftover.capacity > 4096 {
        client.pointee.leftover = []
      } else {
        client.pointee.leftover.removeAll(keepingCapacity: true)
      }
    } else if consumed > 0 || client.pointee.leftover.count != count {
      client.pointee.leftover.removeAll(keepingCapacity: true)
      client.pointee.leftover.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[consumed...]))
    }
    let isNew = client.pointee.http?.takeIsNew() ?? (consumed > 0)
    clients.noteIncomplete(id, client, isNew: isNew, at: now.monotonic)
    if client.pointee.http != nil { settle(id) }
  }
  private mutating func dropLeftover(_ client: UnsafeMutablePointer<ClientConnection>) {
    memory.freed(client.pointee.leftover.count)
    client.pointee.leftover = []
    client.pointee.incompleteSince = 0
  }

  // MARK: Requests that do not end

  /// With each tick: closes those whose request has taken too long to arrive, and the oldest of them while all together
  /// hold too much.
  mutating func expireIncomplete() {
    for (id, reason) in clients.takeOverdue(at: now.monotonic, options) {
      guard let client = clients.find(id) else { continue }
      switch reason {
      case .tooLong:
        closeIncomplete(
          id, client, "a request was not complete within \(options.incompleteTimeout / 1_000_000) s")
      case .tooMuch: closeIncomplete(id, client, "too many requests at this node are not complete")
      }
    }
  }
  private mutating func closeIncomplete(
    _ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>, _ reason: String
  ) {
    if let http = client.pointee.http {
      http.gateway.isOverdue(reason)
      return settle(id)
    }
    let reply = Array("-ERR \(reason): nothing of it was done, the connection is closed\r\n".utf8)
    client.pointee.output.append(reply)
    gauges.unsentBytes += reply.count
    core.clientClosed(ClientID(id), now: now)
    beginClose(id, client)
  }

  /// Throws away what a client sends that is being closed.
  private mutating func discard(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) -> Int {
    switch client.pointee.stream.descriptor.receive(into: scratch) {
    case .moved(let count): return count
    case .wouldBlock: return 0
    case .failed: removeClient(id)
    case .ended:
      client.pointee.state.insert(.ended)
      if client.pointee.state.contains(.lingering) { removeClient(id) } else { updateInterest(id, client) }
    }
    return 0
  }

  /// Sends a client's output, as much as the kernel takes.
  mutating func sendToClient(_ id: UInt64) {
    guard let client = clients.find(id) else { return }
    let (before, unsent) = (client.pointee.output.byteCount, client.pointee.unsentCount)
    let progress = client.pointee.send()
    gauges.clientBytesOut += UInt64(before - client.pointee.output.byteCount)
    gauges.unsentBytes -= unsent - client.pointee.unsentCount
    switch progress {
    case .failed: return dropClient(id)
    case .blocked:
      if client.pointee.output.byteCount > LoopOptions.unsentBytesMax { client.pointee.state.insert(.heldByOutput) }
    case .drained:
      if client.pointee.state.contains(.closing) { return linger(id, client) }
      if client.pointee.http?.gateway.awaitsRoom == true {
        clients.noteDrained(id)
        effects.wantsTurn = true
      }
    }
    if client.pointee.state.contains(.heldByOutput), client.pointee.output.byteCount < LoopOptions.unsentBytesLow {
      client.pointee.state.remove(.heldByOutput)
      release(id, client)
    } else {
      updateInterest(id, client)
    }
  }

  /// Watches for exactly what is of use now. A system call only if that has changed; a client that is held is watched
  /// on until it sends something, since many holds are short.
  mutating func updateInterest(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) {
    let state = client.pointee.state
    var wanted: Readiness = client.pointee.unsentCount == 0 ? [] : .writable
    let reads = state.contains(.closing) || !client.pointee.isHeld
    if reads && !state.contains(.ended) { wanted.insert(.readable) }
    guard wanted != client.pointee.interest else { return }
    client.pointee.interest = wanted
    poller.modify(client.pointee.stream.descriptor.rawValue, wanted, token: Source.client.token(id))
  }

  /// The node wants, or does not want, to be offered bytes.
  mutating func setReading(_ id: UInt64, on: Bool) {
    guard let client = clients.find(id) else { return }
    if let http = client.pointee.http {
      http.isRead = on
      return settle(id)
    }
    hold(id, client, !on)
  }
  /// Reads no more of a client, or reads on.
  mutating func hold(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>, _ isHeld: Bool) {
    if isHeld {
      client.pointee.state.insert(.heldByNode)
    } else {
      client.pointee.state.remove(.heldByNode)
      release(id, client)
    }
  }
  private mutating func release(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) {
    updateInterest(id, client)
    guard !client.pointee.isHeld else { return }
    if !client.pointee.leftover.isEmpty {
      client.pointee.state.insert(.offer)
      clients.enqueue(id, client)
    } else if client.pointee.stream.hasMore {
      clients.enqueue(id, client)
    }
  }

  // MARK: Closing

  /// Closes a client once its output is sent.
  mutating func beginClose(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) {
    guard clients.beginClose(id, client, at: now.monotonic) else { return }
    dropLeftover(client)
    if client.pointee.unsentCount == 0 { linger(id, client) } else { sendToClient(id) }
  }
  private mutating func linger(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) {
    client.pointee.stream.endOutput()
    if client.pointee.state.contains(.ended) { return removeClient(id) }
    client.pointee.state.insert(.lingering)
    client.pointee.deadline = now.monotonic + LoopOptions.lingerTimeout
    updateInterest(id, client)
  }
  /// A connection that broke.
  mutating func dropClient(_ id: UInt64) {
    guard let client = clients.find(id) else { return }
    let isKnown = client.pointee.state.isDisjoint(with: [.closing, .handshaking])
    removeClient(id)
    if isKnown { core.clientClosed(ClientID(id), now: now) }
  }
  mutating func removeClient(_ id: UInt64) {
    let client = clients.remove(id)
    if let origin = client.origin { addressCounts.remove(origin) }
    memory.freed(
      LoopOptions.bytesOfClient + (client.stream.isSecure ? LoopOptions.bytesOfSession : 0) + client.leftover.count
        + client.unsentCount)
    gauges.unsentBytes -= client.unsentCount
  }
  mutating func expireClients() {
    for id in clients.takeExpired(at: now.monotonic) { removeClient(id) }
  }
}
