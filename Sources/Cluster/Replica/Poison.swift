import Base
import Ledger
import Protocol
import Vocabulary
import Raft

/// A committed entry that ends the process whenever it is applied. It ends it on every replica, at every start; so after two
/// deaths a node does not apply it again: the shard's replica goes on with votes and acknowledgements, leads nothing, and
/// the node serves all other shards (alarm `POISON`). An operator, or another build of the program, tries it again once.
struct Poison: Hashable, Sendable {
  var index: LogIndex
  /// Which command of the entry it was: a word in capitals.
  var kind: String
}

extension Replica {
  /// What is applied next is not to be tried.
  var isHalted: Bool {
    guard let poison, openEntry == nil, nextToApply < backlog.count else { return false }
    return backlog[nextToApply].index >= poison.index
  }
  /// While it does not apply, what it is sent would only gather: so much is taken, in bytes of entries. Beyond that the
  /// leader's log moves on without it, and a snapshot is what brings it forward.
  static let haltedBytes = 256 << 20
  func isFull(for message: Message) -> Bool {
    poison != nil && message.kind == .append && !message.entries.isEmpty && unappliedBytes > Replica.haltedBytes
  }

  /// Entries through `index` are applied, or are in a snapshot that is.
  func passSuspect(through index: LogIndex) {
    guard let suspect, suspect <= index else { return }
    self.suspect = nil
    poison = nil
    note?.forget(shard)
  }

  /// The kind of a command in an entry, as an operator reads it.
  static func kind(of entry: LogEntry?, at place: Int, in shard: ShardID) -> String {
    guard let entry else { return "UNKNOWN" }
    return entry.payload.withUnsafeBytes { payload in
      var reader = ByteReader(payload)
      guard (try? EntryHeader(decoding: &reader)) != nil else { return "UNKNOWN" }
      var name: String?
      for _ in 0...place {
        guard let command = try? Envelope.next(&reader), command.count > 4 else { break }
        name =
          shard == .directory
          ? DirectoryMachine.Kind(rawValue: command[4]).map { "\($0)" }
          : CommandHeader.verb(of: command).map { "\($0)" }
      }
      return name?.uppercased() ?? "UNKNOWN"
    }
  }
}
