import Base
import Ledger
import Protocol

/// `CLUSTER INIT`: one cluster of all nodes that know of each other, or none.
///
/// The node that is asked (the coordinator) plans the cluster and asks every node for its promise, which is durable and
/// excludes any other plan. Only when all have promised does it begin, durably, and have the others begin with the same
/// first entry. Up to then it alone may give the plan up, and does when somebody does not answer in time, or when it ends:
/// who has promised asks it what became of the plan. Of two coordinators the one with the higher id gives way.
///
/// A promise is void when its coordinator has not been in reach for `promiseLimit`: nobody lost with it can have data.
extension Node {
  static let proposalInterval: UInt64 = 200_000
  static let promiseLimit: UInt64 = 60_000_000
  /// For so long a node that was seen is not left out, though it is not in reach, in microseconds.
  static let acquaintanceLimit: UInt64 = 30_000_000
  /// Within which everybody who asks is answered.
  private var initialisationTime: UInt64 { min(configuration.requestTimeout, 5_000_000) * 4 / 5 }

  // MARK: The question

  func initialise(_ owner: EdgeItem.Owner, _ figures: ClusterFigures, isTrial: Bool) {
    if let reason = existing(figures) {
      return reason.isEmpty ? answerBegun(owner, isTrial: isTrial) : answerError(owner, .exists, reason)
    }
    let deadline = now.monotonic + initialisationTime
    if isTrial {
      do {
        answer(trial: try plan(figures), figures, owner)
      } catch { answerError(owner, .malformed, error.reason) }
      return
    }
    guard initialisation == nil, promise == nil, promising.writesUnderWay == 0 else {
      guard initialisationWaits.count < 64 else { return answerError(owner, .busy, "the cluster is being made") }
      initialisationWaits.append(InitialisationWait(owner: owner, figures: figures, deadline: deadline))
      return
    }
    initialisation = Initialisation(owner: owner, figures: figures, deadline: deadline)
    gather()
  }

  /// Nil: there is no cluster. Empty: this node's is the one that is asked for. Else why it cannot be made.
  private func existing(_ figures: ClusterFigures) -> String? {
    if cluster != 0 {
      guard let first = firstTopology, figures.match(first) else {
        let made = firstTopology.map {
          " with shards=\($0.shards.count) replicas=\($0.shards.first?.voters.count ?? 0)"
        }
        return "this node belongs to cluster \(clusterName) already, made\(made ?? ""), not with \(figures.text)"
      }
      return ""
    }
    guard let elsewhere = peers.first(where: { $0.isConnected && $0.hello.cluster != 0 }) else { return nil }
    return "node \(elsewhere.hello.name) belongs to a cluster already; this node will join it, or must not name it"
  }

  private func plan(_ figures: ClusterFigures) throws(Topology.Impossible) -> Topology {
    var members: [Member] = []
    for peer in peers where peer.index == 0 || (peer.isConnected && peer.hello.cluster == 0) {
      members.append(
        Member(
          id: peer.id, name: peer.hello.name, region: peer.hello.region, clientAddress: peer.hello.clientAddress,
          peerAddress: peer.hello.peerAddress, state: .up, proof: peer.index == 0 ? proof : peer.introduction ?? .unset)
      )
    }
    return try Topology.plan(
      cluster: random.next() | 1, hashKey: me.newHashKey, members: members, shards: figures.shards,
      replicas: figures.replicas,
      allowSingleRegion: figures.allowSingleRegion)
  }

  /// Nodes that this node, or one that it is linked to, has seen of late, and that are not in reach: "name" or an address.
  private var missing: [String] {
    var found: [String] = []
    for peer in peers
    where peer.index != 0 && !peer.isConnected && peer.hello.cluster == 0 && peer.lastHeard > 0
      && now.monotonic - min(now.monotonic, peer.lastHeard) < Node.acquaintanceLimit
    {
      found.append("\(peer.hello.name) at \(peer.hello.peerAddress)")
    }
    // Without its secret it would be a member that nobody knows again.
    for peer in peers where peer.index != 0 && peer.isConnected && peer.hello.cluster == 0 && peer.introduction == nil {
      found.append("\(peer.hello.name) at \(peer.hello.peerAddress)")
    }
    for (node, told) in acquaintances.sorted(by: { $0.key < $1.key })
    where peer(node) == nil && now.monotonic - told.toldAt < Node.acquaintanceLimit {
      found.append("a node at \(told.address)")
    }
    return found
  }

  /// Plans once all that are known are in reach.
  private func gather() {
    guard var current = initialisation, current.phase == .gathering, missing.isEmpty else { return }
    do {
      let topology = try plan(current.figures)
      let plan = ClusterPlan(coordinator: id, topology: topology)
      current.plan = plan
      current.phase = .asking
      current.waiting = topology.members.map(\.id).filter { $0 != id }
      initialisation = current
      keep(promise: plan)
    } catch {
      initialisation = nil
      answerError(current.owner, .malformed, error.reason)
      answerWaits { _ in (.malformed, error.reason) }
    }
  }

