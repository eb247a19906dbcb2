import Base
import Ledger
import Protocol
import Vocabulary
import Raft

/// A committed entry that ends the process whenever it is applied. It ends it on every replica, at every start; so after two
/// deaths a node does not apply it again: the shard's replica goes on with votes and acknowledgements, leads nothing, and
/// the node serves all other shards (alarm `POISON`). An operator, or another build of the program, tries it again once.
struct Poison: Hashable, Sendable {
  var index: LogIndex
  /// Which command of the entry it was: a word in capitals.
  var kind: String
}

extension Replica {
  /// What is applied next is not to be tried.
  var isHalted: Bool {
    guard let poison, openEntry == nil, nextToApply < backlog.count else { return false }
    return backlog[nextToApply].index >= poison.index
  }
  /// While it does not apply, what it is sent would only gather: so much is taken, in bytes of entries. Beyond that the
  /// leader's log moves on without it, and a snapshot is what brings it forward.
  static let haltedBytes = 256 << 20
  func isFull(for message: Message) -> Bool {
    poison != nil && message.kind == .append && !message.entries.isEmpty && unappliedBytes > Replica.haltedBytes
  }

  /// Entries through `index` are applied, or are in a snapshot that is.
  func passSuspect(through index: LogIndex) {
    guard let suspect, suspect <= index else { return }
    self.suspect = nil
    poison = nil
    note?.forget(shard)
  }

  /// The kind of a command in an entry, as an operator reads it.
  static func kind(of entry: LogEntry?, at place: Int, in shard: ShardID) -> String {
    guard let entry else { return "UNKNOWN" }
    return entry.payload.withUnsafeBytes { payload in
      var reader = ByteReader(payload)
      guard (try? EntryHeader(decoding: &reader)) != nil else { return "UNKNOWN" }
      var name: String?
      for _ in 0...place {
        guard let command = try? Envelope.next(&reader), command.count > 4 else { break }
        name =
          shard == .directory
          ? DirectoryMachine.Kind(rawValue: command[4]).map { "\($0)" }
          : CommandHeader.verb(of: command).map { "\($0)" }
      }
      return name?.uppercased() ?? "UNKNOWN"
    }
  }
}

extension Node {
  /// What earlier processes died of, if it is still to be applied.
  func judgeDeaths(of replica: Replica, _ entries: [LogEntry]) {
    let shard = replica.shard
    guard let death = deaths.removeValue(forKey: shard) else { return }
    guard death.index > replica.machine.lastIndex else { return note.forget(shard) }
    replica.suspect = death.index
    let kind = Replica.kind(of: entries.first { $0.index == death.index }, at: Int(death.place), in: shard)
    guard death.isPoison else {
      log(
        .warning,
        "the process died while it applied entry \(death.index.rawValue) of shard=\(shard.rawValue) kind=\(kind): it is"
          + " tried again")
      return
    }
    replica.poison = Poison(index: death.index, kind: kind)
    log(
      .error,
      "alarm=POISON shard=\(shard.rawValue) index=\(death.index.rawValue) kind=\(kind) the process has died"
        + " \(death.count) times while it applied that entry: nothing from there on is applied here, other shards are"
        + " served; report this, keep the data directory, and start another build, or say"
        + " CLUSTER ALARM CLEAR POISON shard=\(shard.rawValue) to try it again once")
  }

  /// What this node does not apply, by rising shard.
  var poisons: [PeerPoison] {
    replicas.compactMap { replica in
      replica?.poison.map { PeerPoison(shard: replica?.shard ?? .directory, index: $0.index, kind: $0.kind) }
    }
  }

  // MARK: The operator

  /// `CLUSTER ALARM CLEAR POISON shard=S`: every node in reach that does not apply an entry of that shard tries it again
  /// once.
  func clearPoison(_ owner: EdgeItem.Owner, _ shard: ShardID) {
    let isHere = replica(shard)?.poison != nil
    let others = peers.filter { $0.index != 0 && $0.isConnected && $0.poisons.contains { $0.shard == shard } }
    guard isHere || !others.isEmpty else {
      return answerError(owner, .notFound, "no node in reach has that alarm for shard \(shard.rawValue)")
    }
    for peer in others {
      let start = peer.outbox.beginMessage(.clearPoison)
      peer.outbox.append(shard.rawValue)
      peer.outbox.endMessage(start)
    }
    reply.buffer.removeAll()
    reply.ok()
    // Answered first: the entry may end this process again.
    answer(owner, reply.buffer.bytes)
    tryPoison(shard)
  }
  func tryPoison(_ shard: ShardID) {
    guard let replica = replica(shard), let poison = replica.poison else { return }
    do {
      try note.retry(shard)
    } catch {
      return log(.error, "the alarm of shard=\(shard.rawValue) is not cleared: \(error)")
    }
    replica.poison = nil
    replica.isDirty = true
    judgeLeadership()
    log(.warning, "entry \(poison.index.rawValue) of shard=\(shard.rawValue) is tried again")
  }

