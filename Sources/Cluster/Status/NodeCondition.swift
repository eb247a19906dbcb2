import Base
import Raft

/// How a node does, as it tells its peers ten times a second: what an operator must look at, and what speaks against giving
/// it leadership.
struct NodeCondition: Hashable, Sendable {
  var disk = DiskCondition()
  /// How near it is to the end of its memory.
  var memory = MemoryLevel.ok
  /// One of its replicas is damaged or stopped.
  var isCorrupt = false
  /// One of its replicas forgets request ids before their time.
  var isForgettingEarly = false
  /// Others can read what terminals say to it, or may do everything there.
  var isInsecure = false
  /// A certificate of its own ends soon, or has ended.
  var isCertificateEnding = false
  /// Entries that it does not apply, by rising shard.
  var poisons: [PoisonedShard] = []
  /// Shards of which its replicas have much to apply yet: what they lead would stand still until they are through.
  var replaying: [ShardID] = []
  /// How far its log is durable.
  var logPosition: UInt64 = 0
  /// Which map of the cluster it goes by; nil: it has none.
  var map: MapMark?
  /// Shards that it leads, of which it has found that replicas are in different states.
  var divergent: [ShardID] = []
  /// Shards that it leads, of which all voters were in the same state at an index, of late.
  var compared: [Compared] = []
  /// Members of the cluster that it has not heard for `NodeRemove.silence`, sorted.
  var silent: [NodeID] = []

  /// Takes over what was found by looking through all replicas.
  mutating func keepOfReplicas(_ known: NodeCondition) {
    isCorrupt = known.isCorrupt
    isForgettingEarly = known.isForgettingEarly
    poisons = known.poisons
    replaying = known.replaying
    compared = known.compared
  }

  func isPoisoned(_ shard: ShardID) -> Bool { poisons.contains { $0.shard == shard } }
}

/// Which map of the cluster a node goes by.
struct MapMark: Hashable, Sendable, BitwiseCopyable {
  var version: UInt64
  /// Of all that is in it.
  var digest: UInt64

  init(version: UInt64, digest: UInt64) { (self.version, self.digest) = (version, digest) }
  init(_ topology: Topology) {
    var buffer = ByteBuffer(capacity: 4_096)
    topology.encode(into: &buffer)
    self.init(version: topology.version, digest: xxh64(buffer.bytes))
  }
}
struct Compared: Hashable, Sendable, BitwiseCopyable {
  var shard: ShardID
  var index: LogIndex
}

/// What nodes tell each other, and the operator, of their disks.
struct DiskCondition: Hashable, Sendable {
  var isFull = false
  var isSlow = false
  /// It could not open a file or take a connection for want of a descriptor.
  var lacksDescriptors = false
  /// Nil until it has told.
  var figures: Figures?
  /// How long 99 of 100 writes of the log took at most, syncs and all, within the last minute or two (µs); nil: there was none.
  var syncTime: UInt64?

  struct Figures: Hashable, BitwiseCopyable, Sendable {
    /// Bytes that may still be written.
    var free: UInt64
    /// Bytes of the log, and of that part of it which holds records.
    var log: UInt64
    var pinned: UInt64
  }
}

/// An entry that a node does not apply: see `Poison`.
struct PoisonedShard: Hashable, Sendable {
  var shard: ShardID
  var index: LogIndex
  var kind: String

  /// A word in capitals, as an operator reads it.
  static func isKind(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 24 && text.utf8.allSatisfy { (0x41...0x5A).contains($0) }
  }
}

// MARK: As it travels

extension NodeCondition {
  private struct Flags: OptionSet {
    let rawValue: Int64
    static let full = Flags(rawValue: 1)
    static let slow = Flags(rawValue: 2)
    static let descriptors = Flags(rawValue: 4)
    static let corrupt = Flags(rawValue: 8)
    static let forgetting = Flags(rawValue: 16)
    static let insecure = Flags(rawValue: 32)
    static let certificate = Flags(rawValue: 64)
  }

