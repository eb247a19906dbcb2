import Base
import Protocol

extension PeerLinks {
  /// What has come of some bytes that a link brought.
  enum Received {
    /// Too few for a frame: they are to come again, with what follows.
    case incomplete
    /// The link is closed.
    case closed
    /// So many bytes are done with.
    case taken(Int)
    /// A frame of so many bytes, of messages of that peer.
    case messages(Int, PeerMessages, Peer)
  }

  /// Takes the next frame of what a link brings. To be called again with the rest, after the events are told on.
  func receive(_ bytes: UnsafeRawBufferPointer, on id: LinkID) -> Received {
    guard table[id] != nil else { return .closed }
    switch FrameHeader.decode(bytes) {
    case .incomplete(let needed):
      guard needed > Greeting.bytesMax + FrameHeader.byteCount, isStrange(id) else { return .incomplete }
      turnAway(id, "a greeting of \(needed) bytes")
      return .closed
    case .bad(let reason):
      refuse(id, reason)
      return .closed
    case .frame(let header, let body, let count):
      do {
        return try receive(header, body, count, on: id)
      } catch {
        refuse(id, malformed: error, header.sender)
        return .closed
      }
    }
  }
  /// A message of a frame was not what it should be.
  func refuse(_ id: LinkID, malformed error: MalformedBytes, _ sender: NodeID) {
    refuse(id, "a frame of \(peers[sender]?.hello.name ?? "a stranger") is malformed: \(error)")
  }
  private func refuse(_ id: LinkID, _ reason: String) {
    if isStrange(id) { turnAway(id, reason) } else { close(id, because: reason) }
  }

  private func receive(
    _ header: FrameHeader, _ body: UnsafeRawBufferPointer, _ count: Int, on id: LinkID
  ) throws(MalformedBytes) -> Received {
    guard let link = table[id] else { return .closed }
    let kind = FrameKind(rawValue: header.kind)
    if kind == .messages, let number = link.peer, peers[Int(number)].incoming == id {
      peers[Int(number)].received.note(count)
    }
    guard header.cluster == 0 || membership.cluster == 0 || header.cluster == membership.cluster else {
      turnAway(id, "node \(header.sender.hex) belongs to another cluster; it was refused")
      return .taken(count)
    }
    guard let number = link.peer else {
      if let kind, kind != .messages, body.count <= Greeting.bytesMax {
        try receiveGreeting(kind, header, body, on: link)
      } else {
        turnAway(id, "a frame came before a greeting")
      }
      return .taken(count)
    }
    let peer = peers[Int(number)]
    if kind == .verdict {
      var reader = ByteReader(body)
      try receiveVerdict(&reader, of: peer.id, on: link)
      return .taken(count)
    }
    // A seat may be announced, or asked for, after it was taken for granted.
    if kind == .seated || kind == .question { return .taken(count) }
    guard kind == .messages, peer.id == header.sender, peer.incarnation == header.incarnation else {
      close(id, because: "a frame came before a greeting, or from somebody else")
      return .taken(count)
    }
    counters.framesReceived += 1
    counters.frameBytesReceived += UInt64(count)
    peer.lastHeard = now.monotonic
    peer.cluster = header.cluster
    if peer.incoming == id { peer.isSpeaking = true }
    let isStrange = membership.cluster != 0 && !peer.isMember
    return .messages(count, PeerMessages(body, ofStrangersOnly: isStrange, on: self), peer)
  }
}

/// The messages of a frame, one after another.
struct PeerMessages {
  private var reader: ByteReader
  private let ofStrangersOnly: Bool
  /// Counts them; nil: nobody does.
  private let links: PeerLinks?

  init(_ body: UnsafeRawBufferPointer, ofStrangersOnly: Bool, on links: PeerLinks? = nil) {
    reader = ByteReader(body)
    self.links = links
    self.ofStrangersOnly = ofStrangersOnly
  }

  /// The next that is listened to; nil: there is none.
  mutating func next() throws(MalformedBytes) -> (kind: PeerMessageKind, body: UnsafeRawBufferPointer)? {
    while !reader.isAtEnd {
      guard let kind = PeerMessageKind(rawValue: try reader.read()) else {
        throw MalformedBytes("a message of an unknown kind")
      }
      let length = try reader.read(UInt32.self)
      let body = try reader.readBytes(Int(length))
      links?.counters.messagesReceived += 1
      if !ofStrangersOnly || kind.isOfStrangers { return (kind, body) }
    }
    return nil
  }
}
