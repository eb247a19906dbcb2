import Base
import Protocol

/// How a link begins. Whoever dials says hello; the other side answers with its own hello and its proof; then the first
/// proves itself. A proof is a code over both hellos, each of which has a challenge, or, of a node that belongs to no cluster
/// yet, the secret itself. Then each side judges whether the other's life may have its node's seat (`judge`), says so, and
/// the link carries messages once both have theirs.
///
/// Until then a stranger has a link, for a while, and nothing else: no peer, no address, no incarnation is changed by it.
extension Node {
  /// What a frame is, beside its messages.
  enum FrameKind: UInt8 {
    case hello = 1
    case messages = 2
    case proof = 3
    /// Whether the receiver may have its node's seat: see `Verdict`.
    case verdict = 4
    /// The sender has its seat now.
    case seated = 5
  }
  /// Before it is proven who speaks, a frame has at most so many bytes behind its header.
  static let greetingBytes = 4096
  /// Links opened towards us on which nobody has proved who it is; the oldest is given up for one more.
  static let strangersMax = 64
  /// Peers that are not of the cluster.
  static let acquaintancesMax = 64
  /// A peer that has said nothing for so long may be followed by its next life, though its link still stands.
  static let vacantAfter: UInt64 = 1_500_000

  private enum ProofForm: UInt8 {
    case introduction = 1
    case code = 2
  }

  // MARK: Saying who we are

  func sendHello(on id: LinkID, bulk: Bool) {
    var me = peers[0].hello
    me.isBulk = bulk
    me.cluster = cluster
    me.isSeated = seat.isTaken
    var text = ByteBuffer(capacity: 64)
    text.append("challenge")
    life.encode(into: &text)
    text.append(id.rawValue)
    me.challenge = proof.code(over: text.array)
    var body = ByteBuffer(capacity: 512)
    me.encode(into: &body)
    links[id]?.greeting?.sent = body.array
    links[id]?.greeting?.hasSaidSeated = me.isSeated
    send(.hello, body.array, on: id)
  }

  func send(_ kind: FrameKind, _ body: [UInt8], on link: LinkID) {
    var header = header
    header.kind = kind.rawValue
    var frame = ByteBuffer(capacity: body.count + FrameHeader.byteCount)
    let mark = header.begin(&frame)
    frame.append(body)
    FrameHeader.finish(mark, in: &frame)
    out.linkBytes.append((link, frame.array))
  }

  private func sendProof(on link: Link) {
    guard let greeting = link.greeting else { return }
    var body = ByteBuffer(capacity: 32)
    if cluster == 0 {
      body.append(ProofForm.introduction.rawValue)
      proof.encode(into: &body)
    } else {
      body.append(ProofForm.code.rawValue)
      proof.code(over: greeting.sent + greeting.received).encode(into: &body)
    }
    send(.proof, body.array, on: link.id)
  }

  // MARK: Hearing who the other is

  func receiveGreeting(
    _ kind: FrameKind, _ header: FrameHeader, _ body: UnsafeRawBufferPointer, on link: Link
  ) throws(MalformedBytes) {
    var reader = ByteReader(body)
    switch kind {
    case .hello:
      guard link.greeting?.hello == nil else { throw MalformedBytes("it greets twice") }
      let hello = try Hello(decoding: &reader)
      guard hello.node == header.sender, hello.life.incarnation == header.incarnation else {
        return turnAway(link.id, "a greeting in another's name")
      }
      links[link.id]?.greeting?.hello = hello
      links[link.id]?.greeting?.received = Array(body)
      guard link.dialled == nil && !link.bulk else { return }
      sendHello(on: link.id, bulk: hello.isBulk)
      if let greeted = links[link.id] { sendProof(on: greeted) }
    case .proof: try receiveProof(&reader, on: link)
    case .verdict:
      guard let hello = link.greeting?.hello, link.greeting?.isProven == true else {
        throw MalformedBytes("a verdict before a proof")
      }
      try receiveVerdict(&reader, of: hello.node, on: link)
    case .seated:
      guard let hello = link.greeting?.hello, link.greeting?.isProven == true else {
        throw MalformedBytes("it takes a seat before a proof")
      }
      links[link.id]?.greeting?.hello?.isSeated = true
      settle(link.id, hello.node)
    case .messages: break
    }
  }

