import Base
import Protocol

/// `CLUSTER INIT`: one cluster of all nodes that know of each other, or none.
///
/// The node that is asked (the coordinator) plans the cluster and asks every node for its promise, which is durable and
/// excludes any other plan. Only when all have promised does it begin, durably, and have the others begin with the same
/// first entry. Up to then it alone may give the plan up, and does when somebody does not answer in time, or when it ends:
/// who has promised asks it what became of the plan. Of two coordinators the one with the higher id gives way.
///
/// `takeEvents` has the work for others, in order.
final class Beginning: Coordinator {
  /// What is to be done about it elsewhere.
  enum Event {
    case answer(EdgeItem.Owner, [UInt8])
    case refuse(EdgeItem.Owner, ErrorCode, String)
    /// The cluster begins here with that topology; `waits` is to be told of the batch that has it.
    case begin(Topology)
    /// A peer is to hear, once all is durable, that this node has begun with that cluster.
    case confirm(NodeID, cluster: UInt64)
    case dial(String)
    /// What a cluster that begins with a backup wants of it.
    case restore(BackupDesk.Word)
  }

  static let proposalInterval: UInt64 = 200_000
  private static let waitsMax = 64

  let turn: Turn
  let membership: Membership
  let peers: PeerTable
  var promise: Promise
  var initialisation: Initialisation?
  var waits: [InitialisationWait] = []
  private var acquaintances = Acquaintances()
  /// What began the cluster here is durable.
  private(set) var hasBegun = false
  /// Of which cluster that begins with a backup all is here that this node begins with.
  private var preparedCluster: UInt64 = 0
  /// Peers that hear that this node has begun, once the batch of that number is durable.
  private var confirmations: [(peer: NodeID, batch: UInt64)] = []
  private var planCount: UInt64 = 0
  private var events: [Event] = []
  /// Within which everybody who asks is answered.
  private let patience: UInt64

  init(turn: Turn, membership: Membership, peers: PeerTable, requestTimeout: UInt64) {
    self.turn = turn
    self.membership = membership
    self.peers = peers
    patience = min(requestTimeout, 5_000_000) * 4 / 5
    promise = Promise(now: turn.now.monotonic)
  }

  var me: NodeID { membership.me.id }
  var isInCluster: Bool { membership.cluster != 0 }
  /// The coordinator of the plan to which this node is promised.
  var plan: ClusterPlan? { promise.plan }

  func tell(_ event: Event) { events.append(event) }
  @inline(__always) var hasEvents: Bool { !events.isEmpty }
  func takeEvents() -> [Event] {
    defer { events.removeAll() }
    return events
  }

