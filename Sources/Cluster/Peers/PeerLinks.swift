import Base
import Protocol

/// Links between nodes. Each node dials every other one and speaks on the link that it opened; on the one that the other
/// opened it listens. A link begins with a greeting (`PeerLinks+Greeting`); from then on every frame must come from that node,
/// in its present incarnation and of the same cluster.
///
/// What other parts have to know of it is in `takeEvents`, in order; it is to be told on after each call.
final class PeerLinks: Coordinator {
  /// What has become of a link, or of the node at its other end.
  enum Event: Equatable {
    /// No answer of that node can come any more, nor what it sent before: its link is gone, or another life has its seat.
    case lost(NodeID)
    /// What the streams of the peer with that place said counts no more.
    case forgotten(edge: UInt32)
    /// Nobody answers at its address, and no link of it is left.
    case isGone(NodeID)
    /// What this node says arrives from now on.
    case linked(NodeID)
    /// It has proved who it is, and has its seat.
    case met(NodeID)
    /// Another life of it has its seat: only that link is of the new one.
    case beganAnew(NodeID, LinkID)
    /// A link for a snapshot may be used.
    case bulkReady(LinkID)
    case closed(LinkID)
  }

  /// A link that has not been greeted for so long leads nowhere: nothing more is sent on it before that, so TCP would
  /// never notice that the other machine is gone. Many round trips, in microseconds.
  static let greetingLimit: UInt64 = 5_000_000
  /// So long after the last word that a peer has heard of us, our link to it counts as stuck. Heartbeats go ten times a
  /// second, and the slowest links that are of use take some hundred milliseconds.
  static let unheardLimit: UInt64 = 4_000_000
  /// Links opened towards us on which nobody has proved who it is; the oldest is given up for one more.
  static let strangersMax = 64

  let turn: Turn
  let membership: Membership
  let peers: PeerTable
  var table: [LinkID: Link] = [:]
  var dials: DialTable
  var seat: Seat
  /// Of nodes whose seats are asked for here.
  var promises: [NodeID: SeatPromise] = [:]
  var counters = LinkCounters()
  private let frameBytes: Int
  private var nextRequest: UInt64 = 1
  private var events: [Event] = []
  /// When the directory is to be told again where this node is.
  var nextAnnouncement: UInt64 = 0
  let announcementInterval: UInt64
  let lost: [String]
  /// When the operator was told of strangers, and of others with this node's identity, by address.
  private var toldOfStrangers: UInt64?
  var toldOfSelf: [String: UInt64] = [:]

  init(turn: Turn, membership: Membership, peers: PeerTable, configuration: NodeConfiguration) {
    self.turn = turn
    self.membership = membership
    self.peers = peers
    frameBytes = configuration.frameBytes
    announcementInterval = configuration.requestTimeout
    lost = configuration.lost
    dials = DialTable(own: peers.own.hello.peerAddress, configured: configuration.join)
    seat = Seat(since: turn.now.monotonic)
  }

  var me: NodeIdentity { membership.me }

  func tell(_ event: Event) { events.append(event) }
  @inline(__always) var hasEvents: Bool { !events.isEmpty }
  func takeEvents() -> [Event] {
    defer { events.removeAll() }
    return events
  }

  /// Asks for a link. Returns the request's number, which no other has.
  func open(_ address: String, bulk: Bool) -> UInt64 {
    defer { nextRequest += 1 }
    turn.out.openLinks.append((nextRequest, address, bulk))
    return nextRequest
  }

  // MARK: Time

  /// With each heartbeat.
  func advance() {
    tryDials()
    closeStrangers()
    judgeGreetings()
    askForSeat()
  }

  private func tryDials() {
    for dial in dials.dials {
      if let link = dial.link, table[link]?.greeting?.isProven == false,
        now.monotonic - dial.openedAt > PeerLinks.greetingLimit
      {
        close(link, because: "nobody greeted at \(dial.address)")
      }
    }
    dials.tryAll(now: now.monotonic) { open($0, bulk: false) }
  }

  /// Whoever connects says who it is; a connection that leads nowhere would be kept for ever.
  private func closeStrangers() {
    for link in strangers where now.monotonic - link.openedAt > PeerLinks.greetingLimit {
      turnAway(link.id, "whoever opened it has not proved who it is")
    }
  }
  /// The oldest first.
  private var strangers: [Link] {
    table.values.filter(\.isStrange).sorted { ($0.openedAt, $0.id.rawValue) < ($1.openedAt, $1.id.rawValue) }
  }
  /// In an order that is the same in each run.
  var inOrder: [Link] { table.values.sorted { $0.id.rawValue < $1.id.rawValue } }

  // MARK: Links come and go

  /// - Parameters:
  ///   - request: by which this node asked for it; nil: the other side opened it.
  ///   - isBulk: it was asked for to carry a snapshot.
  func opened(_ id: LinkID, request: UInt64?, isBulk: Bool) {
    var link = Link(id: id, openedAt: now.monotonic)
    guard let request else {
      table[id] = link
      let strangers = strangers
      if strangers.count > PeerLinks.strangersMax {
        turnAway(strangers[0].id, "too many have opened one and not proved who they are")
      }
      return
    }
    link.dialled = dials.opened(request, id, now: now.monotonic)
    link.bulk = isBulk
    guard link.dialled != nil || isBulk else { return turn.out.closeLinks.append(id) }
    table[id] = link
    sendHello(on: id, bulk: isBulk)
  }