  // MARK: The promise

  func recover(promise bytes: [UInt8]?) {
    promising.since = now.monotonic
    guard let bytes else { return }
    let found = bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try? ClusterPlan(decoding: &reader)
    }
    // It was kept; or, as this node did not begin, its own plan came to nothing.
    if cluster != 0 || found?.coordinator == id || found == nil { return keep(promise: nil) }
    promise = found
  }

  private func keep(promise plan: ClusterPlan?) {
    promise = plan
    promising.writesUnderWay += 1
    promising.since = now.monotonic
    writePromise()
  }
  private func writePromise() {
    out.jobs.append(
      .keepPromise(
        promise.map { plan in
          var buffer = ByteBuffer(capacity: 4096)
          plan.encode(into: &buffer)
          return buffer.array
        }))
  }
  /// The latest, whichever found no room: what came between is worth nothing any more.
  func keepOwedPromise() {
    guard promising.isOwed else { return }
    promising.isOwed = false
    writePromise()
  }

  func promiseKept() {
    promising.writesUnderWay -= 1
    guard promising.writesUnderWay == 0, let promise, cluster == 0 else { return }
    if promise.coordinator == id {
      initialisation?.nextAttempt = now.monotonic
      advanceInitialisation()
    } else if let peer = peer(promise.coordinator) {
      tell(peer, .promised, promise.cluster)
    }
  }

  private func tell(_ peer: Peer, _ kind: PeerMessageKind, _ cluster: UInt64, _ flag: Bool? = nil) {
    let start = peer.outbox.beginMessage(kind)
    peer.outbox.append(cluster)
    if let flag { peer.outbox.append(UInt8(flag ? 1 : 0)) }
    peer.outbox.endMessage(start)
  }

  /// Messages of the kinds from `propose` to `planAsked`.
  func receiveInit(
    _ kind: PeerMessageKind, _ reader: inout ByteReader, from peer: Peer
  ) throws(MalformedBytes) {
    if kind == .propose { return proposed(try ClusterPlan(decoding: &reader), by: peer) }
    let number = try reader.read(UInt64.self)
    switch kind {
    case .promised:
      guard initialisation?.phase == .asking, initialisation?.plan?.cluster == number else { return }
      initialisation?.waiting.removeAll { $0 == peer.id }
      advanceInitialisation()
    case .declined:
      guard let current = initialisation, current.phase == .asking, current.plan?.cluster == number else { return }
      // One that is promised elsewhere may be free before long.
      guard try reader.read(UInt8.self) != 0 else { return }
      giveUp(current, .exists, "node \(peer.hello.name) belongs to a cluster already; it must not be named")
    case .abandoned:
      guard let promise, promise.cluster == number, promise.coordinator == peer.id, cluster == 0 else { return }
      keep(promise: nil)
      answerWaits { _ in (.unavailable, "node \(peer.hello.name) gave up making the cluster; nothing has changed") }
    case .planAsked:
      if cluster == number {
        offerBootstrap(to: peer)
      } else if promise?.cluster != number {
        tell(peer, .abandoned, number)
      }
    default: break
    }
  }

  private func proposed(_ plan: ClusterPlan, by peer: Peer) {
    guard plan.coordinator == peer.id, plan.topology.member(id) != nil else { return }
    guard cluster == 0 else {
      if cluster == plan.cluster { offerBootstrap(to: peer) } else { tell(peer, .declined, plan.cluster, true) }
      return
    }
    if let promise, promise.cluster == plan.cluster {
      if promising.writesUnderWay == 0 { tell(peer, .promised, plan.cluster) }
      return
    }
    guard let mine = promise else {
      yieldInitialisation()
      return keep(promise: plan)
    }
    if mine.coordinator == id {
      guard plan.coordinator < id, initialisation?.phase == .asking || initialisation == nil else {
        return tell(peer, .declined, plan.cluster, false)
      }
      tellAbandoned(mine)
      yieldInitialisation()
      return keep(promise: plan)
    }
    // Its coordinator makes one at a time.
    if mine.coordinator == plan.coordinator || isVoid(mine) { return keep(promise: plan) }
    tell(peer, .declined, plan.cluster, false)
  }

  private func isVoid(_ plan: ClusterPlan) -> Bool {
    peer(plan.coordinator)?.isConnected != true && now.monotonic - promising.since >= Node.promiseLimit
  }

  /// Whoever asked this node hears what comes of another's plan.
  private func yieldInitialisation() {
    guard let current = initialisation else { return }
    initialisation = nil
    initialisationWaits.append(
      InitialisationWait(owner: current.owner, figures: current.figures, deadline: current.deadline))
  }

  private func tellAbandoned(_ plan: ClusterPlan) {
    for member in plan.topology.members where member.id != id {
      if let peer = peer(member.id) { tell(peer, .abandoned, plan.cluster) }
    }
  }

  private func giveUp(_ current: Initialisation, _ code: ErrorCode, _ reason: String) {
    initialisation = nil
    if let plan = current.plan {
      tellAbandoned(plan)
      keep(promise: nil)
    }
    answerError(current.owner, code, reason)
    answerWaits { _ in (code, reason) }
  }

  // MARK: The beginning

  /// With each tick.
  func advanceInitialisation() {
    expireWaits()
    askOfPlan()
    gather()
    guard let current = initialisation else { return }
    guard now.monotonic < current.deadline else { return initialisationIsLate(current) }
    guard let plan = current.plan, promising.writesUnderWay == 0 else { return }
    if current.phase == .asking, current.waiting.isEmpty {
      initialisation?.phase = .beginning
      initialisation?.waiting = plan.topology.members.map(\.id).filter { $0 != id }
      initialisation?.nextAttempt = now.monotonic
      begin(plan.topology)
      bootstrapReplies.append((id, logWriter.nextNumber))
      return
    }
    guard now.monotonic >= current.nextAttempt else { return }
    initialisation?.nextAttempt = now.monotonic + Node.proposalInterval
    for node in current.waiting {
      guard let peer = peer(node), peer.isConnected else { continue }
      if current.phase == .beginning {
        offerBootstrap(to: peer)
      } else {
        let start = peer.outbox.beginMessage(.propose)
        plan.encode(into: &peer.outbox)
        peer.outbox.endMessage(start)
      }
    }
  }

  private func initialisationIsLate(_ current: Initialisation) {
    let names = current.waiting.map { peer($0)?.hello.name ?? Node.hex($0.rawValue) }.joined(separator: ", ")
    switch current.phase {
    case .gathering:
      giveUp(
        current, .unavailable,
        "not in reach: \(missing.joined(separator: ", ")); nothing has changed: start it, or wait until it has been away"
          + " for \(Node.acquaintanceLimit / 1_000_000) s")
    case .asking:
      giveUp(current, .unavailable, "no answer from \(names); no cluster has been made, nothing has changed: try again")
    case .beginning:
      // All have promised: who comes back finishes it.
      initialisation = nil
      if hasBegun {
        answerBegun(current.owner)
      } else {
        answerError(current.owner, .unknown, "the log of this node is slow; ask for CLUSTER STATUS")
      }
    }
  }

  /// What has been promised is asked of whoever decides it.
  private func askOfPlan() {
    guard let promise, promise.coordinator != id, cluster == 0, promising.writesUnderWay == 0,
      now.monotonic >= promising.nextQuestion
    else { return }
    promising.nextQuestion = now.monotonic + 500_000
    if let peer = peer(promise.coordinator), peer.isConnected {
      promising.since = now.monotonic
      tell(peer, .planAsked, promise.cluster)
    } else if isVoid(promise) {
      log(.warning, "the node that was making a cluster has not come back; this node is free for another")
      keep(promise: nil)
    }
  }

  /// A member that missed the cluster's beginning is told of it.
  func offerBootstrap(to peer: Peer) {
    guard hasBegun, let first = firstTopology, first.member(peer.id) != nil else { return }
    let start = peer.outbox.beginMessage(.bootstrap)
    first.encode(into: &peer.outbox)
    peer.outbox.endMessage(start)
  }

  func bootstrapped(by peer: Peer, _ reader: inout ByteReader) throws(MalformedBytes) {
    let offered = try Topology(decoding: &reader)
    if cluster == 0 && offered.member(id) != nil && replica(.directory) == nil {
      if let promise, promise.cluster != offered.cluster {
        guard promise.coordinator == id, initialisation?.phase != .beginning else { return }
        tellAbandoned(promise)
      }
      yieldInitialisation()
      begin(offered)
      bootstrapReplies.append((id, logWriter.nextNumber))
    }
    guard cluster == offered.cluster else { return }
    bootstrapReplies.append((peer.id, logWriter.lastNumber))
    if logWriter.isIdle { confirmBootstraps(through: logWriter.nextNumber) }
  }

  /// What began the cluster here is durable: whoever asked may count on it.
  func confirmBootstraps(through batch: UInt64) {
    for reply in bootstrapReplies where reply.batch <= batch {
      if reply.peer == id { begun() }
      guard reply.peer != id, let peer = peer(reply.peer) else { continue }
      let start = peer.outbox.beginMessage(.bootstrapDone)
      peer.outbox.endMessage(start)
    }
    bootstrapReplies.removeAll { $0.batch <= batch }
  }

  private func begun() {
    hasBegun = true
    keep(promise: nil)
    initialisation?.nextAttempt = now.monotonic
    for wait in initialisationWaits {
      if let reason = existing(wait.figures), !reason.isEmpty {
        answerError(wait.owner, .exists, reason)
      } else {
        answerBegun(wait.owner)
      }
    }
    initialisationWaits.removeAll()
    completeInitialisation()
  }

  func bootstrapConfirmed(by peer: Peer) {
    guard initialisation?.phase == .beginning else { return }
    initialisation?.waiting.removeAll { $0 == peer.id }
    completeInitialisation()
  }
  private func completeInitialisation() {
    guard let current = initialisation, current.phase == .beginning, current.waiting.isEmpty, hasBegun else { return }
    initialisation = nil
    answerBegun(current.owner)
  }

  // MARK: Answers

  private func answerWaits(_ refusal: (InitialisationWait) -> (ErrorCode, String)) {
    for wait in initialisationWaits {
      let (code, reason) = refusal(wait)
      answerError(wait.owner, code, reason)
    }
    initialisationWaits.removeAll()
  }
  private func expireWaits() {
    for wait in initialisationWaits where now.monotonic >= wait.deadline {
      let maker = promise.map { name(of: $0.coordinator) } ?? "another node"
      answerError(
        wait.owner, .unavailable,
        "\(maker) is making a cluster, and is not done; this request has changed nothing: ask for CLUSTER STATUS")
    }
    initialisationWaits.removeAll { now.monotonic >= $0.deadline }
  }

  /// The record of the cluster as it began: the same however often it is asked for.
  private func answerBegun(_ owner: EdgeItem.Owner, isTrial: Bool = false) {
    guard let first = firstTopology else { return answerError(owner, .unavailable, "the directory is not here yet") }
    reply.buffer.removeAll()
    if isTrial { reply.array(count: 1) }
    reply.record()
    reply.field(.cluster, clusterName)
    reply.field(.nodes, Int64(first.members.count))
    reply.field(.shards, Int64(first.shards.count))
    reply.field(.replicas, Int64(first.shards.first?.voters.count ?? 0))
    answer(owner, reply.buffer.bytes)
  }

  /// What would be made, then each shard of it; and whom it would wait for.
  private func answer(trial plan: Topology, _ figures: ClusterFigures, _ owner: EdgeItem.Owner) {
    func name(_ node: NodeID) -> String { plan.member(node)?.name ?? Node.hex(node.rawValue) }
    let missing = missing
    reply.buffer.removeAll()
    reply.array(count: plan.shards.count + 1)
    reply.record()
    reply.field(.cluster, "none")
    reply.field(.nodes, Int64(plan.members.count))
    reply.field(.shards, Int64(figures.shards))
    reply.field(.replicas, Int64(figures.replicas))
    reply.field(
      .detail, missing.isEmpty ? "all nodes are in reach" : "not in reach: \(missing.joined(separator: ", "))")
    for placement in plan.shards {
      reply.record()
      reply.field(.shard, Int64(placement.shard.rawValue))
      reply.field(.slots, placement.slots.description)
      reply.field(.leader, name(placement.preferredLeader))
      reply.field(.voters, placement.voters.map(name).sorted().joined(separator: ","))
    }
    answer(owner, reply.buffer.bytes)
  }
}

