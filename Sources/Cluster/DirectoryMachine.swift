import Base
import Ledger

/// The state machine of shard 0: who belongs to the cluster, who holds what, and the catalogue. Small: kept as plain
/// values, written whole into each snapshot.
final class DirectoryMachine: Machine {
  private(set) var topology: Topology?
  private(set) var firstTopology: Topology?
  private(set) var catalogue = Catalogue()
  /// Every delta of the catalogue, the first at 0: version 1. What a shard lacks is taken from here.
  private(set) var deltas: [[UInt8]] = []
  /// Changes of the catalogue that carried a request id, oldest first.
  private var requests: [Request] = []
  private(set) var lastStamp = Stamp.zero
  private(set) var lastIndex = LogIndex(0)

  var catalogueVersion: UInt32 { catalogue.version }
  var nextDeadline: Stamp? { nil }

  /// Commands of the directory: `byteCount:u32 kind:u8 body`.
  enum Kind: UInt8 {
    /// The first entry of all: the topology that the cluster begins with.
    case bootstrap = 1
    /// A `PROGRAM SET` or `MERCHANT SET`: `key:u64 fingerprint:u64`, then the request as `Catalogue` encodes it. The key is
    /// a hash of the request id and what it is scoped to, or 0 for none.
    case catalogue = 2
    /// A member's names and addresses, when it starts with others than before.
    case member = 3
    case listPrograms = 16
    case listMerchants = 17
    /// An answer of no content: that the directory has a leader.
    case confirm = 18
  }

  private struct Request {
    var key: UInt64
    var fingerprint: UInt64
    var version: UInt32
    var stamp: Stamp
  }

  init() {}

  static func append(_ kind: Kind, to buffer: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void) {
    let start = buffer.count
    buffer.append(UInt32(0))
    buffer.append(kind.rawValue)
    body(&buffer)
    buffer.patch(UInt32(buffer.count - start - 4), at: start)
  }

