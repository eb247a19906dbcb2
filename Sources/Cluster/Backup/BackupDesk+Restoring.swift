import Base
import Ledger
import Protocol
import Raft
import Storage

/// A cluster that begins with a backup: what its coordinator gives, and what each node fetches. See docs/backup.md.
extension BackupDesk {
  /// What `Beginning` wants.
  enum Word {
    /// The plan is kept: what it has for this node is to be here before the node promises.
    case prepare(ClusterPlan)
    /// The plan comes to nothing.
    case discard
    /// The cluster begins.
    case install
  }
  func take(_ word: Word) {
    switch word {
    case .prepare(let plan):
      guard preparation?.plan.cluster != plan.cluster else { return }
      discard()
      preparation = BackupPreparation(plan, at: peers.id)
      if plan.coordinator == peers.id { exports = BackupExports(topology: plan.topology) }
    case .discard: discard()
    case .install: install()
    }
  }
  private func discard() {
    exports = nil
    guard let preparation else { return }
    self.preparation = nil
    if let link = preparation.link { tell(.close(link)) }
    for number in preparation.staged.values.map(\.number).sorted() + [preparation.number] { drop(transfer: number) }
    turn.out.jobs.append(.backup(.close))
  }
  private func drop(transfer number: UInt64) {
    guard number > 0 else { return }
    turn.out.jobs.append(.transfer(.dropPart(number)))
    turn.out.jobs.append(.transfer(.dropJournal(number)))
  }

  // MARK: Coordinator

  /// `CLUSTER BACKUP RESTORE`: reads what there is.
  func restore(_ owner: EdgeItem.Owner, _ figures: ClusterFigures, directory: String, isTrial: Bool) {
    guard membership.cluster == 0 else {
      return tell(
        .refuse(owner, .exists, "this node belongs to cluster \(membership.clusterName) already; nothing was done"))
    }
    guard restoring == nil else {
      return tell(.refuse(owner, .busy, "another restore is being looked at; ask again"))
    }
    restoring = (owner, figures, isTrial)
    turn.out.jobs.append(.backup(.open(directory: directory)))
  }
  func outlined(_ outline: BackupOutline?, _ reason: String) {
    guard let (owner, figures, isTrial) = restoring else { return }
    restoring = nil
    guard let outline else { return tell(.refuse(owner, .notFound, reason)) }
    var wanted = figures
    wanted.shards = outline.manifest.shards.count
    wanted.restoring = outline
    tell(.initialise(owner, wanted, isTrial: isTrial))
  }

  /// - Returns: false: this node makes no cluster of a backup.
  func serveRestored(_ read: BackupRead, to node: NodeID, on link: LinkID?) -> Bool {
    guard let exports, exports.topology.node(node) != nil else { return false }
    guard read.what == .head else {
      turn.out.jobs.append(.backup(.readSaved(read, byteCount: pieceBytes, link: link)))
      return true
    }
    switch exports.exports[read.shard] {
    case nil:
      self.exports?.exports[read.shard] = .underWay
      turn.out.jobs.append(.backup(.export(read.shard, exports.topology)))
      answer(read, [], on: link)
    case .underWay: answer(read, [], on: link)
    case .done(let head):
      var buffer = ByteBuffer(capacity: 128)
      head.encode(into: &buffer)
      answer(read, buffer.array, on: link)
    case .failed: answer(read, nil, on: link)
    }
    return true
  }
  func exported(_ shard: ShardID, _ head: BackupHead?, _ reason: String) {
    guard exports != nil else { return }
    exports?.exports[shard] = head.map { .done($0) } ?? .failed(reason)
    if head == nil {
      log(.error, "the backup cannot be restored: \(reason)")
      tell(.cannotBegin("the backup cannot be restored: \(reason)"))
    }
  }

  // MARK: Every node

