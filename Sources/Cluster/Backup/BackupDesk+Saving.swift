import Base
import Ledger
import Protocol
import Raft
import Storage

/// A backup that this node makes, step by step: see docs/backup.md.
extension BackupDesk {
  static let attempts = 10
  /// Without progress a phase is given up after that (µs).
  private static let patience: UInt64 = 20_000_000
  /// A cut's stamp is so far ahead, and further with each attempt (µs): sources and leaders are to know of it before it comes.
  private static let ahead: Int64 = 700_000
  /// Between two questions whether a state is written (µs).
  private static let headInterval: UInt64 = 50_000
  private static let reportInterval: UInt64 = 500_000

  /// - Parameter operation: the save that is under way, whoever makes it.
  func driveSaver(_ operation: Operation?) {
    guard let operation, let plan = operation.save, plan.node == peers.id else {
      return endSaver()
    }
    if saver?.op != operation.number {
      endSaver()
      begin(operation.number, plan, attempt: 1)
    }
    guard let saver else { return }
    if saver.phase != .over, now.monotonic - saver.lastProgress > BackupDesk.patience {
      return retry("nothing came for \(BackupDesk.patience / 1_000_000) s while \(saver.phase)")
    }
    report(operation, saver)
    goOn()
  }
  private func begin(_ op: UInt64, _ plan: BackupSaver.Plan, attempt: Int) {
    saves += 1
    saver = BackupSaver(op: op, save: saves, plan: plan, attempt: attempt, now: now.monotonic)
    turn.out.jobs.append(
      .backup(
        .begin(
          save: saves, directory: plan.directory, cluster: membership.cluster)))
  }
  private func endSaver() {
    guard let saver else { return }
    for session in saver.sessions.values { if let link = session.link { tell(.close(link)) } }
    self.saver = nil
    turn.out.jobs.append(.backup(.giveUp))
  }
  /// All again, with another cut.
  func retry(_ reason: String) {
    guard let saver, saver.phase != .over else { return }
    guard saver.attempt < BackupDesk.attempts else { return fail(reason) }
    log(.info, "backup: again: \(reason)")
    let (op, plan, attempt) = (saver.op, saver.plan, saver.attempt)
    endSaver()
    begin(op, plan, attempt: attempt + 1)
  }
  func fail(_ reason: String) {
    guard let saver, saver.phase != .over else { return }
    for session in saver.sessions.values { if let link = session.link { tell(.close(link)) } }
    saver.sessions = [:]
    saver.phase = .over
    saver.ending = (.failed, reason)
    turn.out.jobs.append(.backup(.giveUp))
  }
  /// The record is to say how far it is. Said again until it does: it happens once.
  private func report(_ operation: Operation, _ saver: BackupSaver) {
    guard now.monotonic >= saver.nextReport, saver.ending != nil || operation.step < saver.step else { return }
    saver.nextReport = now.monotonic + BackupDesk.reportInterval
    if let ending = saver.ending {
      tell(.advance(OperationChange(operation, ending.state, step: operation.step, ending.text)))
    } else {
      tell(.advance(OperationChange(operation, .running, step: saver.step, "")))
    }
  }

  /// Does what can be done now.
  func goOn() {
    guard let saver else { return }
    switch saver.phase {
    case .opening, .finishing, .over: break
    case .arming: if saver.stamp == .zero, now.monotonic >= saver.armAgainAt { armAll(saver) }
    case .cutting:
      if saver.parts.count == saver.plan.shards.count { judgeCut(saver) }
    case .frozen: freezeDirectory(saver)
    case .copying: copy(saver)
    }
  }

  // MARK: The cut

