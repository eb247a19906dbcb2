import Base

/// What one coordinator wants of another.
extension Node {
  /// Tells on what coordinators have to say, until all is said. Asked many times a turn, when there is nothing.
  @inline(__always) func carryOver() {
    while links.hasEvents || beginning.hasEvents || snapshots.hasEvents { carryEvents() }
  }
  @inline(never) private func carryEvents() {
    let (ofLinks, ofBeginning, ofSnapshots) = (links.takeEvents(), beginning.takeEvents(), snapshots.takeEvents())
    ofLinks.forEach(carry)
    ofBeginning.forEach(carry)
    ofSnapshots.forEach(carry)
  }

  private func carry(_ event: PeerLinks.Event) {
    switch event {
    case .lost(let node): requests.lost(node)
    case .forgotten(let edge): replicas.forget(edge: edge)
    case .isGone(let node): replicas.campaign(insteadOf: node)
    case .linked: replicas.resendAllDeliveries()
    case .met(let node):
      if let peer = peers[node], peer.hello.cluster == 0, membership.cluster != 0 { beginning.offer(to: peer) }
    case .beganAnew(let node, let link): snapshots.endTransfers(to: node, but: link)
    case .bulkReady(let link): snapshots.linkReady(link)
    case .closed(let link): snapshots.linkClosed(link)
    }
  }
  private func carry(_ event: Beginning.Event) {
    switch event {
    case .answer(let owner, let reply): reply.withUnsafeBytes { requests.answer(owner, $0) }
    case .refuse(let owner, let code, let reason): requests.answerError(owner, code, reason)
    case .begin(let topology):
      shards.begin(topology)
      directoryStarted()
      beginning.waits(membership.me.id, for: health.disk.writer.nextNumber)
    case .confirm(let peer, let cluster):
      guard membership.cluster == cluster else { return }
      beginning.waits(peer, for: health.disk.writer.lastNumber)
      if health.disk.writer.isIdle { beginning.durable(through: health.disk.writer.nextNumber) }
    case .dial(let address): links.dial(address)
    case .restore(let word): snapshots.backups.take(word)
    }
  }
  private func carry(_ event: SnapshotDesk.Event) {
    switch event {
    case .close(let link): links.forget(link)
    case .isDue: takeNextSnapshot()
    case .open(let number, let address): snapshots.opens(number, request: links.open(address, bulk: true))
    case .arrives(let offer, let link):
      if let replica = replicas[offer.shard] { drain(replica) }
      snapshots.begin(offer, on: link)
    case .directory(let machine):
      shards.replace(directory: machine)
      directoryApplied()
    case .backup(let event): BackupCarrying(node: self).carry(event)
    }
  }

  /// The directory's replica is here. It is small, and all of it is needed to know which replicas there are.
  func directoryStarted() {
    requests.makeTables(through: .directory)
    if let replica = replicas[.directory] {
      replica.applying.allowance = .max
      replica.turn(clock: turn.now.wall, earliest: health.earliest)
      drain(replica)
    }
    directoryApplied()
  }

  /// Acts by what the directory now says.
  func directoryApplied() {
    shards.catalogueMoved()
    let isNew = membership.cluster == 0
    guard let directory = shards.directory, let newer = directory.topology,
      membership.follow(newer, first: directory.firstTopology)
    else { return }
    if isNew { turn.out.log(.info, "member of cluster \(membership.clusterName)") }
    beginning.follows(directoryBorn: replicas[.directory]?.raft.id.born)
    requests.directoryChanged()
    links.directoryChanged()
    shards.startRecovered()
    health.judgeLeadership()
    links.dropSuperseded()
    carryOver()
    announceSelf()
  }
}