/// Nodes without a cluster pass on whom they know, so that one of them knows all when it is asked to make one.
extension Node {
  /// Once a second.
  func tellAcquaintances() {
    guard cluster == 0 else { return acquaintances.removeAll() }
    let known = peers.filter { $0.index != 0 && $0.isConnected && $0.hello.cluster == 0 }
    for peer in known {
      let start = peer.outbox.beginMessage(.acquaintances)
      for other in known where other !== peer {
        peer.outbox.append(other.id.rawValue)
        peer.outbox.append(counted: other.hello.peerAddress)
      }
      peer.outbox.endMessage(start)
    }
    acquaintances = acquaintances.filter { now.monotonic - $0.value.toldAt < Node.acquaintanceLimit }
  }

  func receiveAcquaintances(_ reader: inout ByteReader) throws(MalformedBytes) {
    guard cluster == 0 else { return }
    while !reader.isAtEnd {
      let node = NodeID(try reader.read())
      let address = try reader.readString()
      guard node != id, address.utf8.count <= 255 else { continue }
      if let peer = peer(node), peer.isConnected { continue }
      if acquaintances[node] == nil {
        guard acquaintances.count < Node.acquaintancesMax else { continue }
        dial(address)
      }
      acquaintances[node] = Acquaintance(address: address, toldAt: now.monotonic)
    }
  }
}
