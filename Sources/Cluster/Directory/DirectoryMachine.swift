import Base
import Ledger
import Vocabulary

/// Bounds of the directory's state: the same on all nodes, for ever.
struct DirectoryLimits {
  /// Request ids of changes.
  var requests = 1 << 20
  /// Changes that some shard has yet to take, in bytes; over it no more are taken.
  var deltaBytes = 64 << 20
  /// A segment of the journal that has this many bytes is followed by the next.
  var journalSegmentBytes = LedgerLimits().journalSegmentBytes
}
extension DirectoryLimits {
  init(_ limits: LedgerLimits) { self.init(journalSegmentBytes: limits.journalSegmentBytes) }
}

/// The state machine of shard 0: who belongs to the cluster, who holds what, and what is set up (the entries), with those
/// deltas that some shard may not have applied yet. Plain values whose copies are cheap, so that a snapshot is written from
/// another thread.
final class DirectoryMachine: Machine {
  private(set) var topology: Topology?
  private(set) var firstTopology: Topology?
  private(set) var entries: Entries
  /// What the last entries of the log have changed of them, until it is taken.
  private(set) var changes: EntryJournal
  /// Deltas for shards, that of version v at v − 1, from the first that some shard may lack: the leader drops those
  /// that all shards have applied. What a shard lacks is taken from here.
  private(set) var deltas = ChunkedQueue<[UInt8]>()
  private var deltaBytes = 0
  /// Changes of entries that carried a request id.
  var requests: ChangeRequests
  var operations = OperationTable()
  private(set) var clusterLimits = ClusterLimits()
  /// Who may do what, when each was seen last, and who did what.
  var access = AccessTable()
  var seen: [UInt32: Stamp] = [:]
  var trail = Trail()
  /// By operation under way: how far it is, as the leader that drives it sees it. No state: it is told, and never logged.
  var progress: [UInt64: OperationProgress] = [:]
  private(set) var lastStamp = Stamp.zero
  private(set) var lastIndex = LogIndex(0)
  private(set) var semantics = Semantics.first
  /// The entry that is being applied.
  private var open: LogIndex?

  private let limits: DirectoryLimits

  var catalogueVersion: UInt32 { entries.version }
  /// Deltas up to that version are dropped: every shard has them.
  var droppedVersion: UInt32 { UInt32(deltas.startIndex) }
  var nextDeadline: Stamp? { nil }
  var journal: JournalChain { changes.chain }
  var firstSlot: Slot { Slot(0) }

  /// Commands of the directory: `byteCount:u32 kind:u8 body`.
  enum Kind: UInt8 {
    /// The first entry of all: the topology that the cluster begins with.
    case bootstrap = 1
    /// A `SET` of an entry: `key:2×u64 fingerprint:u64 tenant:u32 by:counted`, then an `EntryRequest`. The key is a keyed hash
    /// of the request id and what it is scoped to, or 0 for none.
    case entry = 2
    /// A node's names, addresses and life, when it starts: a `NodeRecord`, then the life that had the seat before it.
    case node = 3
    /// Every shard has applied the catalogue up to a version: `version:u32`. The leader says so.
    case spread = 4
    /// An operation is to begin, has come to something, is given up: see `DirectoryMachine+Operations`.
    case beginOperation = 5
    case advanceOperation = 6
    case cancelOperation = 7
    /// A node is new to the cluster: a `NodeRecord`, which joins. Again: nothing.
    case join = 8
    /// Who votes in the directory's group: the nodes. The leader says so, once that is in force.
    case directoryVoters = 9
    /// Other rules of placement: a `PlacementChange`.
    case placement = 12
    /// Which slots shards own by now: a `SlotClaim` each. The leader says so, of what the shards' leaders have told.
    case slots = 13
    /// What holds for the whole cluster is set: `ClusterLimits.Change`.
    case setLimits = 14
    /// Queries about entries: `tenant:u32 now:i64 limit:u32 after:counted`, then an `EntryRequest`. `now` is what the clock of the
    /// node says that was asked.
    case showEntry = 16
    case listEntries = 17
    case showEntryHistory = 18
    case listOperations = 19
    case showLimits = 24
    /// A user or a tenant is set: an `AccessChange`.
    case access = 30
    /// A command that a user said, with what the trail is to have of it: a `TrailNote`, then the command.
    case acted = 31
    /// What a node refused, and whom it has seen: a `TrailNote`.
    case trail = 32
    /// Queries: `tenant:u32` (0: of all), and of the first `name:counted`, of the second `limit:u32 after:counted`.
    case showUser = 33
    case listUsers = 34
    case listTenants = 35
    /// `tenant:u32 from:i64 until:i64 limit:u32 after:u64 user:counted verb:counted`.
    case showTrail = 36
    /// Changes of entries, as its journal has them: a `FeedQuery`.
    case feed = 60
    /// A draft is let run: as `entry`, of a request that says nothing but the key.
    case approve = 62
    /// A `SET` by which a program goes by another zone: `stop:2×u64`, the key of the `SET` by which it was stopped for that, then as `entry`.
    /// It is done if nobody has changed the program since.
    case turn = 63
  }