  /// What was found on disk.
  func recover(promise bytes: [UInt8]?) {
    hasBegun = isInCluster
    guard let bytes else { return }
    let found = bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try? ClusterPlan(decoding: &reader)
    }
    // It was kept; or, as this node did not begin, its own plan came to nothing.
    guard let found, !isInCluster, found.coordinator != me else {
      if let found { forgetRestored(found) }
      return keep(nil)
    }
    promise.found(found)
    membership.promised = found.topology
    if !isReady(found) { tell(.restore(.prepare(found))) }
  }
  /// Whether nothing is missing of what this node is to begin with.
  func isReady(_ plan: ClusterPlan) -> Bool { plan.topology.restored == nil || preparedCluster == plan.cluster }
  /// All is here that this node begins with.
  func prepared(cluster: UInt64) {
    guard promise.plan?.cluster == cluster else { return }
    preparedCluster = cluster
    promiseStands()
  }
  /// The backup cannot be had.
  func cannotBegin(_ reason: String) {
    if let current = initialisation, current.phase == .asking { giveUp(current, .unavailable, reason) }
  }
  /// The node cannot fetch any more what it was to begin with. If the cluster has begun without it, others bring it forward.
  func lostBackup() {
    guard let plan = promise.plan, peers[plan.coordinator]?.hello.cluster == plan.cluster else { return }
    keep(nil)
  }
  /// The disk drops what was fetched for a plan that comes to nothing before it drops the promise.
  private func forgetRestored(_ plan: ClusterPlan) {
    guard plan.topology.restored != nil, !isInCluster else { return }
    tell(.restore(.discard))
    let shards = plan.topology.shards.filter { $0.voters.contains(me) }.map(\.shard)
    for shard in [.directory] + shards { turn.out.jobs.append(.clearAway(shard)) }
    turn.out.jobs.append(.sweepJournals(.none))
  }
  func begin(_ topology: Topology) { tell(topology.restored == nil ? .begin(topology) : .restore(.install)) }

  func keep(_ plan: ClusterPlan?) {
    if let old = promise.plan, old.cluster != plan?.cluster { forgetRestored(old) }
    promise.make(plan, now: now.monotonic, &turn.out)
    (membership.promised, membership.promisedAt) = (plan?.topology, plan == nil ? nil : now.monotonic)
  }

  // MARK: The question

  func initialise(_ owner: EdgeItem.Owner, _ figures: ClusterFigures, isTrial: Bool) {
    if let reason = existing(figures) {
      return reason.isEmpty ? answerBegun(owner, isTrial: isTrial) : tell(.refuse(owner, .exists, reason))
    }
    let deadline = now.monotonic + patience
    if isTrial {
      do {
        answer(trial: try plan(figures), figures, owner)
      } catch { tell(.refuse(owner, .malformed, error.reason)) }
      return
    }
    guard initialisation == nil, promise.plan == nil, promise.isDurable else {
      guard waits.count < Beginning.waitsMax else { return tell(.refuse(owner, .busy, "the cluster is being made")) }
      waits.append(InitialisationWait(owner: owner, figures: figures, deadline: deadline))
      return
    }
    initialisation = Initialisation(owner: owner, figures: figures, deadline: deadline)
    gather()
  }

  /// Nil: there is no cluster. Empty: this node's is the one that is asked for. Else why it cannot be made.
  private func existing(_ figures: ClusterFigures) -> String? {
    if isInCluster {
      guard let first = membership.first, figures.match(first) else {
        let made = membership.first.map {
          " with shards=\($0.shards.count) replicas=\($0.shards.first?.voters.count ?? 0)"
        }
        return
          "this node belongs to cluster \(membership.clusterName) already, made\(made ?? ""), not with \(figures.text)"
      }
      return ""
    }
    guard let elsewhere = peers.nodeInCluster else { return nil }
    return "node \(elsewhere.name) belongs to a cluster already; this node will join it, or must not name it"
  }

  private func plan(_ figures: ClusterFigures) throws(Topology.Impossible) -> Topology {
    let identity = membership.me
    var nodes: [NodeRecord] = []
    for peer in peers where peer.index == 0 || isWithoutCluster(peer) {
      let hello = peer.hello
      nodes.append(
        NodeRecord(
          id: peer.id, name: hello.name, region: hello.region, clientAddress: hello.clientAddress,
          peerAddress: hello.peerAddress, state: .up,
          proof: peer.index == 0 ? identity.proof : peer.introduction ?? .unset))
    }
    planCount += 1
    let common = nodes.compactMap { peers[$0.id]?.hello.semantics }.min()
    if let outline = figures.restoring {
      guard common ?? 0 >= outline.topology.semantics else {
        throw Topology.Impossible(
          reason:
            "the backup is of semantics \(outline.topology.semantics), and not all nodes know them: start a newer build there"
        )
      }
      return try Topology.plan(
        restoring: outline, cluster: identity.newCluster(planCount), nodes: nodes, replicas: figures.replicas,
        allowSingleRegion: figures.allowSingleRegion)
    }
    var topology = try Topology.plan(
      cluster: identity.newCluster(planCount), hashKey: identity.newHashKey, nodes: nodes,
      shards: figures.shards, replicas: figures.replicas, allowSingleRegion: figures.allowSingleRegion)
    topology.semantics = common ?? topology.semantics
    return topology
  }
  private func isWithoutCluster(_ peer: Peer) -> Bool {
    peer.index != 0 && peer.isConnected && peer.hello.cluster == 0
  }

  /// Nodes that this node, or one that it is linked to, has seen of late, and that are not in reach: "name" or an address.
  var missing: [String] {
    func named(_ peer: Peer) -> String { "\(peer.hello.name) at \(peer.hello.peerAddress)" }
    let away = peers.others.filter {
      !$0.isConnected && $0.hello.cluster == 0 && $0.lastHeard > 0
        && !$0.isSilent(for: Acquaintances.limit, now: now)
    }
    // Without its secret it would be a node that nobody knows again.
    let unproven = peers.others.filter { isWithoutCluster($0) && $0.introduction == nil }
    let unmet = acquaintances.unmet(now: now.monotonic) { peers[$0] != nil }
    return away.map(named) + unproven.map(named) + unmet.map { "a node at \($0)" }
  }

  /// Plans once all that are known are in reach.
  private func gather() {
    guard var current = initialisation, current.phase == .gathering, missing.isEmpty else { return }
    do {
      let topology = try plan(current.figures)
      let plan = ClusterPlan(coordinator: me, topology: topology)
      current.plan = plan
      current.phase = .asking
      current.waiting = topology.nodes.map(\.id).filter { $0 != me }
      // Nodes fetch their parts first, which takes its time.
      if topology.restored != nil { current.deadline = .max }
      initialisation = current
      keep(plan)
    } catch {
      initialisation = nil
      tell(.refuse(current.owner, .malformed, error.reason))
      refuseWaits(.malformed, error.reason)
    }
  }

  // MARK: Time

  /// With each tick.
  func advance() {
    expireWaits()
    askOfPlan()
    gather()
    guard let current = initialisation else { return }
    guard now.monotonic < current.deadline else { return isLate(current) }
    guard let plan = current.plan, promise.isDurable else { return }
    if current.phase == .asking, current.waiting.isEmpty, isReady(plan) {
      initialisation?.phase = .beginning
      initialisation?.waiting = plan.topology.nodes.map(\.id).filter { $0 != me }
      initialisation?.nextAttempt = now.monotonic
      begin(plan.topology)
      return
    }
    guard now.monotonic >= current.nextAttempt else { return }
    initialisation?.nextAttempt = now.monotonic + Beginning.proposalInterval
    for node in current.waiting {
      guard let peer = peers[node], peer.isConnected else { continue }
      if current.phase == .beginning { offer(to: peer) } else { peer.say(.propose) { plan.encode(into: &$0) } }
    }
  }

  private func isLate(_ current: Initialisation) {
    switch current.phase {
    case .gathering:
      giveUp(
        current, .unavailable,
        "not in reach: \(missing.joined(separator: ", ")); nothing has changed: start it, or wait until it has been away"
          + " for \(Acquaintances.limit / 1_000_000) s")
    case .asking:
      let names = current.waiting.map { peers[$0]?.hello.name ?? $0.hex }.joined(separator: ", ")
      giveUp(current, .unavailable, "no answer from \(names); no cluster has been made, nothing has changed: try again")
    case .beginning:
      // All have promised: who comes back finishes it.
      initialisation = nil
      if hasBegun {
        answerBegun(current.owner)
      } else {
        tell(.refuse(current.owner, .unknown, "the log of this node is slow; ask for CLUSTER STATUS"))
      }
    }
  }

  /// What has been promised is asked of whoever decides it.
  private func askOfPlan() {
    guard let plan = promise.plan, plan.coordinator != me, !isInCluster, promise.isQuestionDue(now: now.monotonic)
    else {
      return
    }
    if let peer = peers[plan.coordinator], peer.isConnected {
      promise.coordinatorIsInReach(now: now.monotonic)
      say(.planAsked, plan.cluster, to: peer)
    } else if isVoid(plan) {
      log(.warning, "the node that was making a cluster has not come back; this node is free for another")
      keep(nil)
    }
  }
  func isVoid(_ plan: ClusterPlan) -> Bool {
    promise.isVoid(isCoordinatorInReach: peers[plan.coordinator]?.isConnected == true, now: now.monotonic)
  }

  // MARK: The beginning is durable

  /// A peer, or this node itself, hears that it has begun once that batch is durable.
  func waits(_ peer: NodeID, for batch: UInt64) { confirmations.append((peer, batch)) }

  /// What began the cluster here is durable: whoever asked may count on it.
  func durable(through batch: UInt64) {
    if confirmations.isEmpty { return }
    for confirmation in confirmations where confirmation.batch <= batch {
      if confirmation.peer == me { begun() } else { peers[confirmation.peer]?.say(.bootstrapDone) }
    }
    confirmations.removeAll { $0.batch <= batch }
  }

  private func begun() {
    hasBegun = true
    keep(nil)
    initialisation?.nextAttempt = now.monotonic
    for wait in waits {
      if let reason = existing(wait.figures), !reason.isEmpty {
        tell(.refuse(wait.owner, .exists, reason))
      } else {
        answerBegun(wait.owner)
      }
    }
    waits.removeAll()
    complete()
  }
  /// Whether this node, which has no cluster and has promised itself to none, may join that of a peer.
  func mayJoin(_ peer: Peer) -> Bool { !isInCluster && peer.hello.cluster != 0 && promise.plan == nil }
  /// The directory is here. A founder has begun once its beginning is durable; one that was born later has it from others.
  /// - Parameter born: of the directory's replica.
  func follows(directoryBorn born: UInt64?) {
    guard let born, born > 1, !hasBegun else { return }
    hasBegun = true
    keep(nil)
  }
  func complete() {
    guard let current = initialisation, current.phase == .beginning, current.waiting.isEmpty, hasBegun else { return }
    initialisation = nil
    answerBegun(current.owner)
  }

  // MARK: Those without a cluster

  /// Once a second.
  func tellAcquaintances() {
    guard !isInCluster else { return acquaintances.removeAll() }
    let known = peers.filter(isWithoutCluster)
    for peer in known {
      peer.say(.acquaintances) {
        for other in known where other !== peer {
          $0.append(other.id.rawValue)
          $0.append(counted: other.hello.peerAddress)
        }
      }
    }
    acquaintances.forgetOld(now: now.monotonic)
  }
  func receiveAcquaintances(_ reader: inout ByteReader) throws(MalformedBytes) {
    guard !isInCluster else { return }
    while !reader.isAtEnd {
      let node = NodeID(try reader.read())
      let address = try reader.readString()
      if node == me || peers[node]?.isConnected == true { continue }
      if acquaintances.note(node, at: address, now: now.monotonic) { tell(.dial(address)) }
    }
  }
}

extension NodeIdentity {
  /// The number of a cluster that this node plans: another one each time, and not 0. It shows nothing of the key.
  func newCluster(_ plan: UInt64) -> UInt64 {
    var hash = SipHash(newHashKey)
    hash.absorb(life.nonce)
    hash.absorb(plan)
    return hash.finished() | 1
  }
}
