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

  private init(_ shard: ShardID, _ members: Configuration, command: (inout ByteBuffer) -> Void) {
    self.shard = shard
    var payload = ByteBuffer(capacity: 4096)
    EntryHeader(stamp: Stamp(microseconds: 1), catalogueVersion: 0, commandCount: 1).encode(into: &payload)
    command(&payload)
    entries = [
      LogEntry(index: LogIndex(1), term: Founding.term, kind: .configuration, payload: members.payload),
      LogEntry(index: LogIndex(2), term: Founding.term, payload: payload.array),
    ]
  }
  static func directory(of topology: Topology) -> Founding {
    Founding(.directory, topology.directoryConfiguration) { payload in
      DirectoryMachine.append(.bootstrap, to: &payload) { topology.encode(into: &$0) }
    }
  }
  static func shard(_ placement: ShardPlacement, of topology: Topology) -> Founding {
    Founding(placement.shard, Configuration(founders: placement.voters)) { payload in
      Command.appendBirth(to: &payload, key: topology.hashKey, ranges: placement.slots, epoch: placement.epoch)
    }
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

extension Node {
  /// Begins the cluster here: founds the groups that this node is a founder of, the directory last, whose log vouches for
  /// the others'.
  func begin(_ topology: Topology) {
    for placement in topology.shards where placement.voters.contains(id) {
      found(Founding.shard(placement, of: topology))
    }
    let directory = Founding.directory(of: topology)
    found(directory)
    absent.take(.directory).map(install(directory:))
  }

  /// Writes a group's beginning. A node that lost what it knew of the group may have voted since, and may have been told
  /// more than its beginning; of what it still has nothing is touched.
  private func found(_ founding: Founding) {
    let left = absent.take(founding.shard)
    if let left, founding.isKept(by: left) { return absent.keep(left) }
    // A founder may have left since.
    guard absent.admits(founding.shard, born: 1) else { return }
    var state = left?.hardState ?? unknownState(born: 1)
    state.term = max(state.term, Founding.term)
    state.commit = max(state.commit, founding.lastIndex)
    state.born = max(state.born, 1)
    logWriter.add(LogRecord(shard: founding.shard, body: .state(state.encoded)))
    for entry in founding.entries { logWriter.add(LogRecord(shard: founding.shard, body: .entry(entry))) }
    absent.keep(
      RecoveredReplica(
        shard: founding.shard, hardState: state, snapshotIndex: LogIndex(0), snapshotTerm: Term(0), configuration: nil,
        entries: founding.entries, machine: nil))
  }

  /// Of a replica of which nothing was found on disk: nothing was there, or all of it is lost, votes and all.
  private func unknownState(born: UInt64) -> HardState {
    let state = HardState(born: born)
    return me.fence == 0 ? state : state.damaged(life: me.fence, isVoteLost: true)
  }

  /// Starts an empty replica of a shard for a message that is meant for it. It votes, and keeps its votes, as any other.
  func startNewcomer(_ shard: ShardID, for message: Message) -> Replica? {
    guard message.to.node == id, absent.admits(shard, born: message.to.born),
      topology?.shards.contains(where: { $0.shard == shard }) == true
    else { return nil }
    let empty = RecoveredReplica(
      shard: shard, hardState: unknownState(born: message.to.born), snapshotIndex: LogIndex(0), snapshotTerm: Term(0),
      configuration: nil, entries: [], machine: nil)
    start(empty, machine: newLedger(shard))
    return replica(shard)
  }

  /// The group has removed a replica and added this node again: the replica leaves for ever. The next message that is meant
  /// for its successor begins that one, once nothing of this one is left.
  func retire(_ replica: Replica) {
    let shard = replica.shard
    let born = replica.raft.id.born
    replicas[Int(shard.rawValue)] = nil
    journal.forget(shard)
    rottenJournals.remove(shard)
    note.forget(shard)
    endTransfers(of: shard)
    logWriter.add(LogRecord(shard: shard, body: .gone(born: born)))
    absent.bury(shard, born: born, batch: logWriter.lastNumber)
    log(.info, "replica removed shard=\(shard.rawValue) born=\(born): the group has added this node anew")
  }
  func clearedAway(_ shard: ShardID, failure: String?) {
    absent.cleared(shard, isDone: failure == nil)
    if let failure { log(.error, "what is left of shard \(shard.rawValue) here cannot be removed: \(failure)") }
  }
}