  private func receiveProof(_ reader: inout ByteReader, on link: Link) throws(MalformedBytes) {
    guard let greeting = link.greeting, let hello = greeting.hello, !greeting.isProven else {
      throw MalformedBytes("a proof before a greeting")
    }
    let form = ProofForm(rawValue: try reader.read())
    let said = try Proof(decoding: &reader)
    let known = hello.node == id ? proof : self.proof(of: hello.node)
    switch (form, known) {
    case (.introduction?, let known?):
      guard known.matches(said) else { return turnAway(link.id, "a wrong proof of \(hello.name)") }
      // What was known of it may have been a promise, which can come to nothing.
      if hello.node != id, !isMember(hello.node), !remember(hello, introducedBy: said) {
        return turnAway(link.id, "\(hello.name) is not of this cluster, and there are too many such")
      }
    case (.introduction?, nil):
      guard remember(hello, introducedBy: said) else {
        return turnAway(link.id, "\(hello.name) is not of this cluster, and there are too many such")
      }
    case (.code?, let known?):
      guard known.code(over: greeting.received + greeting.sent).matches(said) else {
        return turnAway(link.id, "a wrong proof of \(hello.name)")
      }
    case (.code?, nil):
      // Who belongs to no cluster yet cannot know its members, and gives them nothing.
      guard cluster == 0, hello.cluster != 0, remember(hello, introducedBy: nil) else {
        return turnAway(link.id, "\(hello.name) is not of this cluster")
      }
    case (nil, _): throw MalformedBytes("a proof of an unknown form")
    }
    links[link.id]?.greeting?.isProven = true
    links[link.id]?.greeting?.provenAt = now.monotonic
    if link.dialled != nil || link.bulk, let proven = links[link.id] { sendProof(on: proven) }
    saySeated(on: link.id)
    settle(link.id, hello.node)
  }

  /// What a node's word is measured by: the directory's record, what this node has promised, or its introduction.
  func proof(of node: NodeID) -> Proof? {
    topology?.member(node)?.proof ?? promise?.topology.member(node)?.proof ?? peer(node)?.introduction
  }

  /// A node that is not of the cluster gets a place among the peers, if there is one.
  private func remember(_ hello: Hello, introducedBy proof: Proof?) -> Bool {
    if let known = peer(hello.node) {
      known.introduction = proof
      return true
    }
    let strangers = peers.filter { $0.index != 0 && !isMember($0.id) }
    if strangers.count < Node.acquaintancesMax {
      addPeer(hello).introduction = proof
      return true
    }
    guard let old = strangers.first(where: { $0.outgoing == nil && $0.incoming == nil }) else { return false }
    // An edge's name is its place: the next one there has a life of its own, and what the old one asked is forgotten.
    forgetEdge(old.index)
    peerIndex[old.id] = nil
    let peer = Peer(id: hello.node, index: old.index, hello: hello)
    peer.introduction = proof
    peers[Int(old.index)] = peer
    peerIndex[hello.node] = old.index
    return true
  }

  func isMember(_ node: NodeID) -> Bool { topology?.member(node) != nil }
  private func forgetEdge(_ index: UInt32) { for replica in replicas { replica?.forget(edge: index) } }

  // MARK: Whose seat it is

  /// What a node says to a life that wants its node's seat.
  private enum Verdict {
    case welcome
    /// Somebody else has it, whose it is.
    case superseded(Hello)
    /// The life that has it may be alive: that will show.
    case wait
  }

  private func judge(_ hello: Hello, greetedAt: UInt64) -> Verdict {
    let peer = peer(hello.node)
    let member = record(of: hello.node)
    var holder = peer?.hello ?? hello
    var known = peer?.life ?? .none
    if let member, member.life.incarnation > known.incarnation {
      known = member.life
      holder.name = member.name
      holder.peerAddress = member.peerAddress
    }
    if known == hello.life { return .welcome }
    guard known.mayBeFollowed(by: hello.life, after: hello.predecessor) else { return .superseded(holder) }
    guard let peer, peer.life != .none else { return .welcome }
    // Some of what was acknowledged is not there: a copy was taken before. Where it is the same machine, the log may have lost
    // its end: replicas see to that.
    let isElsewhere = hello.peerAddress != peer.hello.peerAddress
    if isElsewhere, hello.logPosition < peer.logPosition { return .superseded(holder) }
    // What was said after the greeting was heard by the life on the seat: so that lives, and the other on a copy.
    if peer.lastEcho > greetedAt { return .superseded(peer.hello) }
    // Whoever now answers at its address has taken its place there.
    let isGone = peer.incoming == nil && peer.hello.peerAddress == hello.peerAddress
    guard isGone || now.monotonic - min(now.monotonic, peer.lastHeard) >= Node.vacantAfter else { return .wait }
    return .welcome
  }