  /// With each tick.
  func advancePreparation() {
    guard let preparation else { return closeExports() }
    switch preparation.phase {
    case .fetching: fetch(preparation)
    case .waitingForClock:
      let behind = (preparation.plan.topology.restored?.cut.microseconds ?? 0) - now.wall.microseconds
      guard behind < 0 else {
        if !preparation.hasWarned {
          log(
            .warning, "CLOCK this node's clock is \(behind / 1000) ms behind the backup's cut: the restore waits for it"
          )
        }
        preparation.hasWarned = true
        return
      }
      preparation.phase = .prepared
      tell(.prepared(cluster: preparation.plan.cluster))
    case .prepared, .installing: break
    }
  }
  /// Once the cluster has proved itself nobody is to fetch anything.
  private func closeExports() {
    guard exports != nil, let topology = membership.topology, topology.restored == nil else { return }
    exports = nil
    turn.out.jobs.append(.backup(.close))
  }
  private func fetch(_ preparation: BackupPreparation) {
    guard let shard = preparation.next else {
      preparation.phase = .waitingForClock
      return
    }
    let coordinator = preparation.plan.coordinator
    if coordinator == peers.id { preparation.isReady = true }
    guard preparation.isReady else {
      guard preparation.request == nil, now.monotonic >= preparation.nextLink, peers[coordinator]?.isConnected == true
      else { return }
      preparation.nextLink = now.monotonic + 1_000_000
      return tell(.open(coordinator))
    }
    if preparation.pull == nil { preparation.pull = BackupPull(shard, pieceBytes: pieceBytes) }
    if preparation.pull?.phase == .waiting, now.monotonic >= preparation.nextHead {
      preparation.nextHead = now.monotonic + 100_000
      ask(BackupRead(shard, .head), preparation)
    }
    while let read = preparation.pull?.next() { ask(read, preparation) }
    guard preparation.pull?.phase == .complete, !preparation.isChecking else { return }
    preparation.isChecking = true
    turn.out.jobs.append(.transfer(.load(preparation.number)))
  }
  private func loaded(_ number: UInt64, _ part: LoadedPart) {
    guard let preparation, preparation.number == number, let shard = preparation.pull?.shard else { return }
    preparation.staged[shard] = (number, part)
    (preparation.number, preparation.pull, preparation.isChecking) = (0, nil, false)
    log(.info, "fetched of the backup shard=\(shard.rawValue)")
  }
  private func ask(_ read: BackupRead, _ preparation: BackupPreparation) {
    if preparation.plan.coordinator == peers.id {
      _ = serveRestored(read, to: peers.id, on: nil)
    } else if let link = preparation.link {
      turn.out.frame(.backupRead, membership.header, on: link) { read.encode(into: &$0) }
    }
  }
  /// False: it is for no preparation.
  func prepared(_ read: BackupRead, _ bytes: [UInt8]?, on link: LinkID?) -> Bool {
    guard let preparation, link == preparation.link, preparation.phase == .fetching else { return false }
    guard let bytes else {
      // A node that has begun already brings this one forward as a follower.
      tell(.notToBeHad)
      return true
    }
    guard preparation.pull?.shard == read.shard else { return true }
    if read.what == .head {
      headCame(bytes, preparation)
      return true
    }
    switch preparation.pull?.take(read, bytes) {
    case .state(let offset, let bytes):
      turn.out.jobs.append(.transfer(.writeFile(preparation.number, offset: offset, bytes: bytes)))
    case .journal(_, let bytes) where bytes.isEmpty: preparation.pull?.written()
    case .journal(let position, let bytes):
      turn.out.jobs.append(.transfer(.writeJournal(preparation.number, position: position, bytes: bytes)))
    case nil: break
    }
    return true
  }
  private func headCame(_ bytes: [UInt8], _ preparation: BackupPreparation) {
    guard !bytes.isEmpty, let pull = preparation.pull, pull.phase == .waiting else { return }
    let head = bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try? BackupHead(decoding: &reader)
    }
    guard let head else { return }
    preparation.pull?.found(head)
    preparation.number = takeTransfer()
    turn.out.jobs.append(
      .transfer(
        .openPart(
          preparation.number, shard: pull.shard, index: head.index, term: head.term, digest: head.digest,
          byteCount: head.byteCount)))
  }

  /// What came of a transfer of a preparation. False: it is none.
  func takes(_ step: TransferStep) -> Bool {
    switch step {
    case .partOpened(let number, let offset):
      guard BackupDesk.isTransfer(number) else { return false }
      openJournal(number, fileFrom: offset)
    case .journalFollowed(let number):
      guard BackupDesk.isTransfer(number) else { return false }
      if preparation?.number == number { turn.out.jobs.append(.transfer(.followJournal(number))) }
    case .journalOpened(let number, let journals):
      guard BackupDesk.isTransfer(number) else { return false }
      guard let preparation, preparation.number == number else { break }
      preparation.pull?.opened(stateFrom: preparation.fileOffset, journalsFrom: journals)
    case .written(let number):
      guard BackupDesk.isTransfer(number) else { return false }
      if preparation?.number == number { preparation?.pull?.written() }
    case .loaded(let number, let part):
      guard BackupDesk.isTransfer(number) else { return false }
      loaded(number, part)
    case .installed(let number, let loaded):
      guard BackupDesk.isTransfer(number) else { return false }
      installed(loaded)
    case .failed(let number, let reason):
      guard BackupDesk.isTransfer(number) else { return false }
      transferFailed(number, reason)
    default: return false
    }
    advancePreparation()
    return true
  }
  private func openJournal(_ number: UInt64, fileFrom offset: UInt64) {
    guard let preparation, preparation.number == number, let shard = preparation.pull?.shard,
      let head = preparation.pull?.head
    else { return }
    preparation.fileOffset = offset
    turn.out.jobs.append(
      .transfer(.openJournal(number, shard: shard, from: head.journalStart, lineage: head.lineage)))
  }
  private func transferFailed(_ number: UInt64, _ reason: String) {
    guard let preparation else { return }
    guard preparation.phase != .installing else {
      return turn.out.end(1, "what was restored cannot be installed: \(reason); start this node again")
    }
    log(.error, "fetching of the backup: \(reason)")
    // It goes on from what is there.
    (preparation.number, preparation.pull, preparation.isChecking) = (0, nil, false)
    preparation.nextHead = now.monotonic + 1_000_000
  }

  // MARK: The beginning

  private func install() {
    guard let preparation, preparation.phase == .prepared else { return }
    preparation.phase = .installing
    if let link = preparation.link { tell(.close(link)) }
    for shard in preparation.shards {
      guard let (number, part) = preparation.staged[shard] else { continue }
      turn.out.jobs.append(.transfer(.settle(number, part)))
    }
  }
  private func installed(_ loaded: LoadedSnapshot) {
    guard let preparation, preparation.phase == .installing else { return }
    preparation.installed.append(loaded)
    guard preparation.installed.count == preparation.shards.count else { return }
    self.preparation = nil
    tell(.begun(preparation.installed))
  }

  // MARK: Its link

  func lostPreparationLink() {
    guard let preparation, preparation.phase == .fetching else { return }
    (preparation.link, preparation.request, preparation.isReady) = (nil, nil, false)
    preparation.pull = nil
    preparation.isChecking = false
    drop(transfer: preparation.number)
    preparation.number = 0
  }
}
