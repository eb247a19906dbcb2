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