  /// The other side of a link is proven, or has its seat now, or this node has: the link becomes what it may be.
  private func settle(_ id: LinkID, _ node: NodeID) {
    guard let link = links[id], let greeting = link.greeting, greeting.isProven, let hello = greeting.hello else {
      return
    }
    guard node != self.id else { return metSelf(hello, on: link) }
    switch judge(hello, greetedAt: greeting.provenAt) {
    case .superseded(let holder):
      log(
        .warning,
        "another process has the identity of \(holder.name), which runs at \(holder.peerAddress): one at"
          + " \(hello.peerAddress) was told so and ends; its data is a copy")
      refuseSeat(holder, on: link)
    case .wait: links[id]?.greeting?.isSettled = false
    case .welcome:
      links[id]?.greeting?.isSettled = true
      guard hello.isSeated else { return sendVerdict(nil, on: id) }
      if seat.isTaken { establish(link, hello) }
    }
  }

  /// With each heartbeat: who had to wait is judged again.
  func settleGreetings() {
    for link in links.values.sorted(by: { $0.id.rawValue < $1.id.rawValue }) {
      guard let greeting = link.greeting, greeting.isProven, !greeting.isSettled, let hello = greeting.hello,
        hello.node != id
      else { continue }
      settle(link.id, hello.node)
    }
  }

  /// This node has its seat: it says so where it could not before.
  func announceSeat() {
    for link in links.values.sorted(by: { $0.id.rawValue < $1.id.rawValue }) {
      guard let greeting = link.greeting, greeting.isProven, let hello = greeting.hello else { continue }
      saySeated(on: link.id)
      settle(link.id, hello.node)
    }
  }
  /// Where the greeting could not say it; the other side has this node's proof.
  private func saySeated(on link: LinkID) {
    guard seat.isTaken, links[link]?.greeting?.hasSaidSeated == false else { return }
    links[link]?.greeting?.hasSaidSeated = true
    send(.seated, [], on: link)
  }

  private func sendVerdict(_ holder: Hello?, on link: LinkID) {
    var body = ByteBuffer(capacity: 64)
    body.append(UInt8(holder == nil ? 1 : 2))
    body.append(counted: holder?.name ?? "")
    body.append(counted: holder?.peerAddress ?? "")
    send(.verdict, body.array, on: link)
  }
  private func refuseSeat(_ holder: Hello, on link: Link) {
    sendVerdict(holder, on: link.id)
    out.closeLinks.append(link.id)
    dropped(link.id)
  }

  func receiveVerdict(_ reader: inout ByteReader, of node: NodeID, on link: Link) throws(MalformedBytes) {
    let isWelcome = try reader.read(UInt8.self) == 1
    let name = try reader.readString()
    let address = try reader.readString()
    if isWelcome {
      links[link.id]?.greeting?.isWelcome = true
      advanceSeat()
    } else if node == id || topology == nil || isMember(node) {
      endAsCopy(of: name, at: address)
    }
  }

