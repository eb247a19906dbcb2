import Base
import Protocol

/// Whose seat it is: what this node says to lives that ask for theirs, and what comes of its own questions.
extension PeerLinks {
  // MARK: The seats of others

  /// The other side of a link is proven, asks for its seat, or has it now, or this node has: the link becomes what it may be.
  func judge(_ id: LinkID, _ node: NodeID, asked question: SeatQuestion? = nil) {
    guard let link = table[id], let greeting = link.greeting, greeting.isProven, let hello = greeting.hello else {
      return
    }
    guard node != me.id else { return metSelf(hello, on: link) }
    if membership.record(of: node)?.state == .removed {
      sendAnswer(.removed, on: id)
      return close(id)
    }
    let verdict = SeatVerdict.judge(
      hello, greetedAt: greeting.provenAt, peer: peers[node], record: membership.record(of: node), since: seat.since,
      now: now)
    switch verdict {
    case .superseded(let holder):
      log(
        .warning,
        "another process has the identity of \(holder.name), which runs at \(holder.peerAddress): one at"
          + " \(hello.peerAddress) was told so and ends; its data is a copy")
      sendAnswer(.superseded, holder, on: id)
      close(id)
    case .givenUp:
      sendAnswer(.givenUp, on: id)
      close(id)
    case .wait: table[id]?.greeting?.isJudged = false
    case .welcome: welcome(hello, question, on: link)
    }
  }
  private func welcome(_ hello: Hello, _ question: SeatQuestion?, on link: Link) {
    guard hello.isSeated else {
      table[link.id]?.greeting?.isJudged = true
      // An earlier build does not ask: it is answered as if it had, and looked at again where it has to wait.
      let asked = question ?? (bothAsk(hello) ? nil : SeatQuestion(askedAt: 0, isKeeping: false))
      guard let asked else { return }
      let isGranted = promise(to: hello, asked)
      if !bothAsk(hello) { table[link.id]?.greeting?.isJudged = isGranted }
      if isGranted { sendAnswer(.welcome, asked: asked.askedAt, on: link.id) }
      return
    }
    // Whoever it was promised to may have taken it meanwhile, with enough others: that will show.
    let isPromised = promises[hello.node]?.excludes(hello.life, now: now.monotonic) == true
    table[link.id]?.greeting?.isJudged = !isPromised
    if !isPromised, seat.isTaken { establish(link, hello) }
  }
  /// Nobody else is welcome for a while, and the life that had the seat is not listened to any more.
  private func promise(to hello: Hello, _ question: SeatQuestion) -> Bool {
    let isMoved = membership.record(of: hello.node).map { $0.peerAddress != hello.peerAddress } ?? false
    if promises.count > PeerTable.strangersMax { promises = promises.filter { $0.value.lasts(at: now.monotonic) } }
    var promise =
      promises[hello.node] ?? SeatPromise(to: hello.life, isMoved: isMoved, now: now.monotonic)
    let isGranted = promise.grants(
      hello.life, isMoved: isMoved, isKeeping: question.isKeeping, now: now.monotonic)
    promises[hello.node] = promise
    guard isGranted else { return false }
    // An earlier build does not know that word, and would come back for ever.
    if let peer = peers[hello.node], peer.life != .none, peer.life != hello.life, !peer.isGivenUp,
      peer.hello.asksForSeat
    {
      peer.isGivenUp = true
      for old in [peer.outgoing, peer.incoming] {
        if let old { close(old, because: "\(hello.name) was silent, and another life of it asks for its seat") }
      }
    }
    return true
  }

  /// With each heartbeat: who had to wait is judged again.
  func judgeGreetings() {
    for link in inOrder {
      guard let greeting = link.greeting, greeting.isProven, !greeting.isJudged, let hello = greeting.hello,
        hello.node != me.id
      else { continue }
      judge(link.id, hello.node)
    }
  }

  // MARK: This node's seat

  /// Asks on each link, while there is no seat.
  func askForSeat() {
    guard !seat.isTaken else { return }
    for link in inOrder where link.greeting?.hasProved == true { askForSeat(on: link.id) }
  }
  /// Neither side is of a build that is told of its seat unasked.
  private func bothAsk(_ other: Hello?) -> Bool {
    peers.own.hello.asksForSeat && other?.asksForSeat == true
  }
  func askForSeat(on link: LinkID) {
    guard !seat.isTaken, turn.out.exit == nil, bothAsk(table[link]?.greeting?.hello) else { return }
    var body = ByteBuffer(capacity: 16)
    SeatQuestion(askedAt: now.monotonic, isKeeping: seat.isBeingKept || seat.isKept).encode(into: &body)
    send(.question, body.array, on: link)
  }

  /// Takes the seat as soon as it may: once the disk has noted it, if enough agree still.
  func advanceSeat() {
    guard !seat.isTaken, !seat.isBeingKept, turn.out.exit == nil else { return }
    var welcoming: Set<NodeID> = []
    for link in table.values {
      guard let greeting = link.greeting, let hello = greeting.hello else { continue }
      if now.monotonic <= greeting.welcomeUntil { welcoming.insert(hello.node) }
    }
    guard
      seat.mayBeTaken(
        by: me.id, at: peers.own.hello.peerAddress, in: membership.topology, welcoming: welcoming, lost: lost,
        now: now.monotonic)
    else { return }
    guard seat.isKept else {
      seat.keep()
      turn.out.jobs.append(.keepSeat(me.life))
      return
    }
    seat.take()
    announceSeat()
  }
  /// The disk has kept it.
  func seatKept() {
    guard turn.out.exit == nil else { return seat.waits() }
    seat.kept()
    advanceSeat()
  }