  /// A link that was asked for could not be opened. False: it was not asked for to reach a peer.
  func failed(_ request: UInt64) -> Bool {
    guard let address = dials.failed(request, now: now.monotonic) else { return false }
    // What it led needs another leader, and those who followed it need not wait until they miss its heartbeats.
    if seat.isTaken, let peer = peers.others.first(where: { $0.hello.peerAddress == address }), peer.outgoing == nil,
      peer.incoming == nil
    {
      tell(.isGone(peer.id))
    }
    return true
  }

  /// It is gone, or this node has closed it.
  func dropped(_ id: LinkID) {
    guard let link = table.removeValue(forKey: id) else { return }
    dials.closed(id, now: now.monotonic)
    tell(.closed(id))
    guard let number = link.peer else { return }
    let peer = peers[Int(number)]
    guard peer.outgoing == id || peer.incoming == id else { return }
    let was = peer.isConnected
    if peer.outgoing == id {
      peer.outgoing = nil
      peer.forgetWaiting()
      // Another address may have led to it as well, and be the only one that still does.
      dials.isNeeded(peer.hello.peerAddress)
    }
    if peer.incoming == id { peer.incoming = nil }
    lost(peer)
    if was { log(.info, "link lost node=\(peer.hello.name)") }
  }
  func lost(_ peer: Peer) {
    peer.clock.forget()
    tell(.lost(peer.id))
  }

  func close(_ id: LinkID) {
    turn.out.closeLinks.append(id)
    dropped(id)
  }
  func close(_ id: LinkID, because reason: String) {
    log(.warning, "link closed: \(reason)")
    close(id)
  }
  /// One that is of no use any more, of a snapshot that is over: nobody need be told.
  func forget(_ id: LinkID) {
    guard table.removeValue(forKey: id) != nil else { return }
    turn.out.closeLinks.append(id)
  }

  /// Closes a link to somebody who is nobody here. Strangers may be many: they are counted, and told of now and then.
  func turnAway(_ id: LinkID, _ reason: String) {
    counters.strangersTurnedAway += 1
    if toldOfStrangers.map({ now.monotonic - $0 >= Alarm.interval }) ?? true {
      toldOfStrangers = now.monotonic
      log(.warning, "link closed: \(reason) strangers_turned_away=\(counters.strangersTurnedAway)")
    }
    close(id)
  }
  func isStrange(_ id: LinkID) -> Bool { table[id]?.isStrange == true }

  /// Keeps a link to an address from now on.
  func dial(_ address: String) { dials.add(address) }
  /// A peer is there no more.
  func forgetDial(_ address: String) {
    guard let link = dials.remove(address) else { return }
    close(link)
  }

  /// The peer speaks, and has heard nothing of us for long: our link to it is stuck, whatever TCP says. `moment` is when we
  /// said what it heard last. The link may be in the middle of its greeting: the peer has its seat, since it speaks, and that
  /// word is what does not come. Members do not listen to who is none yet.
  func endUnheard(to peer: Peer, heard moment: UInt64) {
    guard peer.cluster == membership.cluster else { return }
    guard let dial = dials.dials.first(where: { leads($0, to: peer) }), let link = dial.link else { return }
    if now.monotonic - min(now.monotonic, max(moment, dial.openedAt)) > PeerLinks.unheardLimit {
      close(link, because: "\(peer.hello.name) has heard nothing on it for \(PeerLinks.unheardLimit / 1_000_000) s")
    }
  }
  private func leads(_ dial: Dial, to peer: Peer) -> Bool {
    guard let link = dial.link else { return false }
    guard peer.outgoing == nil else { return peer.outgoing == link }
    guard let greeting = table[link]?.greeting, greeting.isProven else { return false }
    return greeting.hello?.node == peer.id && greeting.hello?.life == peer.life
  }

  // MARK: Frames out

  /// At each turn's end: all that stands in a peer's outbox leaves, in as few frames as it takes.
  func sendFrames(to peer: Peer) {
    guard !peer.outbox.isEmpty || peer.received.isWordOwed else { return }
    guard let link = peer.outgoing else {
      peer.outbox.removeAll()
      return
    }
    if let received = peer.received.takeWord() { peer.say(.received) { $0.append(received) } }
    var rest = peer.outbox.bytes
    while !rest.isEmpty {
      let count = PeerMessageKind.wholeMessages(of: rest, within: frameBytes)
      guard count <= FrameHeader.maximumBodyBytes else {
        // Whoever waits for it hears that nothing came in time. Nothing here makes one: each kind has its bound.
        log(.error, "a message of \(count) bytes to \(peer.hello.name) is longer than a frame and was left out")
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        continue
      }
      var frame = ByteBuffer(capacity: count + FrameHeader.byteCount)
      let mark = membership.header.begin(&frame)
      frame.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
      FrameHeader.finish(mark, in: &frame)
      peer.queue.budget.sends(frame.count, now: now.monotonic)
      turn.out.linkBytes.append((link, frame.array))
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    peer.outbox.removeAll()
    peer.outbox.shrink(to: 4 << 20)
  }
}

struct LinkCounters {
  @Measured("strangers_turned_away", .cluster, "links whose other side did not prove to be a node")
  var strangersTurnedAway: UInt64 = 0
  @Measured("messages_received", .cluster, "messages that other nodes sent") var messagesReceived: UInt64 = 0
  @Measured("frames_received", .cluster, "frames that other nodes sent, each of which has any number of messages")
  var framesReceived: UInt64 = 0
  @Measured("frame_bytes_received", .cluster, "bytes of these") var frameBytesReceived: UInt64 = 0
}