  func encode(into buffer: inout ByteBuffer) {
    var flags: Flags = []
    if disk.isFull { flags.insert(.full) }
    if disk.isSlow { flags.insert(.slow) }
    if disk.lacksDescriptors { flags.insert(.descriptors) }
    if isCorrupt { flags.insert(.corrupt) }
    if isForgettingEarly { flags.insert(.forgetting) }
    if isInsecure { flags.insert(.insecure) }
    if isCertificateEnding { flags.insert(.certificate) }
    buffer.append(field: 1, zigzag: flags.rawValue)
    buffer.append(field: 2, zigzag: Int64(memory.rawValue))
    buffer.append(field: 3, zigzag: Int64(bitPattern: logPosition))
    if let figures = disk.figures {
      buffer.append(field: 4) { for figure in [figures.free, figures.log, figures.pinned] { $0.append(figure) } }
    }
    if !poisons.isEmpty {
      buffer.append(field: 5) { list in
        for poison in poisons {
          list.append(poison.shard.rawValue)
          list.append(poison.index.rawValue)
          list.append(counted: poison.kind)
        }
      }
    }
    if !replaying.isEmpty { buffer.append(field: 6) { for shard in replaying { $0.append(shard.rawValue) } } }
    if let map { buffer.append(field: 7) { for part in [map.version, map.digest] { $0.append(part) } } }
    if !divergent.isEmpty { buffer.append(field: 8) { for shard in divergent { $0.append(shard.rawValue) } } }
    if !compared.isEmpty {
      buffer.append(field: 9) { list in
        for row in compared {
          list.append(row.shard.rawValue)
          list.append(row.index.rawValue)
        }
      }
    }
    if !silent.isEmpty { buffer.append(field: 10) { for node in silent { $0.append(node.rawValue) } } }
    if let time = disk.syncTime { buffer.append(field: 11) { $0.append(time) } }
    buffer.appendEndOfFields()
  }

  /// What a newer build says beside is no matter of this one.
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    try reader.readFields(of: "a node's condition") { number, value throws(MalformedBytes) in
      switch number {
      case 1:
        let flags = Flags(rawValue: try value.readZigzag())
        disk.isFull = flags.contains(.full)
        disk.isSlow = flags.contains(.slow)
        disk.lacksDescriptors = flags.contains(.descriptors)
        isCorrupt = flags.contains(.corrupt)
        isForgettingEarly = flags.contains(.forgetting)
        isInsecure = flags.contains(.insecure)
        isCertificateEnding = flags.contains(.certificate)
      case 2:
        guard let level = MemoryLevel(rawValue: try value.readSmall()) else {
          throw MalformedBytes("no such memory level")
        }
        memory = level
      case 3: logPosition = UInt64(bitPattern: try value.readZigzag())
      case 4:
        disk.figures = DiskCondition.Figures(
          free: try value.read(), log: try value.read(), pinned: try value.read())
      case 5: while !value.isAtEnd { poisons.append(try PoisonedShard(decoding: &value)) }
      case 6: while !value.isAtEnd { replaying.append(ShardID(try value.read())) }
      case 7: map = MapMark(version: try value.read(), digest: try value.read())
      case 8: while !value.isAtEnd { divergent.append(ShardID(try value.read())) }
      case 9:
        while !value.isAtEnd {
          let shard = ShardID(try value.read())
          compared.append(Compared(shard: shard, index: LogIndex(try value.read())))
        }
      case 10: while !value.isAtEnd { silent.append(NodeID(try value.read())) }
      case 11: disk.syncTime = try value.read()
      default: _ = try value.readBytes(value.remaining)
      }
      return true
    }
  }
}

extension PoisonedShard {
  fileprivate init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    shard = ShardID(try reader.read())
    index = LogIndex(try reader.read())
    let kind = try reader.readString()
    self.kind = PoisonedShard.isKind(kind) ? kind : "UNKNOWN"
  }
}