  /// The other end is this process, or another with the same identity.
  private func metSelf(_ hello: Hello, on link: Link) {
    var isOver = link.dialled == nil
    defer {
      if isOver {
        out.closeLinks.append(link.id)
        dropped(link.id)
      }
    }
    guard hello.life != life else {
      // One of the addresses to join is our own.
      if let i = dials.firstIndex(where: { $0.link == link.id }) { dials[i].isFutile = true }
      isOver = true
      return
    }
    if identityAlarmDue(hello.peerAddress) {
      log(
        .error,
        "another process with this node's identity is at \(hello.peerAddress) (this one is at \(peers[0].hello.peerAddress)):"
          + " one data directory is a copy of the other; the one that nobody knows ends")
    }
    // Where there is no cluster nobody else can tell: who began first stays.
    let isFirst = (life.incarnation, life.nonce) < (hello.life.incarnation, hello.life.nonce)
    let isNew = cluster == 0 && hello.cluster == 0
    guard seat.isTaken, isNew ? isFirst : !hello.isSeated else { return }
    sendVerdict(peers[0].hello, on: link.id)
    isOver = true
  }
  private func identityAlarmDue(_ address: String) -> Bool {
    guard toldOfSelf[address].map({ now.monotonic - $0 >= 60_000_000 }) ?? true else { return false }
    if toldOfSelf.count > 16 { toldOfSelf.removeAll() }
    toldOfSelf[address] = now.monotonic
    return true
  }

  // MARK: The link stands

  private func establish(_ link: Link, _ hello: Hello) {
    let peer = peer(hello.node) ?? addPeer(hello)
    links[link.id]?.peer = peer.index
    links[link.id]?.greeting = nil
    if peer.life != hello.life { takeSeat(hello, peer, on: link.id) }
    if peer.hello.peerAddress != hello.peerAddress { forgetDial(peer.hello.peerAddress) }
    peer.hello = hello
    peer.cluster = hello.cluster
    peer.lastHeard = now.monotonic
    warnOfNames(peer)
    if link.dialled != nil {
      establish(outgoing: link, peer)
    } else if link.bulk {
      transferLinkReady(link.id)
    } else if !hello.isBulk {
      establish(incoming: link, peer)
    }
    if hello.cluster == 0 && cluster != 0 { offerBootstrap(to: peer) }
    if peer.isConnected { out.isStatusDue = true }
  }

  /// Another life of a peer has its seat from now on: nothing that comes of the one before counts any more.
  private func takeSeat(_ hello: Hello, _ peer: Peer, on link: LinkID) {
    if peer.life != .none {
      lostPeer(peer.id)
      endTransfers(to: peer.id, but: link)
      for old in links.values.sorted(by: { $0.id.rawValue < $1.id.rawValue })
      where old.peer == peer.index && old.id != link && !old.bulk {
        out.closeLinks.append(old.id)
        dropped(old.id)
      }
    }
    // A life that ended before it had its seat leaves links on which nobody will ever say more.
    for old in links.values.sorted(by: { $0.id.rawValue < $1.id.rawValue }) {
      guard let greeted = old.greeting?.hello, greeted.node == hello.node, greeted.life != hello.life else { continue }
      out.closeLinks.append(old.id)
      dropped(old.id)
    }
    peer.life = hello.life
    peer.lastEcho = 0
    forgetEdge(peer.index)
  }

  /// The directory knows a later life of a peer than the one that speaks here: that one is told when it greets again.
  func dropSuperseded() {
    for member in topology?.members ?? [] {
      guard let peer = peer(member.id), peer.index != 0, peer.life != .none,
        member.life.incarnation > peer.life.incarnation
      else { continue }
      for link in [peer.outgoing, peer.incoming] {
        if let link { closeLink(link, because: "\(member.name) runs elsewhere: at \(member.peerAddress)") }
      }
    }
  }

  private func warnOfNames(_ peer: Peer) {
    guard let other = peers.first(where: { $0 !== peer && isPresent($0) && $0.hello.name == peer.hello.name }),
      !peer.isNameTold
    else { return }
    peer.isNameTold = true
    log(
      .warning,
      "two nodes bear the name \(peer.hello.name): \(Node.hex(peer.id.rawValue)) at \(peer.hello.peerAddress) and"
        + " \(Node.hex(other.id.rawValue)) at \(other.hello.peerAddress); start one of them with another --name")
  }
  func isPresent(_ peer: Peer) -> Bool { peer.isConnectedOrSelf || isMember(peer.id) }
  /// Whether another node that is there bears the same name.
  func isNameShared(_ name: String) -> Bool {
    var bearers: Set<NodeID> = []
    for member in topology?.members ?? [] where member.state != .removed && member.name == name {
      bearers.insert(member.id)
    }
    for peer in peers where !isMember(peer.id) && isPresent(peer) && peer.hello.name == name { bearers.insert(peer.id) }
    return bearers.count > 1
  }
}