  init(limits: DirectoryLimits = DirectoryLimits(), kinds: [EntryKind] = EntryKind.all) {
    self.limits = limits
    entries = Entries(kinds: kinds)
    changes = EntryJournal(segmentBytes: limits.journalSegmentBytes)
    requests = ChangeRequests(limit: limits.requests)
  }

  static func append(_ kind: Kind, to buffer: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void) {
    let start = buffer.count
    buffer.append(UInt32(0))
    buffer.append(kind.rawValue)
    body(&buffer)
    buffer.patch(UInt32(buffer.count - start - 4), at: start)
  }

  func appendNothing(to buffer: inout ByteBuffer) {
    DirectoryMachine.append(.spread, to: &buffer) { $0.append(droppedVersion) }
  }
  func grows(by command: UnsafeRawBufferPointer) -> Bool {
    [.entry, .turn].contains(DirectoryMachine.kind(of: command))
  }
  var memoryByteCount: Int { 0 }
  var spareByteCount: Int { 0 }
  var isForgettingEarly: Bool { requests.isFull }

  func skip(_ index: LogIndex) { lastIndex = index }
  func begin(_ payload: UnsafeRawBufferPointer, index: LogIndex) -> EntryCursor {
    open = index
    var reader = ByteReader(payload)
    let header = try? EntryHeader(decoding: &reader)
    if let header {
      lastStamp = max(lastStamp, header.stamp)
      raiseSemantics(to: header.semantics)
    }
    changes.begin(index, stamp: lastStamp)
    guard let header else { return EntryCursor(offset: payload.count, left: 0) }
    return EntryCursor(offset: reader.offset, left: header.commandCount)
  }
  func apply(
    _ payload: UnsafeRawBufferPointer, from cursor: inout EntryCursor, until limit: Int, work: inout Int,
    into reply: inout ReplyWriter,
    each: (_ place: Int, _ outcome: Outcome, _ start: Int, _ reply: inout ReplyWriter) -> Void
  ) -> Bool {
    var isFirst = true
    while cursor.place < limit, isFirst || work > 0 {
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: payload[cursor.offset...]))
      guard !reader.isAtEnd, let command = try? Envelope.next(&reader) else {
        end()
        return true
      }
      let start = reply.buffer.count
      let outcome = apply(command, into: &reply)
      each(cursor.place, outcome, start, &reply)
      cursor.offset += reader.offset
      cursor.place += 1
      work -= DirectoryMachine.commandWork
      isFirst = false
    }
    return false
  }
  /// Shards hear now of what was set while not all nodes knew it. O(entries), once for each semantics.
  private func raiseSemantics(to newer: UInt8) {
    guard newer > semantics else { return }
    for delta in entries.retell(from: semantics, to: newer, at: lastStamp) { keep(delta) }
    semantics = newer
  }
  private func end() {
    guard let index = open else { return }
    changes.endEntry()
    lastIndex = index
    open = nil
  }
  /// In units of a purchase.
  private static let commandWork = 64

  func apply(_ command: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> Outcome {
    do {
      var reader = ByteReader(command)
      _ = try reader.read(UInt32.self)
      let kind = Kind(rawValue: try reader.read())
      let body = UnsafeRawBufferPointer(rebasing: command[reader.offset...])
      switch kind {
      case .bootstrap:
        if topology == nil {
          topology = try Topology(decoding: &reader)
          firstTopology = topology
        }
        reply.ok()
      case .entry: try applyEntry(body, isApproval: false, &reply)
      case .approve: try applyEntry(body, isApproval: true, &reply)
      case .turn where semantics >= Semantics.checked:
        let stop = try reader.read(UInt128.self)
        let rest = UnsafeRawBufferPointer(rebasing: command[reader.offset...])
        try applyEntry(rest, isApproval: false, turnedSince: requests.find(stop)?.stamp ?? .zero, &reply)
      case .node:
        applyNode(try NodeRecord(decoding: &reader), after: try LifeID(decoding: &reader))
        reply.ok()
      case .join:
        applyJoin(try NodeRecord(decoding: &reader))
        reply.ok()
      case .directoryVoters:
        var voters: [NodeID] = []
        while !reader.isAtEnd { voters.append(NodeID(try reader.read())) }
        applyVoters(voters)
        reply.ok()
      case .spread:
        drop(through: try reader.read())
        reply.ok()
      case .beginOperation: try applyBeginning(&reader, &reply)
      case .advanceOperation:
        try applyAdvance(&reader)
        reply.ok()
      case .cancelOperation: try applyCancel(&reader, &reply)
      case .placement: try applyPlacement(&reader, &reply)
      case .slots:
        var claims: [SlotClaim] = []
        while !reader.isAtEnd { claims.append(try SlotClaim(decoding: &reader)) }
        change { $0.take(claims) }
        reply.ok()
      case .access: try applyAccess(&reader, &reply)
      case .acted: return try applyActed(&reader, &reply)
      case .trail:
        try applyTrail(&reader)
        reply.ok()
      case .setLimits:
        clusterLimits.take(try ClusterLimits.Change(decoding: &reader))
        clusterLimits.tell(&reply)
      default:
        reply.error(.malformed, "the directory does not know that command")
      }
    } catch {
      reply.buffer.removeAll()
      reply.error(.malformed, "\(error)")
    }
    return .replied
  }

  /// A change is answered with the version that every shard must reach before the client hears `+OK`, or with that if
  /// shards do not need it.
  /// - Parameter turnedSince: when the program was stopped whose zone changes; nil: no program's may.
  private func applyEntry(
    _ body: UnsafeRawBufferPointer, isApproval: Bool, turnedSince: Stamp? = nil, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    var reader = ByteReader(body)
    let key = try reader.read(UInt128.self)
    let fingerprint = try reader.read(UInt64.self)
    let isSeen = seen(key, fingerprint, &reply) { reply in
      answer(version: requests.find(key)?.version ?? 0, &reply)
    }
    if isSeen { return }
    guard deltaBytes < limits.deltaBytes else {
      reply.error(.busy, "some shard has yet to take \(deltas.count) earlier changes; nothing was done")
      return
    }
    let tenant = TenantID(try reader.read())
    let by = try reader.readCounted()
    let request = try EntryRequest(decoding: &reader)
    if semantics >= Semantics.checked, !isApproval,
      !entries.mayTurn(request, tenant: tenant, at: lastStamp, since: turnedSince)
    {
      reply.error(
        .unavailable, "somebody else changed the program meanwhile; nothing was done: look at it, and ask again")
      return
    }
    let decision: Entries.Decision
    if isApproval {
      decision = entries.approve(
        request, tenant: tenant, by: by, stamp: lastStamp, semantics: semantics, journal: &changes, into: &reply)
    } else {
      decision = entries.set(
        request, tenant: tenant, by: by, stamp: lastStamp, semantics: semantics, journal: &changes, into: &reply)
    }
    var version: UInt32 = 0
    switch decision {
    case .refused: return
    // What it repeats may still be on its way to some shard.
    case .unchanged: version = entries.isForShards(request) ? entries.version : 0
    case .changed(let delta?):
      keep(delta)
      version = entries.version
    case .changed(nil): break
    }
    if isForNodes(request) {
      var isChanged = true
      if case .unchanged = decision { isChanged = false }
      answer(rights: request, isChanged: isChanged, &reply)
    } else {
      answer(version: version, &reply)
    }
    note(key, fingerprint, version: version)
  }
  private func answer(version: UInt32, _ reply: inout ReplyWriter) {
    if version > 0 { reply.integer(Int64(version)) } else { reply.ok() }
  }
  private func keep(_ delta: [UInt8]) {
    deltas.append(delta)
    deltaBytes += delta.count
  }
  /// What a shard is told that began when earlier changes were no longer kept. O(entries).
  var wholeCatalogue: [[UInt8]] { entries.wholeCatalogue(at: lastStamp, semantics: semantics) }
  /// A delta that a shard's leader has applied is committed there, so no replica of that shard ever needs it from here.
  private func drop(through version: UInt32) {
    let end = min(Int(version), deltas.endIndex)
    guard end > deltas.startIndex else { return }
    for number in deltas.startIndex..<end { deltaBytes -= deltas[number].count }
    deltas.drop(before: end)
  }

  /// What comes of a copy of a node's data changes nothing: the node sees by that who it is not.
  private func applyNode(_ record: NodeRecord, after predecessor: LifeID) {
    guard var changed = topology, let i = changed.nodes.firstIndex(where: { $0.id == record.id }) else { return }
    guard changed.nodes[i].life.mayBeFollowed(by: record.life, after: predecessor) else { return }
    var record = record
    record.proof = changed.nodes[i].proof
    // Only an operation has it another state; and it knows no later one than what it joined by.
    record.state = changed.nodes[i].state == .joining ? .up : changed.nodes[i].state
    guard changed.nodes[i] != record else { return }
    changed.nodes[i] = record
    changed.version += 1
    topology = changed
  }

  private func applyVoters(_ voters: [NodeID]) {
    guard var changed = topology, changed.directoryVoters != voters, !voters.isEmpty else { return }
    changed.directoryVoters = voters
    changed.version += 1
    topology = changed
  }
  private func applyJoin(_ record: NodeRecord) {
    guard var changed = topology, changed.node(record.id) == nil, changed.nodes.count < Topology.mostNodes else {
      return
    }
    var record = record
    record.state = .joining
    changed.nodes.append(record)
    changed.nodes.sort { $0.id < $1.id }
    changed.version += 1
    topology = changed
  }

  func replace(topology newer: Topology) { topology = newer }
  /// Becomes that of a cluster that begins with a backup. Entries that are set up stay, and changes that shards may lack.
  func begin(restored first: Topology) {
    (topology, firstTopology) = (first, first)
    operations = OperationTable()
    let proof = OperationChild(BackupProof())
    _ = try? operations.begin(BackupProof.kind, proof.params, by: Operation.cluster, at: lastStamp, in: first)
  }

  func read(_ query: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> ReadOutcome {
    do throws(MalformedBytes) {
      var reader = ByteReader(query)
      _ = try reader.read(UInt32.self)
      guard let kind = Kind(rawValue: try reader.read()) else { throw MalformedBytes("an unknown query") }
      switch kind {
      case .listOperations: try listOperations(&reader, &reply)
      case .showLimits: clusterLimits.tell(&reply)
      case .showUser, .listUsers, .listTenants, .showTrail: try readAccess(kind, &reader, &reply)
      case .feed:
        return entries.feed(try FeedQuery(decoding: &reader), in: changes, into: &reply)
      default: return try readEntries(kind, &reader, &reply)
      }
    } catch {
      reply.error(.malformed, "the directory does not know that query: \(error)")
    }
    return .replied
  }
  private func readEntries(
    _ kind: Kind, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> ReadOutcome {
    let tenant = TenantID(try reader.read())
    // What was changed is in force, whatever the asking node's clock says.
    let now = max(lastStamp, Stamp(microseconds: try reader.read()))
    let limit = Int(try reader.read(UInt32.self))
    let after = try reader.readCounted()
    let request = try EntryRequest(decoding: &reader)
    switch kind {
    case .showEntry:
      return entries.show(request, tenant: tenant, now: now, journal: changes.end, into: &reply)
    case .listEntries, .showEntryHistory:
      guard (1...Entries.longestList).contains(limit) else { throw MalformedBytes("limit is out of bounds") }
      if kind == .showEntryHistory {
        return entries.history(request, tenant: tenant, limit: limit, journal: changes.end, into: &reply)
      }
      entries.list(request, tenant: tenant, now: now, limit: limit, after: after, into: &reply)
      return .replied
    default: throw MalformedBytes("an unknown query")
    }
  }

  func firstAnswer(at position: JournalPosition) -> JournalQuery? { nil }
  func takeOutputs(into outbox: inout ReplicaOutbox, leading: Bool) {
    changes.take { position, bytes in outbox.journal.append((position, Array(bytes))) }
  }
  func openDeliveries(from places: inout DeliveryPlaces, into outbox: inout ReplicaOutbox) {}

  // MARK: Restoring

  /// The directory that wrote a snapshot: see `DirectoryImage`.
  init(
    restoring source: inout some SnapshotSource, limits: DirectoryLimits = DirectoryLimits(),
    kinds: [EntryKind] = EntryKind.all
  ) throws {
    self.limits = limits
    entries = Entries(kinds: kinds)
    changes = EntryJournal(segmentBytes: limits.journalSegmentBytes)
    requests = ChangeRequests(limit: limits.requests)
    var version: UInt32 = 0
    try BlockReader.read(from: &source) { reader in
      switch DirectoryImage.Item(rawValue: try reader.read()) {
      case .head: version = try restoreHead(&reader)
      case .delta: keep(Array(try reader.readCounted()))
      case .request:
        var item = ChangeRequests.Item(key: 0, fingerprint: 0, version: 0, stamp: .zero)
        try reader.readFields(of: "a request of the directory") { number, value throws(MalformedBytes) in
          switch number {
          case 1: item.key = try value.read()
          case 2: item.fingerprint = UInt64(bitPattern: try value.readZigzag())
          case 3: item.version = try value.readSmall()
          case 4: item.stamp = Stamp(microseconds: try value.readZigzag())
          default: return false
          }
          return true
        }
        requests.add(item)
      case .operation: operations.restore(try Operation(decoding: &reader))
      case .access: try restoreAccess(&reader)
      case .user: access.restore(try User(decoding: &reader))
      case .tenant: access.restore(try Tenant(decoding: &reader))
      case .trail: trail.restore(try TrailRecord(decoding: &reader))
      case nil: throw MalformedBytes("an item of a directory that is not known")
      }
    }
    guard version != 0 else { throw MalformedBytes("a directory without a head") }
    entries = try Entries(restoring: &source, kinds: kinds)
    guard deltas.endIndex == Int(entries.version) else {
      throw MalformedBytes("changes up to \(deltas.endIndex) of a catalogue of version \(entries.version)")
    }
  }
  private func restoreHead(_ reader: inout ByteReader) throws -> UInt32 {
    let version: UInt32 = try reader.read()
    guard version == DirectoryImage.version else {
      throw MalformedBytes("a directory of version \(version), and this build knows \(DirectoryImage.version)")
    }
    var journal = JournalChain.ofDirectory
    try reader.readFields(of: "the directory") { number, value throws(MalformedBytes) in
      switch number {
      case 1: lastStamp = Stamp(microseconds: try value.readZigzag())
      case 2: lastIndex = LogIndex(UInt64(bitPattern: try value.readZigzag()))
      case 3: deltas = ChunkedQueue(startingAt: Int(try value.readSmall(UInt32.self)))
      case 4: topology = try Topology(decoding: &value)
      case 5: firstTopology = try Topology(decoding: &value)
      case 6: semantics = try value.readSmall()
      case 7: operations.restore(newest: UInt64(bitPattern: try value.readZigzag()))
      case 8: journal.position = JournalPosition(rawValue: UInt64(bitPattern: try value.readZigzag()))
      case 9: journal.hash = SHA256.Digest(bytes: try value.readBytes(32))
      case 12: clusterLimits.take(try ClusterLimits.Change(decoding: &value))
      default: return false
      }
      return true
    }
    guard journal.position.journal == .directory else { throw MalformedBytes("a journal of another shard") }
    changes = EntryJournal(segmentBytes: limits.journalSegmentBytes, at: journal)
    guard semantics <= Semantics.newest else {
      throw MalformedBytes(
        "the directory is of semantics \(semantics), and this build knows up to \(Semantics.newest): start a newer build"
      )
    }
    return version
  }
}
