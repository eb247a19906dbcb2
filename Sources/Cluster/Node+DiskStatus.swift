import Base
import Protocol

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

  var diskSection: InfoSection {
    let gauges = disk.gauges
    let worst = gauges?.log.shards.max { $0.pinnedBytes < $1.pinnedBytes }
    return InfoSection(
      "disk",
      [
        ("alarms", Node.list(alarms(of: peers[0]))), ("disk_free", gauges.map { "\($0.freeBytes)" } ?? "unknown"),
        ("disk_reserve", "\(configuration.diskReserve.byteCount)"),
        ("log_bytes", "\(gauges?.log.byteCount ?? 0)"), ("log_pinned_bytes", "\(gauges?.log.pinnedBytes ?? 0)"),
        ("log_limit", "\(configuration.logLimitBytes)"),
        ("log_held_by_shard", worst.map { "\($0.shard.rawValue)" } ?? "none"),
        ("log_held_bytes", "\(worst?.pinnedBytes ?? 0)"), ("log_live_bytes", "\(worst?.liveBytes ?? 0)"),
        ("log_probes", "\(logWriter.probeCount)"), ("log_rewrites", "\(counters.logRewrites)"),
        ("snapshots_forced", "\(counters.snapshotsForced)"),
      ])
  }
}