  func skip(_ index: LogIndex) { lastIndex = index }
  func beginEntry(_ header: EntryHeader, index: LogIndex) {
    lastStamp = max(lastStamp, header.stamp)
    lastIndex = index
  }
  func endEntry() {}

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
      case .catalogue:
        try applyCatalogue(body, &reply)
      case .member:
        applyMember(try Member(decoding: &reader))
        reply.ok()
      default:
        reply.error(.malformed, "the directory does not know that command")
      }
    } catch {
      reply.buffer.removeAll()
      reply.error(.malformed, "\(error)")
    }
    return .replied
  }

  /// A change is answered with the version that every shard must reach before the client hears `+OK`.
  private func applyCatalogue(_ body: UnsafeRawBufferPointer, _ reply: inout ReplyWriter) throws(MalformedBytes) {
    var reader = ByteReader(body)
    let key = try reader.read(UInt64.self)
    let fingerprint = try reader.read(UInt64.self)
    forgetRequests()
    if key != 0, let known = requests.last(where: { $0.key == key }) {
      if known.fingerprint == fingerprint {
        reply.integer(Int64(known.version))
      } else {
        reply.error(.conflict, "the request id was used for another request")
      }
      return
    }
    let before = reply.buffer.count
    try decide(UnsafeRawBufferPointer(rebasing: body[reader.offset...]), &reply)
    guard key != 0, reply.buffer.bytes[before] == ReplyTag.integer.rawValue else { return }
    requests.append(
      Request(key: key, fingerprint: fingerprint, version: catalogue.version, stamp: lastStamp))
  }

  /// Request ids are kept for 30 days, and no more than 4,096 of them.
  private func forgetRequests() {
    let horizon = lastStamp.microseconds - 30 * 86_400_000_000
    while let first = requests.first, first.stamp.microseconds < horizon || requests.count >= 4096 {
      requests.removeFirst()
    }
  }

  private func decide(_ request: UnsafeRawBufferPointer, _ reply: inout ReplyWriter) throws(MalformedBytes) {
    let before = reply.buffer.count
    guard let delta = catalogue.decide(request, stamp: lastStamp, into: &reply) else {
      guard reply.buffer.bytes[before] == ReplyTag.ok.rawValue else { return }
      // Nothing new: but what it repeats may still be on its way to some shard.
      reply.buffer.truncate(to: before)
      reply.integer(Int64(catalogue.version))
      return
    }
    do {
      try delta.withUnsafeBytes { try apply(delta: $0) }
    } catch {
      throw MalformedBytes("\(error)")
    }
    deltas.append(delta)
    reply.buffer.truncate(to: before)
    reply.integer(Int64(catalogue.version))
  }
  private func apply(delta: UnsafeRawBufferPointer) throws { try catalogue.apply(delta) }

  private func applyMember(_ member: Member) {
    guard var changed = topology, let i = changed.members.firstIndex(where: { $0.id == member.id }) else { return }
    guard changed.members[i] != member else { return }
    changed.members[i] = member
    changed.version += 1
    topology = changed
  }

  func read(_ query: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> ReadOutcome {
    guard query.count >= 9, let kind = Kind(rawValue: query[4]) else {
      reply.error(.malformed, "the directory does not know that query")
      return .replied
    }
    let tenant = TenantID(UInt32(littleEndian: query.loadUnaligned(fromByteOffset: 5, as: UInt32.self)))
    switch kind {
    case .listPrograms: catalogue.listPrograms(tenant: tenant, into: &reply)
    case .listMerchants: catalogue.listMerchants(tenant: tenant, into: &reply)
    default: reply.ok()
    }
    return .replied
  }

  func firstAnswer(at position: JournalPosition) -> JournalQuery? { nil }
  func takeOutputs(into outbox: inout ReplicaOutbox, leading: Bool) {}
  func openDeliveries(from places: inout DeliveryPlaces, into outbox: inout ReplicaOutbox) {}

  // MARK: Snapshot

  func beginSnapshot() -> MachineSnapshot {
    var buffer = ByteBuffer(capacity: 65_536)
    encode(into: &buffer)
    let bytes = buffer.array
    return MachineSnapshot(token: nil) { sink in try bytes.withUnsafeBytes { try sink($0) } }
  }
  func endSnapshot(_ snapshot: MachineSnapshot) {}

  private func encode(into buffer: inout ByteBuffer) {
    var body = ByteBuffer(capacity: 65_536)
    body.append(lastStamp.microseconds)
    body.append(lastIndex.rawValue)
    body.append(UInt8(topology == nil ? 0 : 1))
    topology?.encode(into: &body)
    firstTopology?.encode(into: &body)
    body.append(varint: UInt64(deltas.count))
    for delta in deltas { body.append(counted: delta) }
    body.append(varint: UInt64(requests.count))
    for request in requests {
      body.append(request.key)
      body.append(request.fingerprint)
      body.append(request.version)
      body.append(request.stamp.microseconds)
    }
    buffer.append(UInt64(body.count))
    buffer.append(body.bytes)
  }
  /// The directory that wrote a snapshot.
  init(restoring source: inout some SnapshotSource) throws {
    var size: UInt64 = 0
    try withUnsafeMutableBytes(of: &size) { try source.read(into: $0) }
    guard size <= 1 << 30 else { throw MalformedBytes("a directory of \(size) bytes") }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    try bytes.withUnsafeMutableBytes { try source.read(into: $0) }
    try bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      lastStamp = Stamp(microseconds: try reader.read())
      lastIndex = LogIndex(try reader.read())
      if try reader.read(UInt8.self) == 1 {
        topology = try Topology(decoding: &reader)
        firstTopology = try Topology(decoding: &reader)
      }
      let count = try reader.readVarint()
      for _ in 0..<count {
        let delta = try reader.readCounted()
        deltas.append(Array(delta))
        try catalogue.apply(delta)
      }
      for _ in 0..<(try reader.readVarint()) {
        requests.append(
          Request(
            key: try reader.read(), fingerprint: try reader.read(), version: try reader.read(),
            stamp: Stamp(microseconds: try reader.read())))
      }
    }
  }
}
