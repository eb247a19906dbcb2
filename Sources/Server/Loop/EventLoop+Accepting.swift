import Base
import Cluster
import Glibc
import System

// New connections of terminals, and room for them.

extension EventLoop {
  /// Takes the connections that wait, up to a burst.
  mutating func acceptClients() {
    var address = SocketAddress()
    for _ in 0..<LoopOptions.acceptsMax {
      let raw = Socket.accept(clientListener, from: &address)
      if raw < 0 {
        if raw == -EMFILE || raw == -ENFILE { refuseWithoutDescriptor() }
        return
      }
      admit(Descriptor(owning: raw), from: address)
    }
  }

  private mutating func admit(_ descriptor: consuming Descriptor, from address: SocketAddress) {
    var origin: NetworkAddress?
    if let most = options.connectionsPerAddress, let from = NetworkAddress(address), !from.isLoopback {
      guard countByAddress[from, default: 0] < most else {
        return refuse(
          descriptor,
          "this address has \(most) connections: close some, or raise connections-per-address")
      }
      origin = from
    }
    while clients.count >= clientLimit || clients.isFull {
      guard closeIdle() else {
        return refuse(descriptor, "max number of clients reached (\(clientLimit)): close some or raise max-clients")
      }
    }
    let raw = descriptor.rawValue
    Socket.configureClient(raw)
    let id = clients.insert(ClientConnection(descriptor: descriptor))
    do { try poller.add(raw, .readable, token: Source.client.token(id)) } catch {
      let refused = clients.remove(id)
      return refuse(refused.descriptor, "the node is out of memory for connections: \(error.reason)")
    }
    strangers.append(ConnectionTable<ClientConnection>.place(of: id))
    if let origin {
      countByAddress[origin, default: 0] += 1
      clients.find(id)?.pointee.origin = origin
    }
    core.clientOpened(ClientID(id), from: address.description, now: now)
  }

  private mutating func refuse(_ descriptor: borrowing Descriptor, _ reason: String) {
    gauges.clientsRefused += 1
    Array("-ERR \(reason)\r\n".utf8).withUnsafeBytes { _ = descriptor.send($0) }
    descriptor.endOutput()
    // What it has sent already is read, or closing would reset the connection and the reason would be lost.
    _ = descriptor.receive(into: scratch)
  }

  // MARK: Descriptors

  /// Without a descriptor a connection can be neither taken nor refused, and would be reported for ever.
  private mutating func refuseWithoutDescriptor() {
    gauges.connectionsWithoutDescriptor += 1
    spare = nil
    var address = SocketAddress()
    let raw = Socket.accept(clientListener, from: &address)
    if raw >= 0 { refuse(Descriptor(owning: raw), "the node has no file descriptor left: raise its limit (ulimit -n)") }
    spare = Descriptor.spare()
    // Somebody else had it first: the loop would turn and turn, and get nowhere.
    if spare == nil { pauseAccepting() }
  }
  /// Lets connections wait in the kernel for a while.
  mutating func pauseAccepting() {
    acceptsPausedUntil = now.monotonic + LoopOptions.acceptPause
    poller.modify(clientListener.rawValue, [], token: Source.clientListener.token())
    poller.modify(peerListener.rawValue, [], token: Source.peerListener.token())
  }
  mutating func resumeAccepting() {
    acceptsPausedUntil = 0
    if spare == nil { spare = Descriptor.spare() }
    poller.modify(clientListener.rawValue, .readable, token: Source.clientListener.token())
    poller.modify(peerListener.rawValue, .readable, token: Source.peerListener.token())
  }

  /// Reckons how many terminals there may be, by the descriptors that the disk and the links leave; closes idle ones if
  /// there are more.
  mutating func limitClients() {
    let left =
      options.descriptorsMax - LoopOptions.descriptorsOfLoop - workers.descriptorsReserved - links.count
      - LoopOptions.linksExpected
    let limit = min(options.clientsMax, max(LoopOptions.clientsMin, left))
    if limit != clientLimit || limitTold == 0 {
      // Told at the start, and when there are a tenth fewer than was told last.
      let isNews = limitTold == 0 || limit < limitTold - limitTold / 10
      if isNews && limit < options.clientsMax {
        logger.log(
          .info,
          "max-clients is lowered to what the limit on file descriptors leaves max_clients=\(limit)"
            + " descriptors=\(options.descriptorsMax)")
      }
      if isNews || limit > limitTold { limitTold = limit }
      clientLimit = limit
      core.clientsLimited(to: limit, now: now)
    }
    while clients.count > clientLimit, closeIdle() {}
  }

  // MARK: Room

  /// Notes that a client has sent something.
  mutating func noteUse(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) {
    let place = ConnectionTable<ClientConnection>.place(of: id)
    if client.pointee.hasSpoken { return speakers.touch(place) }
    client.pointee.hasSpoken = true
    strangers.remove(place)
    speakers.append(place)
  }
  /// A client is being closed, or gone.
  mutating func forgetUse(_ id: UInt64, hasSpoken: Bool) {
    let place = ConnectionTable<ClientConnection>.place(of: id)
    if hasSpoken { speakers.remove(place) } else { strangers.remove(place) }
  }

  /// Closes the connection that has been idle for longest: of those that have never said a word if there are any, so that
  /// nobody drives terminals away by connecting often. False if none of the oldest may be closed.
  private mutating func closeIdle() -> Bool {
    guard let id = longestIdle(of: strangers) ?? longestIdle(of: speakers) else { return false }
    gauges.clientsClosedIdle += 1
    core.clientClosed(ClientID(id), now: now)
    removeClient(id)
    return true
  }
  private func longestIdle(of list: borrowing RecencyList) -> UInt64? {
    var next = list.oldest
    for _ in 0..<LoopOptions.idleLooks {
      guard let place = next else { return nil }
      next = list.newer(than: place)
      let id = clients.id(at: place)
      guard let client = clients.find(id), !client.pointee.isHeld, client.pointee.output.isEmpty,
        core.isIdle(ClientID(id))
      else { continue }
      return id
    }
    return nil
  }
}
