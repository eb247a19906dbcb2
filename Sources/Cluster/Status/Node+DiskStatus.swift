import Base
import Protocol
import Storage

/// What nodes tell each other, and the operator, of their disks, and how full their memory is.
struct PeerDisk: BitwiseCopyable, Sendable {
  var isFull = false
  var isSlow = false
  /// It could not open a file or take a connection for want of a descriptor.
  var lacksDescriptors = false
  /// Nil until it has told.
  var figures: Figures?

  struct Figures: BitwiseCopyable, Sendable {
    /// Bytes that may still be written.
    var free: UInt64
    /// Bytes of the log, and of that part of it which holds records.
    var log: UInt64
    var pinned: UInt64
  }
}

extension Node {
  /// What this node tells of itself.
  var ownDisk: PeerDisk {
    PeerDisk(
      isFull: disk.isFull, isSlow: disk.isSlow, lacksDescriptors: disk.lacksDescriptors,
      figures: disk.gauges.map {
        PeerDisk.Figures(free: $0.freeBytes, log: $0.log.byteCount, pinned: $0.log.pinnedBytes)
      })
  }

  /// Ten times a second, with the status: `flags:u8 free:u64 log:u64 pinned:u64 memory:u8 position:u64`.
  func sendDisk(to peer: Peer) {
    let own = ownDisk
    let start = peer.outbox.beginMessage(.disk)
    peer.outbox.append(
      UInt8(
        (own.isFull ? 1 : 0) | (own.isSlow ? 2 : 0) | (own.figures == nil ? 0 : 4) | (isCorrupt ? 8 : 0)
          | (own.lacksDescriptors ? 16 : 0) | (isForgettingEarly ? 32 : 0)))
    peer.outbox.append(own.figures?.free ?? 0)
    peer.outbox.append(own.figures?.log ?? 0)
    peer.outbox.append(own.figures?.pinned ?? 0)
    peer.outbox.append(memory.level.rawValue)
    peer.outbox.append(disk.gauges?.logPosition ?? 0)
    peer.outbox.endMessage(start)
  }

  func receiveDisk(_ reader: inout ByteReader, of peer: Peer) throws(MalformedBytes) {
    let flags = try reader.read(UInt8.self)
    let figures = PeerDisk.Figures(free: try reader.read(), log: try reader.read(), pinned: try reader.read())
    peer.disk = PeerDisk(
      isFull: flags & 1 != 0, isSlow: flags & 2 != 0, lacksDescriptors: flags & 16 != 0,
      figures: flags & 4 != 0 ? figures : nil)
    peer.isCorrupt = flags & 8 != 0
    peer.isForgettingEarly = flags & 32 != 0
    guard let level = MemoryLevel(rawValue: try reader.read()) else { throw MalformedBytes("no such memory level") }
    peer.logPosition = max(peer.logPosition, try reader.read())
    let isNew = (level >= .over) != (peer.memory >= .over) || (level >= .farOver) != (peer.memory >= .farOver)
    peer.memory = level
    if isNew { judgeShedding() }
  }

  static let diskGauges = [
    Gauge("alarms", .disk, "its alarms", .fact) { Node.list($0.alarms(of: $0.peers[0])) },
    Gauge("disk_free", .disk, "free on the data's file system", .gauge, .bytes) {
      $0.disk.gauges.map { "\($0.freeBytes)" } ?? "unknown"
    },
    Gauge("disk_reserve", .disk, "below this it takes no writes", .gauge, .bytes) {
      "\($0.configuration.diskReserve.byteCount)"
    },
    Gauge("log_bytes", .disk, "the log's files", .gauge, .bytes) { "\($0.disk.gauges?.log.byteCount ?? 0)" },
    Gauge("log_pinned_bytes", .disk, "those of them that are needed", .gauge, .bytes) {
      "\($0.disk.gauges?.log.pinnedBytes ?? 0)"
    },
    Gauge("log_limit", .disk, "what the log may take", .gauge, .bytes) { "\($0.configuration.logLimitBytes)" },
    Gauge("log_held_by_shard", .disk, "the shard that holds back most of the log", .fact) {
      $0.shardHoldingLog.map { "\($0.shard.rawValue)" } ?? "none"
    },
    Gauge("log_held_bytes", .disk, "how much it holds back", .gauge, .bytes) {
      "\($0.shardHoldingLog?.pinnedBytes ?? 0)"
    },
    Gauge("log_live_bytes", .disk, "and how much of that is live", .gauge, .bytes) {
      "\($0.shardHoldingLog?.liveBytes ?? 0)"
    },
    Gauge("log_probes", .disk, "empty batches that asked the disk whether it answers", .counter) {
      "\($0.logWriter.probeCount)"
    },
  ]
  private var shardHoldingLog: ShardUsage? { disk.gauges?.log.shards.max { $0.pinnedBytes < $1.pinnedBytes } }
}
