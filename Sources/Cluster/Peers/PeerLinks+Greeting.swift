import Base
import Protocol

/// How a link begins. Whoever dials says hello; the other side answers with its own hello and its proof; then the first
/// proves itself. A proof is a code over both hellos, each of which has a challenge, or, of a node that belongs to no cluster
/// yet, the secret itself. Then each side judges whether the other's life may have its node's seat (`SeatVerdict`), says so
/// when it is asked, and the link carries messages once both have theirs.
///
/// Until then a stranger has a link, for a while, and nothing else: no peer, no address, no incarnation is changed by it.
extension PeerLinks {
  // MARK: Saying who we are

  func sendHello(on id: LinkID, bulk: Bool) {
    var hello = peers.own.hello
    hello.isBulk = bulk
    hello.cluster = membership.cluster
    hello.isSeated = seat.isTaken
    var text = ByteBuffer(capacity: 64)
    text.append("challenge")
    me.life.encode(into: &text)
    text.append(id.rawValue)
    hello.challenge = me.proof.code(over: text.array)
    var body = ByteBuffer(capacity: 512)
    hello.encode(into: &body)
    table[id]?.greeting?.sent = body.array
    table[id]?.greeting?.hasSaidSeated = hello.isSeated
    send(.hello, body.array, on: id)
  }

  func send(_ kind: FrameKind, _ body: [UInt8], on link: LinkID) {
    var header = membership.header
    header.kind = kind.rawValue
    var frame = ByteBuffer(capacity: body.count + FrameHeader.byteCount)
    let mark = header.begin(&frame)
    frame.append(body)
    FrameHeader.finish(mark, in: &frame)
    turn.out.linkBytes.append((link, frame.array))
  }

  private func sendProof(on id: LinkID) {
    guard let greeting = table[id]?.greeting else { return }
    var body = ByteBuffer(capacity: 32)
    if membership.cluster == 0 {
      body.append(ProofForm.introduction.rawValue)
      me.proof.encode(into: &body)
    } else {
      body.append(ProofForm.code.rawValue)
      me.proof.code(over: greeting.sent + greeting.received).encode(into: &body)
    }
    send(.proof, body.array, on: id)
    table[id]?.greeting?.hasProved = true
    askForSeat(on: id)
  }

  // MARK: Hearing who the other is

  func receiveGreeting(
    _ kind: FrameKind, _ header: FrameHeader, _ body: UnsafeRawBufferPointer, on link: Link
  ) throws(MalformedBytes) {
    var reader = ByteReader(body)
    switch kind {
    case .hello: try receiveHello(&reader, header, Array(body), on: link)
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
      table[link.id]?.greeting?.hello?.isSeated = true
      judge(link.id, hello.node)
    case .question:
      guard let hello = link.greeting?.hello, link.greeting?.isProven == true, peers.own.hello.asksForSeat else {
        throw MalformedBytes("it asks for a seat before a proof")
      }
      judge(link.id, hello.node, asked: try SeatQuestion(decoding: &reader))
    case .messages: break
    }
  }

  private func receiveHello(
    _ reader: inout ByteReader, _ header: FrameHeader, _ body: [UInt8], on link: Link
  ) throws(MalformedBytes) {
    guard link.greeting?.hello == nil else { throw MalformedBytes("it greets twice") }
    let hello = try Hello(decoding: &reader)
    guard hello.node == header.sender, hello.life.incarnation == header.incarnation else {
      return turnAway(link.id, "a greeting in another's name")
    }
    table[link.id]?.greeting?.hello = hello
    table[link.id]?.greeting?.received = body
    guard link.dialled == nil && !link.bulk else { return }
    sendHello(on: link.id, bulk: hello.isBulk)
    sendProof(on: link.id)
  }

  private func receiveProof(_ reader: inout ByteReader, on link: Link) throws(MalformedBytes) {
    guard let greeting = link.greeting, let hello = greeting.hello, !greeting.isProven else {
      throw MalformedBytes("a proof before a greeting")
    }
    let form = ProofForm(rawValue: try reader.read())
    let said = try Proof(decoding: &reader)
    if let reason = try refusal(of: said, form, hello, greeting) { return turnAway(link.id, reason) }
    table[link.id]?.greeting?.isProven = true
    table[link.id]?.greeting?.provenAt = now.monotonic
    if link.dialled != nil || link.bulk { sendProof(on: link.id) }
    saySeated(on: link.id)
    judge(link.id, hello.node)
  }

  /// Why it is not believed that the other side is whom it says; nil: it is. A newcomer then has a place among the peers.
  private func refusal(
    of said: Proof, _ form: ProofForm?, _ hello: Hello, _ greeting: Greeting
  ) throws(MalformedBytes) -> String? {
    switch (form, proof(of: hello.node)) {
    case (.introduction?, let known?):
      guard known.matches(said) else { return "a wrong proof of \(hello.name)" }
      // What was known of it may have been a promise, which can come to nothing.
      if hello.node != me.id, !membership.belongs(hello.node), !remember(hello, introducedBy: said) {
        return "\(hello.name) is not of this cluster, and there are too many such"
      }
    case (.introduction?, nil):
      guard remember(hello, introducedBy: said) else {
        return "\(hello.name) is not of this cluster, and there are too many such"
      }
    case (.code?, let known?):
      guard known.code(over: greeting.received + greeting.sent).matches(said) else {
        return "a wrong proof of \(hello.name)"
      }
    case (.code?, nil):
      // Who belongs to no cluster yet cannot know its members, and gives them nothing.
      guard membership.cluster == 0, hello.cluster != 0, remember(hello, introducedBy: nil) else {
        return "\(hello.name) is not of this cluster"
      }
    case (nil, _): throw MalformedBytes("a proof of an unknown form")
    }
    return nil
  }

  private func proof(of node: NodeID) -> Proof? {
    node == me.id ? me.proof : membership.proof(of: node) ?? peers[node]?.introduction
  }

  /// A node that is not of the cluster gets a place among the peers, if there is one.
  private func remember(_ hello: Hello, introducedBy proof: Proof?) -> Bool {
    if let known = peers[hello.node] {
      known.introduction = proof
      return true
    }
    let strangers = peers.others.filter { !membership.belongs($0.id) }
    if strangers.count < PeerTable.strangersMax {
      peers.add(hello, isMember: membership.belongs(hello.node)).introduction = proof
      return true
    }
    guard let old = strangers.first(where: { $0.outgoing == nil && $0.incoming == nil }) else { return false }
    // An edge's name is its place: the next one there has a life of its own, and what the old one asked is forgotten.
    tell(.forgotten(edge: old.index))
    peers.replace(old, by: hello).introduction = proof
    return true
  }
}