  /// This node has its seat: it says so where it could not before.
  private func announceSeat() {
    for link in inOrder {
      guard let greeting = link.greeting, greeting.isProven, let hello = greeting.hello else { continue }
      saySeated(on: link.id)
      judge(link.id, hello.node)
    }
  }
  /// Where the greeting could not say it; the other side has this node's proof.
  func saySeated(on link: LinkID) {
    guard seat.isTaken, table[link]?.greeting?.hasSaidSeated == false else { return }
    table[link]?.greeting?.hasSaidSeated = true
    send(.seated, [], on: link)
  }

  // MARK: Verdicts

  /// As it is sent.
  private enum GreetingAnswer: UInt8 { case welcome = 1, superseded = 2, removed = 3, givenUp = 4 }

  /// - Parameters:
  ///   - holder: who has the seat that was asked for.
  ///   - moment: when the other side asked, by its clock.
  private func sendAnswer(
    _ verdict: GreetingAnswer, _ holder: Hello? = nil, asked moment: UInt64 = 0, on link: LinkID
  ) {
    var body = ByteBuffer(capacity: 64)
    body.append(verdict.rawValue)
    body.append(counted: holder?.name ?? "")
    body.append(counted: holder?.peerAddress ?? "")
    (holder?.life ?? .none).encode(into: &body)
    body.append(moment)
    send(.verdict, body.array, on: link)
  }

  func receiveVerdict(_ reader: inout ByteReader, of node: NodeID, on link: Link) throws(MalformedBytes) {
    let verdict = GreetingAnswer(rawValue: try reader.read())
    let name = try reader.readString()
    let address = try reader.readString()
    let isOlder = !bothAsk(link.greeting?.hello ?? peers[node]?.hello)
    let holder = isOlder ? .none : try LifeID(decoding: &reader)
    let asked = isOlder ? now.monotonic : try reader.read(UInt64.self)
    let isTrusted = node == me.id || membership.topology == nil || membership.belongs(node)
    switch verdict {
    case .welcome:
      guard asked <= now.monotonic else { throw MalformedBytes("a welcome to what nobody asked") }
      // An earlier build says it once.
      table[link.id]?.greeting?.welcomeUntil =
        isOlder ? .max : max(asked + Seat.lease, link.greeting?.welcomeUntil ?? 0)
      advanceSeat()
    case .superseded where isTrusted: superseded(by: holder, name, at: address, on: link)
    case .removed: if isTrusted { endAsRemoved() }
    case .givenUp: if isTrusted { endAsGivenUp() }
    case .superseded: break
    case nil: throw MalformedBytes("an unknown verdict")
    }
  }
  /// Whoever says so may know less than this life does: one that came before it on the seat turns it away no more.
  private func superseded(by holder: LifeID, _ name: String, at address: String, on link: Link) {
    guard seat.isTaken, membership.cluster != 0, holder.mayBeFollowed(by: me.life, after: me.predecessor) else {
      return endAsCopy(of: name, at: address)
    }
    close(
      link.id,
      because: "the other side takes an earlier life of this node, at \(address), for the node; it is told again")
  }

  /// The other end is this process, or another with the same identity.
  private func metSelf(_ hello: Hello, on link: Link) {
    guard hello.life != me.life else {
      // One of the addresses to join is our own.
      dials.isFutile(link.id)
      return close(link.id)
    }
    if isAlarmOfSelfDue(hello.peerAddress) {
      log(
        .error,
        "another process with this node's identity is at \(hello.peerAddress) (this one is at"
          + " \(peers.own.hello.peerAddress)): one data directory is a copy of the other; the one that nobody knows ends"
      )
    }
    let isNew = membership.cluster == 0 && hello.cluster == 0
    if !isNew, hello.isSeated, me.life.mayBeFollowed(by: hello.life, after: hello.predecessor) {
      return endAsCopy(of: hello.name, at: hello.peerAddress)
    }
    // Where there is no cluster nobody else can tell: who began first stays.
    let isFirst = (me.life.incarnation, me.life.nonce) < (hello.life.incarnation, hello.life.nonce)
    let isTold = seat.isTaken && (isNew ? isFirst : !hello.isSeated)
    if isTold { sendAnswer(.superseded, peers.own.hello, on: link.id) }
    if isTold || link.dialled == nil { close(link.id) }
  }
  private func isAlarmOfSelfDue(_ address: String) -> Bool {
    guard toldOfSelf[address].map({ now.monotonic - $0 >= 60_000_000 }) ?? true else { return false }
    if toldOfSelf.count > 16 { toldOfSelf.removeAll() }
    toldOfSelf[address] = now.monotonic
    return true
  }

  // MARK: Ends

  /// The cluster has removed this node: nothing is done here any more.
  func endAsRemoved() {
    turn.out.end(
      2,
      "this node was removed from the cluster, and its identity is never used again: to have the machine join as a new node, give"
        + " it an empty data directory")
  }

  /// Another process is this node: nothing is done here any more.
  func endAsCopy(of name: String, at address: String) {
    turn.out.end(
      2,
      "this node's identity runs elsewhere, as \(name) at \(address): this data directory is a copy, or older than what runs"
        + " there, and takes no part; give this node an empty directory"
    )
  }
  /// Another process has asked for this node's seat while this one was silent. Its next life is told whether that was taken.
  private func endAsGivenUp() {
    turn.out.end(
      1,
      "the others heard nothing of this node for a while, and another process with its identity asks for its place: start this"
        + " node again, and it is told which of the two is the node")
  }
}
