import Base
import Cluster
import Glibc
import OpenSSL
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
      let session = security.peers.flatMap { TLSSession($0, .server, on: wire) }
      guard (session != nil) == (security.peers != nil) else { continue }
      var link = LinkConnection(descriptor: descriptor, session: session, interest: .readable, isBulk: false)
      if session != nil { beginHandshake(&link) }
      let id = links.insert(link)
      do { try poller.add(raw, .readable, token: Source.link.token(id)) } catch {
        logger.log(.warning, "a link was refused error=\"\(error)\"")
        _ = links.remove(id)
        continue
      }
      if session == nil { core.linkOpened(LinkID(id), request: nil, now: now) }
      if let oldest = links.oldestStranger(ifOver: LoopOptions.strangersMax) { dropLink(oldest) }
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
      let session = security.peers.flatMap { TLSSession($0, .client(host: nil), on: wire) }
      guard (session != nil) == (security.peers != nil) else { throw SystemError("begin TLS", code: ENOMEM) }
      var link = LinkConnection(descriptor: descriptor, session: session, interest: .writable, isBulk: isBulk)
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
    if link.pointee.isHandshaking { return shakeHands(id, link) }
    if link.pointee.connecting != nil { return finishConnecting(id, link) }
    if readiness.contains(.writable) {
      sendToLink(id)
      guard links.find(id) != nil else { return }
    }
    if !readiness.isDisjoint(with: [.readable, .failed, .hungUp]) { readLink(id, link) }
  }
  private mutating func finishConnecting(_ id: UInt64, _ link: UnsafeMutablePointer<LinkConnection>) {
    guard let request = link.pointee.connecting else { return }
    let code = Socket.pendingError(link.pointee.stream.descriptor)
    guard code == 0 else {
      _ = links.remove(id)
      logger.log(.debug, "a link was not opened request=\(request) error=\"\(SystemError.text(of: code))\"")
      core.linkFailed(request: request, now: now)
      return
    }
    if link.pointee.stream.isSecure {
      beginHandshake(&link.pointee)
      link.pointee.stream.begin()
      gauges.unsentBytes += link.pointee.stream.unsentCount
      return shakeHands(id, link)
    }
    link.pointee.connecting = nil
    watch(id, link, for: .readable)
    core.linkOpened(LinkID(id), request: request, now: now)
  }
  func watch(_ id: UInt64, _ link: UnsafeMutablePointer<LinkConnection>, for wanted: Readiness) {
    guard wanted != link.pointee.interest else { return }
    link.pointee.interest = wanted
    poller.modify(link.pointee.stream.descriptor.rawValue, wanted, token: Source.link.token(id))
  }

  /// Reads what has arrived, up to four buffers a turn, into the link's own buffer: frames are long.
  private mutating func readLink(_ id: UInt64, _ link: UnsafeMutablePointer<LinkConnection>) {
    for _ in 0..<4 {
      guard take(id, link, receive(link)) else { return }
    }
    // An end that TLS has read already, the socket does not tell of again.
    if links.find(id) != nil, link.pointee.stream.hasMore { dropLink(id) }
  }
  /// Reads once into the link's own buffer, without taking it in.
  mutating func receive(_ link: UnsafeMutablePointer<LinkConnection>) -> Descriptor.Transfer {
    let count = LoopOptions.linkReadBytes + link.pointee.stream.slack
    let unsent = link.pointee.stream.unsentCount
    let result = link.pointee.stream.receive(
      into: UnsafeMutableRawBufferPointer(start: link.pointee.input.reserve(count), count: count))
    gauges.unsentBytes += link.pointee.stream.unsentCount - unsent
    return result
  }
  /// Takes in what was read.
  /// - Returns: whether there may be more now.
  mutating func take(
    _ id: UInt64, _ link: UnsafeMutablePointer<LinkConnection>, _ received: Descriptor.Transfer
  ) -> Bool {
    switch received {
    case .moved(let count):
      gauges.linkBytesIn += UInt64(count)
      if link.pointee.isClosing { return true }
      link.pointee.input.commit(count)
      let bytes = link.pointee.input.bytes
      let consumed = core.linkReceived(LinkID(id), bytes, now: now)
      precondition(consumed >= 0 && consumed <= bytes.count, "a node consumes what there is")
      link.pointee.input.removeFirst(consumed)
      if link.pointee.input.isEmpty { link.pointee.input.shrink(to: 2 * LoopOptions.linkReadBytes) }
      guard link.pointee.input.count <= LoopOptions.linkInputBytesMax else {
        logger.log(.warning, "a link is closed: no end of a frame in \(link.pointee.input.count) bytes")
        dropLink(id)
        return false
      }
      if link.pointee.stream.unsentCount > 0 { watch(id, link, for: [.readable, .writable]) }
      return link.pointee.stream.hasMore || count >= LoopOptions.linkReadBytes
    case .wouldBlock:
      if link.pointee.stream.unsentCount > 0 { watch(id, link, for: [.readable, .writable]) }
      return false
    case .ended, .failed:
      if let failure = link.pointee.stream.failure { failed(.node, link.pointee.stream.descriptor, failure) }
      dropLink(id)
      return false
    }
  }

  mutating func sendToLink(_ id: UInt64) {
    guard let link = links.find(id), link.pointee.connecting == nil else { return }
    let (before, unsent) = (link.pointee.output.byteCount, link.pointee.unsentCount)
    let progress = link.pointee.send()
    gauges.linkBytesOut += UInt64(before - link.pointee.output.byteCount)
    gauges.unsentBytes -= unsent - link.pointee.unsentCount
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
    watch(id, link, for: wanted)
  }

  // MARK: Closing

  /// Closes a link once its output is sent.
  mutating func closeLink(_ id: UInt64) {
    if !links.beginClose(id, at: now.monotonic) { removeLink(id) }
  }
  /// A link that broke, or is not to be.
  mutating func dropLink(_ id: UInt64) {
    guard let link = links.find(id) else { return }
    let isKnown = !link.pointee.isClosing && !link.pointee.isHandshaking
    let request = link.pointee.connecting
    removeLink(id)
    if let request {
      core.linkFailed(request: request, now: now)
    } else if isKnown {
      core.linkClosed(LinkID(id), now: now)
    }
  }
  private mutating func removeLink(_ id: UInt64) {
    let link = links.remove(id)
    gauges.unsentBytes -= link.unsentCount
  }
  mutating func expireLinks() {
    for id in links.takeExpired(at: now.monotonic) {
      guard let link = links.find(id) else { continue }
      if link.pointee.isHandshaking { failed(.node, link.pointee.stream.descriptor, .late) }
      let request = link.pointee.connecting
      removeLink(id)
      if let request { core.linkFailed(request: request, now: now) }
    }
  }
}
