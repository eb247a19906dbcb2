import Base
import Protocol

/// What nodes say to each other of plans, and what terminals are answered.
extension Beginning {
  func say(_ kind: PeerMessageKind, _ cluster: UInt64, _ flag: Bool? = nil, to peer: Peer) {
    peer.say(kind) {
      $0.append(cluster)
      if let flag { $0.append(UInt8(flag ? 1 : 0)) }
    }
  }

  /// The disk has kept what was promised last.
  func promiseKept() {
    promise.kept()
    promiseStands()
  }
  /// It is durable, and what this node begins with is here or on its way.
  func promiseStands() {
    guard promise.isDurable, let plan = promise.plan, !isInCluster else { return }
    if !isReady(plan) { tell(.restore(.prepare(plan))) }
    // The coordinator asks the others meanwhile.
    guard isReady(plan) || plan.coordinator == me else { return }
    if plan.coordinator == me {
      initialisation?.nextAttempt = now.monotonic
      advance()
    } else if let peer = peers[plan.coordinator] {
      say(.promised, plan.cluster, to: peer)
    }
  }

  /// - Parameter mayBegin: nothing of a directory is here.
  func receive(
    _ kind: PeerMessageKind, _ reader: inout ByteReader, from peer: Peer, mayBegin: Bool
  ) throws(MalformedBytes) {
    switch kind {
    case .propose: proposed(try ClusterPlan(decoding: &reader), by: peer)
    case .bootstrap: bootstrapped(try Topology(decoding: &reader), by: peer, mayBegin: mayBegin)
    case .bootstrapDone: bootstrapConfirmed(by: peer)
    case .acquaintances: try receiveAcquaintances(&reader)
    default: try receiveWord(kind, &reader, from: peer)
    }
  }

  private func receiveWord(
    _ kind: PeerMessageKind, _ reader: inout ByteReader, from peer: Peer
  ) throws(MalformedBytes) {
    let number = try reader.read(UInt64.self)
    switch kind {
    case .promised:
      guard initialisation?.phase == .asking, initialisation?.plan?.cluster == number else { return }
      initialisation?.waiting.removeAll { $0 == peer.id }
      advance()
    case .declined:
      guard let current = initialisation, current.phase == .asking, current.plan?.cluster == number else { return }
      // One that is promised elsewhere may be free before long.
      guard try reader.read(UInt8.self) != 0 else { return }
      giveUp(current, .exists, "node \(peer.hello.name) belongs to a cluster already; it must not be named")
    case .abandoned:
      guard let plan = promise.plan, plan.cluster == number, plan.coordinator == peer.id, !isInCluster else { return }
      keep(nil)
      refuseWaits(.unavailable, "node \(peer.hello.name) gave up making the cluster; nothing has changed")
    case .planAsked:
      if membership.cluster == number {
        offer(to: peer)
      } else if promise.plan?.cluster != number {
        say(.abandoned, number, to: peer)
      }
    default: break
    }
  }

  private func proposed(_ plan: ClusterPlan, by peer: Peer) {
    guard plan.coordinator == peer.id, plan.topology.node(me) != nil else { return }
    guard !isInCluster else {
      return membership.cluster == plan.cluster ? offer(to: peer) : say(.declined, plan.cluster, true, to: peer)
    }
    guard let mine = promise.plan else { return take(plan) }
    if mine.cluster == plan.cluster {
      if promise.isDurable, isReady(mine) { say(.promised, plan.cluster, to: peer) }
      return
    }
    if mine.coordinator == me {
      guard plan.coordinator < me, initialisation?.phase == .asking || initialisation == nil else {
        return say(.declined, plan.cluster, false, to: peer)
      }
      tellAbandoned(mine)
      return take(plan)
    }
    // Its coordinator makes one at a time.
    if mine.coordinator == plan.coordinator || isVoid(mine) { return keep(plan) }
    say(.declined, plan.cluster, false, to: peer)
  }
  private func take(_ plan: ClusterPlan) {
    giveWay()
    keep(plan)
  }

  /// Whoever asked this node hears what comes of another's plan.
  private func giveWay() {
    guard let current = initialisation else { return }
    initialisation = nil
    waits.append(InitialisationWait(owner: current.owner, figures: current.figures, deadline: current.deadline))
  }

  private func tellAbandoned(_ plan: ClusterPlan) {
    for record in plan.topology.nodes where record.id != me {
      if let peer = peers[record.id] { say(.abandoned, plan.cluster, to: peer) }
    }
  }

  func giveUp(_ current: Initialisation, _ code: ErrorCode, _ reason: String) {
    initialisation = nil
    if let plan = current.plan {
      tellAbandoned(plan)
      keep(nil)
    }
    tell(.refuse(current.owner, code, reason))
    refuseWaits(code, reason)
  }

  // MARK: The first entry

  /// A node that missed the cluster's beginning is told of it.
  func offer(to peer: Peer) {
    guard hasBegun, let first = membership.first, first.node(peer.id) != nil else { return }
    peer.say(.bootstrap) { first.encode(into: &$0) }
  }

  private func bootstrapped(_ offered: Topology, by peer: Peer, mayBegin: Bool) {
    if !isInCluster && offered.node(me) != nil && mayBegin {
      if let plan = promise.plan, plan.cluster != offered.cluster {
        guard plan.coordinator == me, initialisation?.phase != .beginning else { return }
        tellAbandoned(plan)
      }
      giveWay()
      begin(offered)
    }
    tell(.confirm(peer.id, cluster: offered.cluster))
  }
  private func bootstrapConfirmed(by peer: Peer) {
    guard initialisation?.phase == .beginning else { return }
    initialisation?.waiting.removeAll { $0 == peer.id }
    complete()
  }

  // MARK: Answers

  func refuseWaits(_ code: ErrorCode, _ reason: String) {
    for wait in waits { tell(.refuse(wait.owner, code, reason)) }
    waits.removeAll()
  }
  func expireWaits() {
    for wait in waits where now.monotonic >= wait.deadline {
      let maker = promise.plan.map { peers[$0.coordinator]?.hello.name ?? $0.coordinator.hex } ?? "another node"
      tell(
        .refuse(
          wait.owner, .unavailable,
          "\(maker) is making a cluster, and is not done; this request has changed nothing: ask for CLUSTER STATUS"))
    }
    waits.removeAll { now.monotonic >= $0.deadline }
  }

  /// The record of the cluster as it began: the same however often it is asked for.
  func answerBegun(_ owner: EdgeItem.Owner, isTrial: Bool = false) {
    guard let first = membership.first else {
      return tell(.refuse(owner, .unavailable, "the directory is not here yet"))
    }
    var reply = ReplyWriter(capacity: 256)
    if isTrial { reply.array(count: 1) }
    reply.record()
    reply.field(.cluster, membership.clusterName)
    reply.field(.nodes, Int64(first.nodes.count))
    reply.field(.shards, Int64(first.shards.count))
    reply.field(.replicas, Int64(first.shards.first?.voters.count ?? 0))
    tell(.answer(owner, reply.buffer.array))
  }

  /// What would be made, then each shard of it; and whom it would wait for.
  func answer(trial plan: Topology, _ figures: ClusterFigures, _ owner: EdgeItem.Owner) {
    func name(_ node: NodeID) -> String { plan.node(node)?.name ?? node.hex }
    let missing = missing
    var reply = ReplyWriter(capacity: 4096)
    reply.array(count: plan.shards.count + 1)
    reply.record()
    reply.field(.cluster, "none")
    reply.field(.nodes, Int64(plan.nodes.count))
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
    tell(.answer(owner, reply.buffer.array))
  }
}
