import Base
import Ledger
import Storage

/// The directory as it is at one entry: values that share what they have with it, for the thread that writes them.
struct DirectoryImage: Sendable {
  var stamp: Stamp
  var index: LogIndex
  var semantics: UInt8
  var topology: Topology?
  var firstTopology: Topology?
  var entries: EntriesImage
  var journal: JournalChain
  var deltas: ChunkedQueue<[UInt8]>
  var requests: ChunkedQueue<ChangeRequests.Item>
  var operations: OperationTable
  var limits: ClusterLimits
  var access: AccessTable
  var seen: [UInt32: Stamp]
  var trail: Trail

  static let version: UInt32 = 6
  enum Item: UInt8 {
    case head = 1, delta = 2, request = 3, operation = 4
    // Of who may do what: the table's head, its parts, and the trail.
    case access = 30, user = 31, tenant = 32, trail = 33
  }

  /// About how many bytes `write` gives.
  var byteCount: Int {
    4_096 + entries.byteCount + deltas.count * 128 + requests.count * 37 + operations.all.count * 256
      + access.userCount * 192 + (trail.changes.count + trail.refusals.count) * 128
  }

  /// Writes all of it as a stream, in blocks; see `BlockWriter`.
  func write(to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    var writer = BlockWriter()
    try writer.item(to: sink) { buffer in
      buffer.append(Item.head.rawValue)
      buffer.append(DirectoryImage.version)
      buffer.append(field: 1, zigzag: stamp.microseconds)
      buffer.append(field: 2, zigzag: Int64(bitPattern: index.rawValue))
      buffer.append(field: 3, zigzag: Int64(deltas.startIndex))
      if let topology { buffer.append(field: 4) { topology.encode(into: &$0) } }
      if let firstTopology { buffer.append(field: 5) { firstTopology.encode(into: &$0) } }
      buffer.append(field: 6, zigzag: Int64(semantics))
      if operations.newest > 0 { buffer.append(field: 7, zigzag: Int64(bitPattern: operations.newest)) }
      buffer.append(field: 8, zigzag: Int64(bitPattern: journal.position.rawValue))
      buffer.append(field: 9) { value in journal.hash.withBytes { value.append($0) } }
      if limits != ClusterLimits() { buffer.append(field: 12) { limits.change.encode(into: &$0) } }
      buffer.appendEndOfFields()
    }
    for delta in deltas {
      try writer.item(to: sink) { buffer in
        buffer.append(Item.delta.rawValue)
        buffer.append(counted: delta)
      }
    }
    for request in requests {
      try writer.item(to: sink) { buffer in
        buffer.append(Item.request.rawValue)
        withUnsafeBytes(of: request.key.littleEndian) { buffer.append(field: 1, $0) }
        buffer.append(field: 2, zigzag: Int64(bitPattern: request.fingerprint))
        buffer.append(field: 3, zigzag: Int64(request.version))
        buffer.append(field: 4, zigzag: request.stamp.microseconds)
        buffer.appendEndOfFields()
      }
    }
    for operation in operations.all {
      try writer.item(to: sink) { buffer in
        buffer.append(Item.operation.rawValue)
        operation.encode(into: &buffer)
      }
    }
    try writeAccess(&writer, to: sink)
    try writer.finish(to: sink)
    try entries.write(to: sink)
  }
}

extension DirectoryMachine {
  func beginSnapshot() -> MachineSnapshot {
    let image = DirectoryImage(
      stamp: lastStamp, index: lastIndex, semantics: semantics, topology: topology, firstTopology: firstTopology,
      entries: entries.image, journal: changes.chain, deltas: deltas, requests: requests.items, operations: operations,
      limits: clusterLimits, access: access, seen: seen, trail: trail)
    return MachineSnapshot(token: nil, byteCount: image.byteCount) { try image.write(to: $1) }
  }
  func endSnapshot(_ snapshot: MachineSnapshot, file: SnapshotFile?) {}
}