  private func armAll(_ saver: BackupSaver) {
    guard let topology = membership.topology else { return }
    saver.stamp = Stamp(
      microseconds: now.wall.microseconds + BackupDesk.ahead + Int64(saver.attempt - 1) * BackupDesk.ahead / 2)
    var byNode: [NodeID: [ShardID]] = [:]
    for placement in topology.shards {
      let node = source(of: placement)
      saver.chosen[placement.shard] = node
      byNode[node, default: []].append(placement.shard)
    }
    saver.waiting = Set(byNode.keys)
    for (node, shards) in byNode.sorted(by: { $0.key < $1.key }) {
      if node == peers.id {
        armed(by: node, saver.op, saver.stamp, unready: arm(shards, op: saver.op, stamp: saver.stamp, for: node))
      } else if let peer = peers[node], peer.isConnected {
        peer.say(.backupArm) { buffer in
          buffer.append(saver.op)
          buffer.append(saver.stamp.microseconds)
          for shard in shards { buffer.append(shard.rawValue) }
        }
      } else {
        return retry("node \(topology.name(of: node)) is not in reach")
      }
    }
  }
  /// This node, if it holds a replica that is well; else who is to lead the shard, or another voter, in reach.
  func source(of placement: ShardPlacement) -> NodeID {
    if let replica = replicas[placement.shard], replica.quarantined == nil, replica.poison == nil, !replica.isReplaying
    {
      return peers.id
    }
    let others = placement.voters.filter { peers[$0]?.isConnected ?? false }
    if others.contains(placement.preferredLeader) { return placement.preferredLeader }
    return others.first ?? placement.preferredLeader
  }
  func armed(by node: NodeID, _ op: UInt64, _ stamp: Stamp, unready: [ShardID]) {
    guard let saver, saver.op == op, saver.phase == .arming, saver.stamp == stamp else { return }
    saver.lastProgress = now.monotonic
    guard unready.isEmpty, now.wall < stamp else {
      // Its snapshot is over before long, and none begins any more.
      saver.stamp = .zero
      saver.waiting = []
      saver.armings += 1
      return saver.armings < 300
        ? pauseArming(saver) : retry("shard \(unready.first?.rawValue ?? 0) could not be frozen")
    }
    saver.waiting.remove(node)
    guard saver.waiting.isEmpty else { return }
    saver.phase = .cutting
    for shard in saver.plan.shards { tell(.mark(shard, stamp)) }
  }
  private func pauseArming(_ saver: BackupSaver) { saver.armAgainAt = now.monotonic + 200_000 }

  /// A source has frozen a shard, or could not.
  func frozen(_ shard: ShardID, _ op: UInt64, _ stamp: Stamp, _ part: BackupPart?, by node: NodeID) {
    guard let saver, saver.op == op, saver.stamp == stamp, saver.phase == .cutting, saver.chosen[shard] == node else {
      return
    }
    guard let part, part.stamp == stamp else { return retry("shard \(shard.rawValue) was not frozen at the stamp") }
    saver.lastProgress = now.monotonic
    saver.parts[shard] = part
    goOn()
  }
  private func judgeCut(_ saver: BackupSaver) {
    if let reason = BackupCut.reasonAgainst(saver.parts.values.map(\.slots)) { return retry(reason) }
    saver.phase = .frozen
  }
  private func freezeDirectory(_ saver: BackupSaver) {
    guard let directory, let replica = replicas[.directory] else { return }
    let versions = saver.parts.values.map(\.catalogueVersion)
    guard let lowest = versions.min(), let highest = versions.max(), directory.catalogueVersion >= highest else {
      return
    }
    guard directory.droppedVersion <= lowest else { return retry("the catalogue has moved on") }
    guard let frozen = replica.freezeDirectory() else { return }
    sources.arm(.directory, op: saver.op, saver: peers.id, stamp: saver.stamp, now: now.monotonic)
    sources.froze(.directory, frozen)
    saver.parts[.directory] = frozen.part
    saver.chosen[.directory] = peers.id
    saver.phase = .copying
    saver.begin(Dictionary(grouping: saver.chosen.keys, by: { saver.chosen[$0] ?? .none }), pieceBytes: pieceBytes)
    for node in saver.sessions.keys.sorted() {
      if node == peers.id { saver.sessions[node]?.isReady = true } else { tell(.open(node)) }
    }
  }
  /// A link was asked for.
  func opens(_ node: NodeID, request: UInt64) {
    if let preparation, preparation.plan.coordinator == node { preparation.request = request }
    saver?.sessions[node]?.request = request
  }

  // MARK: The copy

