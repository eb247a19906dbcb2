import Base
import Cluster
import Glibc
import System

// New connections of terminals, and room for them.

extension EventLoop {
  /// Takes the connections that wait, up to a burst.
  mutating func acceptClients(speaking kind: ClientKind) {
    var address = SocketAddress()
    for _ in 0..<LoopOptions.acceptsMax {
      let raw = listeners.accept(speaking: kind, from: &address)
      if raw < 0 {
        if raw == -EMFILE || raw == -ENFILE { refuseWithoutDescriptor(kind) }
        return
      }
      admit(Descriptor(owning: raw), from: address, speaking: kind)
    }
  }

  private mutating func admit(
    _ descriptor: consuming Descriptor, from address: SocketAddress, speaking kind: ClientKind
  ) {
    let origin = addressCounts.origin(of: address)
    if let origin, let most = addressCounts.bound(reachedBy: origin) {
      return refuse(
        descriptor, "this address has \(most) connections: close some, or raise connections-per-address", kind)
    }
    while clients.count >= clientLimit.current || clients.isFull {
      guard closeIdle() else {
        return refuse(
          descriptor, "max number of clients reached (\(clientLimit.current)): close some or raise max-clients", kind)
      }
    }
    let raw = descriptor.rawValue
    Socket.configureClient(raw)
    let id = clients.insert(ClientConnection(descriptor: descriptor))
    do { try poller.add(raw, .readable, token: Source.client.token(id)) } catch {
      let refused = clients.remove(id)
      return refuse(refused.descriptor, "the node is out of memory for connections: \(error.reason)", kind)
    }
    if kind == .http { clients.find(id)?.pointee.http = HTTPSide(options.gateway) }
    if let origin {
      addressCounts.add(origin)
      clients.find(id)?.pointee.origin = origin
    }
    core.clientOpened(ClientID(id), from: address.description, now: now)
  }

  private mutating func refuse(_ descriptor: borrowing Descriptor, _ reason: String, _ kind: ClientKind) {
    gauges.clientsRefused += 1
    kind.refusal(reason).withUnsafeBytes { _ = descriptor.send($0) }
    descriptor.endOutput()
    // What it has sent already is read, or closing would reset the connection and the reason would be lost.
    _ = descriptor.receive(into: scratch)
  }

  // MARK: Descriptors

  private mutating func refuseWithoutDescriptor(_ kind: ClientKind) {
    gauges.connectionsWithoutDescriptor += 1
    if let descriptor = listeners.acceptBySpare(speaking: kind) {
      refuse(descriptor, "the node has no file descriptor left: raise its limit (ulimit -n)", kind)
    }
    listeners.replaceSpare(at: now.monotonic, poller)
  }

  /// Reckons how many terminals there may be, by the descriptors that the disk and the links leave; closes idle ones if
  /// there are more.
  mutating func limitClients() {
    if let change = clientLimit.reckon(links: links.count, reserved: workers.descriptorsReserved) {
      if change.isNews {
        logger.log(
          .info,
          "max-clients is lowered to what the limit on file descriptors leaves max_clients=\(change.limit)"
            + " descriptors=\(options.descriptorsMax)")
      }
      core.clientsLimited(to: change.limit, now: now)
    }
    while clients.count > clientLimit.current, closeIdle() {}
  }

  // MARK: Room

  /// Closes the connection that has been idle for longest. False if none of the oldest may be closed.
  private mutating func closeIdle() -> Bool {
    guard let id = clients.longestIdle(where: { core.isIdle(ClientID($0)) }) else { return false }
    gauges.clientsClosedIdle += 1
    core.clientClosed(ClientID(id), now: now)
    removeClient(id)
    return true
  }
}
