import Base
import Ledger
import Protocol

/// Steps that the node takes by itself before it can answer: an answer comes back here and not to a client.
enum Continuation {
  case card(CardLookUp)
  case former(FormerSearch)
  case past(PastRequest)
  /// `read=local` of what stands in the journal.
  case localRead(EdgeItem.Owner, asof: Stamp)
  /// A change of the catalogue: the directory answers with the version that every shard must reach.
  case catalogue(EdgeItem.Owner)
  case audit(number: UInt64, shard: ShardID, attempt: Int)
  case health(number: UInt64)
}

/// A request that waits to learn whose card it names.
struct CardLookUp {
  var owner: EdgeItem.Owner
  var raw: [UInt8]
  var resolved: Node.Resolved
  var isFirst: Bool
}

/// A request by a card that others held before, which may be a repeat of what one of them sent.
struct FormerSearch {
  var owner: EdgeItem.Owner
  var raw: [UInt8]
  var resolved: Node.Resolved
  /// Which of the former holders is asked.
  var next = 0
  var former: [UInt8] { resolved.first?.former[next] ?? [] }
}

extension Origin {
  /// This node itself: the sequence is a continuation's number.
  static let ownEdge = UInt32.max - 1
}

/// A change that the directory has decided and that has yet to reach some shards.
struct CatalogueWait {
  var owner: EdgeItem.Owner
  var version: UInt32
  var deadline: UInt64
}

/// A commit asked of every shard that this node leads.
struct HealthCheck {
  var owner: EdgeItem.Owner
  var started: UInt64
  var waiting: Int
  var asked: Int
  var committed: Int
}

extension Node {
  func keep(_ continuation: Continuation) -> UInt64 { workflows.keep(continuation) }

  /// An answer for a step of the node's own. Number 0 is nobody.
  func resume(_ number: UInt64, _ reply: UnsafeRawBufferPointer) {
    guard let continuation = workflows.take(number) else { return }
    switch continuation {
    case .card(let lookUp): cardFound(lookUp, reply)
    case .former(let search): formerHolderAnswered(search, reply)
    case .past(let request): pastAnswered(request, reply)
    case .localRead(let owner, let asof): answer(owner, reply, asof: asof)
    case .catalogue(let owner): catalogueDecided(owner, reply)
    case .audit(let number, let shard, let attempt): auditAnswered(number, shard, attempt, reply)
    case .health(let number): healthAnswered(number, reply)
    }
  }

  // MARK: The catalogue

  private func catalogueDecided(_ owner: EdgeItem.Owner, _ reply: UnsafeRawBufferPointer) {
    guard let version = RecordView(reply).integer else {
      answer(owner, reply)
      return
    }
    workflows.wait(
      owner, forVersion: UInt32(truncatingIfNeeded: version), until: now.monotonic + configuration.requestTimeout)
  }

  /// Shards that have not applied a version of the catalogue, as far as their leaders have said.
  private func shardsBehind(_ version: UInt32) -> [ShardID] {
    (topology?.shards ?? []).map(\.shard).filter { edge.leader(of: $0).catalogueVersion < version }
  }

  func advanceCatalogueWaits() {
    for (owner, behind) in workflows.endedWaits(now: now.monotonic, { shardsBehind($0) }) {
      if behind.isEmpty {
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

  func startHealth(_ owner: EdgeItem.Owner) {
    let lost = (topology?.shards ?? []).map(\.shard).filter { !isLed($0) }
    guard lost.isEmpty else {
      let names = lost.map { "\($0.rawValue)" }.joined(separator: ", ")
      answerError(owner, .unavailable, "this node knows no leader of shards \(names)")
      return
    }
    let led = replicas.compactMap { $0 }.filter { $0.isLeader && $0.shard != .directory }
    let number = workflows.beginHealthCheck(owner, of: led.count, now: now.monotonic)
    for replica in led {
      submitInternal(replica.shard, flags: [], continuation: keep(.health(number: number))) {
        Command.appendTick(to: &$0, slot: replica.firstSlot)
      }
    }
    if led.isEmpty, let check = workflows.healthAnswered(number, isCommitted: nil) { finish(check) }
  }

  private func healthAnswered(_ number: UInt64, _ reply: UnsafeRawBufferPointer) {
    if let check = workflows.healthAnswered(number, isCommitted: RecordView(reply).tag == .ok) { finish(check) }
  }

  private func finish(_ check: HealthCheck) {
    guard check.committed == check.asked else {
      answerError(check.owner, .unavailable, "committed on \(check.committed) of \(check.asked) led shards only")
      return
    }
    let micros = now.monotonic - check.started
    reply.buffer.removeAll()
    reply.text("healthy: committed on \(check.committed) of \(check.asked) led shards, took \(micros) us")
    answer(check.owner, reply.buffer.bytes)
  }
}