  // MARK: Peers

  /// With the status, while there is something to tell: `(shard:u32 index:u64 kind:counted)*`.
  func sendPoisons(to peer: Peer) {
    let own = poisons
    guard !own.isEmpty || peer.isToldOfPoison else { return }
    peer.isToldOfPoison = !own.isEmpty
    let start = peer.outbox.beginMessage(.poison)
    for poison in own {
      peer.outbox.append(poison.shard.rawValue)
      peer.outbox.append(poison.index.rawValue)
      peer.outbox.append(counted: poison.kind)
    }
    peer.outbox.endMessage(start)
  }
  func receivePoisons(_ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) {
    peer.poisons = []
    while !reader.isAtEnd {
      let shard = ShardID(try reader.read())
      let index = LogIndex(try reader.read())
      let kind = try reader.readString()
      let isWord = !kind.isEmpty && kind.utf8.count <= 24 && kind.utf8.allSatisfy { (0x41...0x5A).contains($0) }
      peer.poisons.append(PeerPoison(shard: shard, index: index, kind: isWord ? kind : "UNKNOWN"))
    }
  }
  /// The same of replicas that are not to be given leadership: what they lead would stand still until they are through.
  func sendReplaying(to peer: Peer) {
    let own = replicas.compactMap { $0.flatMap { $0.isReplaying ? $0.shard : nil } }
    guard !own.isEmpty || peer.isToldOfReplaying else { return }
    peer.isToldOfReplaying = !own.isEmpty
    let start = peer.outbox.beginMessage(.replaying)
    for shard in own { peer.outbox.append(shard.rawValue) }
    peer.outbox.endMessage(start)
  }
  func receiveReplaying(_ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) {
    peer.replaying = []
    while !reader.isAtEnd { peer.replaying.insert(ShardID(try reader.read())) }
  }
  /// What stands beside the word `POISON`; nil if there is no such alarm.
  static func detail(_ poisons: [PeerPoison]) -> String? {
    guard !poisons.isEmpty else { return nil }
    // The same entry of several nodes is told once; and no more than a person reads.
    let texts = Set(poisons).sorted { ($0.shard, $0.index) < ($1.shard, $1.index) }.prefix(16).map {
      "POISON shard \($0.shard.rawValue) index \($0.index.rawValue) kind \($0.kind)"
    }
    return texts.joined(separator: ", ")
  }
  func poisons(of peer: Peer) -> [PeerPoison] { peer.index == 0 ? poisons : peer.poisons }

  /// `CLUSTER ALARM LIST`: a record for each node in reach that has an alarm.
  func listAlarms(_ owner: EdgeItem.Owner) {
    let rows = peers.filter { $0.isConnectedOrSelf && !alarms(of: $0).isEmpty }.sorted {
      ($0.hello.name, $0.id) < ($1.hello.name, $1.id)
    }
    reply.buffer.removeAll()
    reply.array(count: rows.count)
    for peer in rows {
      reply.record()
      reply.field(.node, peer.hello.name)
      reply.field(.alarms, Node.list(alarms(of: peer)))
      if let detail = Node.detail(poisons(of: peer)) { reply.field(.detail, detail) }
    }
    answer(owner, reply.buffer.bytes)
  }

  /// `CLUSTER ALARM LIST` and `CLUSTER ALARM CLEAR NAME shard=S`.
  func clusterAlarm(_ request: Request, _ owner: EdgeItem.Owner) {
    func word(_ place: Int) -> String {
      place < request.positionalCount ? String(decoding: request.positional(place), as: UTF8.self).uppercased() : ""
    }
    switch (word(0), word(1)) {
    case ("LIST", ""): listAlarms(owner)
    case ("CLEAR", "POISON"):
      guard let shard = request.number(.shard) else {
        return answerError(owner, .malformed, "say of which shard: CLUSTER ALARM CLEAR POISON shard=S")
      }
      clearPoison(owner, ShardID(UInt32(shard)))
    case ("CLEAR", _):
      answerError(owner, .malformed, "POISON alone can be cleared; other alarms end by themselves")
    default: answerError(owner, .malformed, "CLUSTER ALARM takes LIST, or CLEAR POISON shard=S")
    }
  }
}

/// An entry that a node does not apply.
struct PeerPoison: Hashable, Sendable {
  var shard: ShardID
  var index: LogIndex
  var kind: String
}
