import Base
import Ledger
import Storage

/// The directory as it is at one entry: values that share what they have with it, for the thread that writes them.
struct DirectoryImage: Sendable {
  var stamp: Stamp
  var index: LogIndex
  var topology: Topology?
  var firstTopology: Topology?
  var records: CatalogueRecords
  var deltas: ChunkedQueue<[UInt8]>
  var requests: ChunkedQueue<ChangeRequests.Item>

  static let version: UInt32 = 3
  enum Item: UInt8 { case head = 1, delta = 2, request = 3 }

  /// About how many bytes `write` gives.
  var byteCount: Int { 4_096 + records.byteCount + deltas.count * 128 + requests.count * 37 }

  /// Writes all of it as a stream, in blocks; see `BlockWriter`.
  func write(to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    var writer = BlockWriter()
    try writer.item(to: sink) { buffer in
      buffer.append(Item.head.rawValue)
      buffer.append(DirectoryImage.version)
      buffer.append(stamp.microseconds)
      buffer.append(index.rawValue)
      buffer.append(UInt64(deltas.startIndex))
      buffer.append(UInt8(topology == nil ? 0 : 1))
      topology?.encode(into: &buffer)
      firstTopology?.encode(into: &buffer)
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
        buffer.append(request.key)
        buffer.append(request.fingerprint)
        buffer.append(request.version)
        buffer.append(request.stamp.microseconds)
      }
    }
    try writer.finish(to: sink)
    try records.write(to: sink)
  }
}

extension DirectoryMachine {
  func beginSnapshot() -> MachineSnapshot {
    let image = DirectoryImage(
      stamp: lastStamp, index: lastIndex, topology: topology, firstTopology: firstTopology, records: catalogue.records,
      deltas: deltas, requests: requests.items)
    return MachineSnapshot(token: nil, byteCount: image.byteCount) { try image.write(to: $1) }
  }
  func endSnapshot(_ snapshot: MachineSnapshot, file: SnapshotFile?) {}
}