  private func copy(_ saver: BackupSaver) {
    refill()
    for node in saver.sessions.keys.sorted() where saver.sessions[node]?.isReady == true { copy(saver, from: node) }
    guard saver.isCopied else { return }
    saver.phase = .finishing
    turn.out.jobs.append(.backup(.finish(save: saver.save, cut: saver.stamp)))
  }
  private func copy(_ saver: BackupSaver, from node: NodeID) {
    guard var session = saver.sessions[node], let shard = session.shards.first, !session.isAdding else { return }
    if session.pull.phase == .waiting, now.monotonic >= session.nextHead {
      session.nextHead = now.monotonic + BackupDesk.headInterval
      saver.sessions[node] = session
      ask(BackupRead(shard, .head), of: node, session.link)
      session = saver.sessions[node] ?? session
    }
    while allowance > 0, let read = session.pull.next() {
      if node != peers.id { allowance -= pieceBytes }
      ask(read, of: node, session.link)
    }
    if session.pull.phase == .complete, let part = saver.parts[shard] {
      session.isAdding = true
      var file: SnapshotFile?
      if node == peers.id, case .written(let own)? = sources.source(shard)?.phase { file = own }
      turn.out.jobs.append(.backup(.add(save: saver.save, part, file: file)))
    }
    saver.sessions[node] = session
  }
  private func ask(_ read: BackupRead, of node: NodeID, _ link: LinkID?) {
    if node == peers.id { return serve(read, to: node, on: nil) }
    guard let link else { return }
    turn.out.frame(.backupRead, membership.header, on: link) { read.encode(into: &$0) }
  }
  private func refill() {
    let passed = now.monotonic - min(refilledAt, now.monotonic)
    refilledAt = now.monotonic
    allowance = min(allowance + Int(min(passed, 100_000)) * bytesPerSecond / 1_000_000, max(bytesPerSecond / 10, 1))
  }

  /// - Parameters:
  ///   - bytes: nil: it is not to be had; none: not yet.
  ///   - reason: why it is not to be had, if its source says so.
  func pieceCame(_ read: BackupRead, _ bytes: [UInt8]?, _ reason: String = "", on link: LinkID?) {
    if prepared(read, bytes, on: link) { return }
    let node = link.map { saver?.node(on: $0) } ?? peers.id
    guard let saver, saver.phase == .copying, let node, let session = saver.sessions[node],
      session.shards.first == read.shard
    else { return }
    guard let bytes else {
      let why = reason.isEmpty ? "it is not kept any more" : reason
      return retry("shard \(read.shard.rawValue) cannot be read: \(why)")
    }
    saver.lastProgress = now.monotonic
    if read.what == .head { return headCame(read.shard, bytes, saver, isLocal: link == nil) }
    var job: BackupJob?
    var isWanted = false
    saver.pull(read.shard) { pull, saver in
      guard let piece = pull.take(read, bytes) else { return }
      isWanted = true
      switch piece {
      case .state(let offset, let bytes):
        job = .writeState(save: saver.save, read.shard, offset: offset, bytes: bytes)
      case .journal(let position, let bytes):
        if bytes.isEmpty { return pull.written() }
        job = .writeJournal(save: saver.save, read.shard, position: position, bytes: bytes)
      }
    }
    guard isWanted else { return retry("a piece of shard \(read.shard.rawValue) is not what was asked for") }
    if let job { turn.out.jobs.append(.backup(job)) } else { goOn() }
  }
  private func headCame(_ shard: ShardID, _ bytes: [UInt8], _ saver: BackupSaver, isLocal: Bool) {
    // It may have been asked for twice.
    guard !bytes.isEmpty, let node = saver.node(pulling: shard), saver.sessions[node]?.pull.phase == .waiting else {
      return
    }
    let head = bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try? BackupHead(decoding: &reader)
    }
    guard let head, head.index == saver.parts[shard]?.index else {
      return retry("shard \(shard.rawValue) has another state")
    }
    saver.pull(shard) { pull, saver in
      pull.found(head)
      // A snapshot of this node's own is read where it is.
      if isLocal { pull.opened(stateFrom: head.byteCount, journalsFrom: saver.journalStarts(shard)) }
    }
    if isLocal { return }
    turn.out.jobs.append(.backup(.receive(save: saver.save, shard, head)))
  }

  func finished(_ manifest: BackupManifest, written: UInt64, byteCount: UInt64) {
    guard let saver else { return }
    let figures = manifest.figures
    saver.phase = .over
    saver.ending = (
      .done,
      "backup=\(manifest.number) cut=\(manifest.cut.microseconds / 1000) shards=\(manifest.shards.count)"
        + " members=\(figures.members) transactions=\(figures.transactions) bytes=\(byteCount) written=\(written)"
        + " digest=\(figures.digestText) balanced=\(figures.isBalanced ? "yes" : "no")"
    )
    log(.info, "backup \(manifest.number) written to \(saver.plan.directory)")
  }
}
