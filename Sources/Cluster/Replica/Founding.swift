import Base
import Ledger
import Raft
import Storage

/// How a group's log begins: with its first configuration, and with what its machine must know before all else. Every
/// founder writes these entries by itself when the cluster begins, the same ones and committed; whoever joins the group
/// later begins with nothing, and has them from the leader.
struct Founding {
  /// No leader is of it, nor of an earlier one.
  static let term = Term(1)

  let shard: ShardID
  let entries: [LogEntry]
  var lastIndex: LogIndex { LogIndex(UInt64(entries.count)) }

  private init(
    _ shard: ShardID, _ members: Configuration, semantics: UInt8, command: (inout ByteBuffer) -> Void
  ) {
    self.shard = shard
    var payload = ByteBuffer(capacity: 4096)
    EntryHeader(stamp: Stamp(microseconds: 1), catalogueVersion: 0, commandCount: 1, semantics: semantics)
      .encode(into: &payload)
    command(&payload)
    entries = [
      LogEntry(index: LogIndex(1), term: Founding.term, kind: .configuration, payload: members.payload),
      LogEntry(index: LogIndex(2), term: Founding.term, payload: payload.array),
    ]
  }
  static func directory(of topology: Topology) -> Founding {
    Founding(.directory, topology.directoryConfiguration, semantics: semantics(of: topology)) { payload in
      DirectoryMachine.append(.bootstrap, to: &payload) { topology.encode(into: &$0) }
    }
  }
  /// Of a shard of the cluster's beginning.
  static func shard(_ placement: ShardPlacement, of topology: Topology) -> Founding {
    shard(placement, of: topology, semantics: semantics(of: topology))
  }
  /// Of a shard that begins later. Its founders may have maps of different ages, and write the same all the same.
  static func heir(_ placement: ShardPlacement, of topology: Topology) -> Founding {
    shard(placement, of: topology, semantics: Semantics.first)
  }
  private static func shard(_ placement: ShardPlacement, of topology: Topology, semantics: UInt8) -> Founding {
    Founding(placement.shard, Configuration(founders: placement.voters), semantics: semantics) { payload in
      Command.appendBirth(to: &payload, key: topology.hashKey, ranges: placement.slots, epoch: placement.epoch)
    }
  }

  /// By which semantics a new cluster's logs begin: those that all its nodes know, so that its first client is refused nothing.
  /// Builds that know less than `Semantics.begun` write the first semantics there, whatever the topology says.
  private static func semantics(of topology: Topology) -> UInt8 {
    topology.semantics >= Semantics.begun ? topology.semantics : Semantics.first
  }

  /// Whether a log has the whole beginning of some group.
  static func isWhole(in entries: [LogEntry]) -> Bool {
    entries.count >= 2 && entries[0].index == LogIndex(1) && entries[0].kind == .configuration
      && entries[1].term == term
  }
  /// Whether what was found of a replica goes on from here. Else it has lost its beginning; or it is of a cluster that came
  /// to nothing, of which nobody was told.
  func isKept(by found: RecoveredReplica) -> Bool {
    found.configuration != nil || found.entries.starts(with: entries)
  }
}
