import Base
import Ledger
import Raft

/// What a cluster began with, until it has proved to be that: so long its shards take nothing. See docs/backup.md.
public struct RestoredFrom: Hashable, Sendable {
  /// Whose backup it is.
  var cluster: UInt64
  /// The stamp of its last entries.
  var cut: Stamp
  /// What all shards come to.
  var figures: BackupFigures

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(cluster)
    buffer.append(cut.microseconds)
    figures.encode(into: &buffer)
  }
  init(cluster: UInt64, cut: Stamp, figures: BackupFigures) {
    (self.cluster, self.cut, self.figures) = (cluster, cut, figures)
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    cluster = try reader.read()
    cut = Stamp(microseconds: try reader.read())
    figures = try BackupFigures(decoding: &reader)
  }
}

/// What a cluster is to begin with, as a directory of backups has it.
public struct BackupOutline: Hashable, Sendable {
  package var manifest: BackupManifest
  /// The cluster's at the cut.
  package var topology: Topology

  package init(manifest: BackupManifest, topology: Topology) {
    self.manifest = manifest
    self.topology = topology
  }
}

extension Topology {
  /// The first topology of a cluster that begins with a backup: its shards, with their numbers, at other nodes.
  static func plan(
    restoring outline: BackupOutline, cluster: UInt64, nodes: [NodeRecord], replicas: Int, allowSingleRegion: Bool
  ) throws(Impossible) -> Topology {
    let parts = outline.manifest.shards
    var topology = try plan(
      cluster: cluster, hashKey: outline.topology.hashKey, nodes: nodes, shards: parts.count, replicas: replicas,
      allowSingleRegion: allowSingleRegion)
    for (place, part) in parts.enumerated() {
      topology.shards[place].shard = part.shard
      topology.shards[place].slots = part.slots
      topology.shards[place].epoch = part.epoch
    }
    // Journals are named by numbers, also those whose shards are no more.
    topology.give(outline.manifest.journals.map(\.position.journal).reduce(outline.topology.newestShard, max))
    topology.semantics = outline.topology.semantics
    topology.restored = RestoredFrom(
      cluster: outline.manifest.cluster, cut: outline.manifest.cut, figures: outline.manifest.figures)
    return topology
  }
  /// Whose members a shard's group, or the directory's, begins with.
  package func founders(of shard: ShardID) -> Configuration {
    shard == .directory ? directoryConfiguration : Configuration(founders: placement(of: shard)?.voters ?? [])
  }
}

extension BackupContents {
  /// Gives the body of the snapshot with which the directory of a restored cluster begins.
  package func writeDirectory(_ topology: Topology, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    switch state {
    case .shard: throw MalformedBytes("this is no directory")
    case .directory(let box):
      box.machine.begin(restored: topology)
      try box.machine.beginSnapshot().write(false, sink)
    }
  }
  /// The topology of a directory.
  package var topology: Topology? {
    switch state {
    case .directory(let box): box.machine.topology
    case .shard: nil
    }
  }
}
