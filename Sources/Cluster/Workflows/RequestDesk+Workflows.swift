import Base
import Ledger
import Protocol

/// What waits inside this node goes on when its answers are there.
extension RequestDesk {
  func keep(_ continuation: Continuation) -> UInt64 { workflows.keep(continuation) }

  /// An answer for a step of the node's own. Number 0 is nobody.
  func resume(_ number: UInt64, _ reply: UnsafeRawBufferPointer) {
    guard let continuation = workflows.take(number) else { return }
    switch continuation {
    case .card(let lookUp): cardFound(lookUp, reply)
    case .former(let search): formerHolderAnswered(search, reply)
    case .named(let named): namedAnswered(named, reply)
    case .past(let request): pastAnswered(request, reply)
    case .localRead(let owner, let asof): answer(owner, reply, asof: asof)
    case .catalogue(let owner): catalogueDecided(owner, reply)
    case .zone(let change): zoneDecided(change, reply)
    case .audit(let number, let shard, let attempt): auditAnswered(number, shard, attempt, reply)
    case .health(let number): healthAnswered(number, reply)
    case .mint(let mint): minted(mint, reply)
    case .mintedAdded(let owner, let member): mintedAdded(owner, member, reply)
    case .find(let number): pageCame(number, reply)
    case .kept(let number): viewIsKept(number, reply)
    case .jobBegan(let number): jobBegan(number, reply)
    case .feed(let number, let journal, let pass): feedAnswered(number, journal, pass, reply)
    case .text(let text): textAnswered(text, reply)
    case .report(let number, let shard): reportAnswered(number, shard, reply)
    case .quotaShown(let owner, let tenant, let id): quotaShown(owner, tenant, id, reply)
    case .rights(let owner): rightsDecided(owner, reply)
    case .ownTransaction(let waiting): merchantFound(waiting, reply)
    case .ownHistory(let waiting): historyCame(waiting, reply)
    case .noted(let owner, let note): notedAnswered(owner, note, reply)
    }
  }

  // MARK: The catalogue

  private func catalogueDecided(_ owner: EdgeItem.Owner, _ reply: UnsafeRawBufferPointer) {
    if let version = RecordView(reply).number(.index) {
      return rights.wait(owner, forVersion: UInt64(bitPattern: version), now: now.monotonic)
    }
    guard let version = RecordView(reply).integer else {
      answer(owner, reply)
      return
    }
    workflows.wait(
      owner, forVersion: UInt32(truncatingIfNeeded: version), until: now.monotonic + requestTimeout)
  }

  /// Shards that have not applied a version of the catalogue, as far as their leaders have said.
  private func shardsBehind(_ version: UInt32) -> [ShardID] {
    (membership.topology?.shards ?? []).map(\.shard).filter { edge.leader(of: $0).catalogueVersion < version }
  }

  /// Changes that have spread, of the catalogue and of rights, are answered.
  func advanceCatalogueWaits() {
    advanceRightsWaits()
    for (wait, behind) in workflows.endedWaits(now: now.monotonic, { shardsBehind($0) }) {
      let owner = wait.owner
      if let zone = wait.zone {
        zoneSpread(zone, behind)
      } else if behind.isEmpty {
        reply.buffer.removeAll()
        reply.ok()
        answer(owner, reply.buffer.bytes)
      } else {
        let names = behind.map { "\($0.rawValue)" }.joined(separator: ", ")
        answerError(owner, .unknown, "the change is made, and has yet to reach shards \(names); it still spreads")
      }
    }
  }

  // MARK: Health

  /// Commits an entry in every shard that is led here.
  /// - Parameters:
  ///   - all: in every shard, whoever leads it.
  ///   - isProbe: its answer is for all probes that wait.
  func startHealth(_ owner: EdgeItem.Owner, all: Bool = false, isProbe: Bool = false) {
    let lost = (membership.topology?.shards ?? []).map(\.shard).filter { !isLed($0) }
    guard lost.isEmpty else {
      let names = lost.map { "\($0.rawValue)" }.joined(separator: ", ")
      return answerHealth(owner, isProbe) {
        $0.error(.unavailable, "this node knows no leader of shards \(names)")
      }
    }
    let led = (membership.topology?.shards ?? []).filter { all || replicas[$0.shard]?.isLeader == true }
    let number = workflows.beginHealthCheck(owner, isProbe: isProbe, of: led.count, now: now.monotonic)
    for placement in led {
      submitInternal(placement.shard, flags: [], continuation: keep(.health(number: number))) {
        Command.appendTick(to: &$0, slot: replicas[placement.shard]?.firstSlot ?? placement.slots.first ?? Slot(0))
      }
    }
    if led.isEmpty, let check = workflows.healthAnswered(number, isCommitted: nil) { finish(check) }
  }

  private func healthAnswered(_ number: UInt64, _ reply: UnsafeRawBufferPointer) {
    if let check = workflows.healthAnswered(number, isCommitted: RecordView(reply).tag == .ok) { finish(check) }
  }

  private func finish(_ check: HealthCheck) {
    guard check.committed == check.asked else {
      return answerHealth(check.owner, check.isProbe) {
        $0.error(.unavailable, "committed on \(check.committed) of \(check.asked) led shards only")
      }
    }
    let micros = now.monotonic - check.started
    answerHealth(check.owner, check.isProbe) {
      $0.text("healthy: committed on \(check.committed) of \(check.asked) led shards, took \(micros) us")
    }
  }
  private func answerHealth(_ owner: EdgeItem.Owner, _ isProbe: Bool, _ write: (inout ReplyWriter) -> Void) {
    for owner in isProbe ? workflows.takeProbes() : [owner] { answer(owner, write) }
  }

  /// It asks, whoever it is, whether this node is ready. Those who ask while a check is under way have its answer: so probes cost
  /// one commit a shard at a time, however many there are.
  func readinessAsked(by id: ClientID) {
    guard let client = clients[id] else { return }
    let owner = EdgeItem.Owner(client: client.index, generation: client.generation, slot: client.openSlot())
    clients.markDirty(client)
    guard isThereCluster(owner), workflows.addProbe(owner) else { return }
    startHealth(owner, isProbe: true)
  }
}
