import Base
import Cluster
import Glibc
import System

// Connections to other nodes.

extension EventLoop {
  mutating func acceptLinks() {
    var address = SocketAddress()
    for _ in 0..<LoopOptions.acceptsMax {
      let raw = Socket.accept(listeners.peers, from: &address)
      guard raw >= 0 else {
        if raw == -EMFILE || raw == -ENFILE {
          gauges.connectionsWithoutDescriptor += 1
          listeners.pause(at: now.monotonic, poller)
        }
        return
      }
      let descriptor = Descriptor(owning: raw)
      guard !links.isFull else { continue }
      Socket.configureLink(raw)
      let id = links.insert(LinkConnection(descriptor: descriptor, interest: .readable, isBulk: false))
      do { try poller.add(raw, .readable, token: Source.link.token(id)) } catch {
        logger.log(.warning, "a link was refused error=\"\(error)\"")
        _ = links.remove(id)
        continue
      }
      core.linkOpened(LinkID(id), request: nil, now: now)
    }
  }

  /// Begins to make a connection that the node asked for.
  mutating func openLink(request: UInt64, address: String, isBulk: Bool) {
    guard let parsed = HostPort(address) else {
      logger.log(.warning, "a link cannot be opened, its address is not HOST:PORT address=\"\(address)\"")
      links.noteFailed(request: request)
      return
    }
    if let known = SocketAddress(parsed, numericOnly: true) {
      connect(request: request, to: known, isBulk: isBulk)
    } else {
      workers.submit(.init(request: request, address: parsed, isBulk: isBulk))
    }
  }
  mutating func connect(request: UInt64, to address: SocketAddress?, isBulk: Bool) {
    guard let address, !links.isFull else {
      links.noteFailed(request: request)
      return
    }
    do {
      let descriptor = try Socket.connect(to: address)
      let raw = descriptor.rawValue
      Socket.configureLink(raw)
      var link = LinkConnection(descriptor: descriptor, interest: .writable, isBulk: isBulk)
      link.connecting = request
      link.deadline = now.monotonic + LoopOptions.connectTimeout
      let id = links.insert(link)
      do { try poller.add(raw, .writable, token: Source.link.token(id)) } catch {
        _ = links.remove(id)
        throw error
      }
    } catch {
      if let code = (error as? SystemError)?.code, code == EMFILE || code == ENFILE {
        gauges.connectionsWithoutDescriptor += 1
      }
      logger.log(.debug, "a link cannot be opened address=\(address.description) error=\"\(error)\"")
      links.noteFailed(request: request)
    }
  }

  /// What came of links since the last turn, outside of their events.
  mutating func tellOfLinks() {
    guard links.hasNews else { return }
    for request in links.takeFailed() { core.linkFailed(request: request, now: now) }
    var drained: [UInt64] = []
    links.takeDrained(into: &drained)
    for id in drained {
      if let link = links.find(id), link.pointee.output.isEmpty { core.linkDrained(LinkID(id), now: now) }
    }
  }

  mutating func linkReady(_ id: UInt64, _ readiness: Readiness) {
    guard let link = links.find(id) else { return }
    if link.pointee.connecting != nil { return finishConnecting(id, link) }
    if readiness.contains(.writable) {
      sendToLink(id)
      guard links.find(id) != nil else { return }
    }
    if !readiness.isDisjoint(with: [.readable, .failed, .hungUp]) { readLink(id, link) }
  }
  private mutating func finishConnecting(_ id: UInt64, _ link: UnsafeMutablePointer<LinkConnection>) {
    guard let request = link.pointee.connecting else { return }
    let code = Socket.pendingError(link.pointee.descriptor)
    guard code == 0 else {
      _ = links.remove(id)
      logger.log(.debug, "a link was not opened request=\(request) error=\"\(SystemError.text(of: code))\"")
      core.linkFailed(request: request, now: now)
      return
    }
    link.pointee.connecting = nil
    link.pointee.interest = .readable
    poller.modify(link.pointee.descriptor.rawValue, .readable, token: Source.link.token(id))
    core.linkOpened(LinkID(id), request: request, now: now)
  }

  /// Reads what has arrived, up to four buffers a turn, into the link's own buffer: frames are long.
  private mutating func readLink(_ id: UInt64, _ link: UnsafeMutablePointer<LinkConnection>) {
    for _ in 0..<4 {
      let room = UnsafeMutableRawBufferPointer(
        start: link.pointee.input.reserve(LoopOptions.linkReadBytes), count: LoopOptions.linkReadBytes)
      switch link.pointee.descriptor.receive(into: room) {
      case .moved(let count):
        gauges.linkBytesIn += UInt64(count)
        if link.pointee.isClosing { continue }
        link.pointee.input.commit(count)
        let bytes = link.pointee.input.bytes
        let consumed = core.linkReceived(LinkID(id), bytes, now: now)
        precondition(consumed >= 0 && consumed <= bytes.count, "a node consumes what there is")
        link.pointee.input.removeFirst(consumed)
        if link.pointee.input.isEmpty { link.pointee.input.shrink(to: 2 * LoopOptions.linkReadBytes) }
        guard link.pointee.input.count <= LoopOptions.linkInputBytesMax else {
          logger.log(.warning, "a link is closed: no end of a frame in \(link.pointee.input.count) bytes")
          return dropLink(id)
        }
        if count < room.count { return }
      case .wouldBlock: return
      case .ended, .failed: return dropLink(id)
      }
    }
  }

  mutating func sendToLink(_ id: UInt64) {
    guard let link = links.find(id), link.pointee.connecting == nil else { return }
    let before = link.pointee.output.byteCount
    let progress = link.pointee.output.send(to: link.pointee.descriptor)
    let count = before - link.pointee.output.byteCount
    gauges.linkBytesOut += UInt64(count)
    gauges.unsentBytes -= count
    var wanted: Readiness = .readable
    switch progress {
    case .failed: return dropLink(id)
    case .blocked:
      link.pointee.wasHeldUp = true
      wanted.insert(.writable)
      guard link.pointee.output.byteCount <= LoopOptions.linkUnsentBytesMax else {
        logger.log(.warning, "a link is closed: its node takes nothing unsent=\(link.pointee.output.byteCount)")
        return dropLink(id)
      }
    case .drained:
      if link.pointee.isClosing { return removeLink(id) }
      if link.pointee.isBulk || link.pointee.wasHeldUp { links.noteDrained(id) }
      link.pointee.wasHeldUp = false
    }
    guard wanted != link.pointee.interest else { return }
    link.pointee.interest = wanted
    poller.modify(link.pointee.descriptor.rawValue, wanted, token: Source.link.token(id))
  }

  // MARK: Closing

  /// Closes a link once its output is sent.
  mutating func closeLink(_ id: UInt64) {
    if !links.beginClose(id, at: now.monotonic) { removeLink(id) }
  }
  private mutating func dropLink(_ id: UInt64) {
    guard let link = links.find(id) else { return }
    let isKnown = !link.pointee.isClosing
    removeLink(id)
    if isKnown { core.linkClosed(LinkID(id), now: now) }
  }
  private mutating func removeLink(_ id: UInt64) {
    let link = links.remove(id)
    gauges.unsentBytes -= link.output.byteCount
  }
  mutating func expireLinks() {
    for id in links.takeExpired(at: now.monotonic) {
      let request = links.find(id)?.pointee.connecting
      removeLink(id)
      if let request { core.linkFailed(request: request, now: now) }
    }
  }
}
