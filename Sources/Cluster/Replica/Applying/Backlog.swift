import Base
import Ledger

/// Entries that are committed and not begun, oldest first, and how much of the log is not applied.
struct Backlog {
  private var entries: [LogEntry] = []
  /// Those before are begun.
  private var place = 0
  /// Bytes of entries that were taken into the log in this life and not begun yet; too much where some were replaced.
  private(set) var bytes = 0
  /// Commands in the log that are not begun yet; too many where some were replaced, until all is applied.
  private(set) var commands = 0

  @inline(__always) var isEmpty: Bool { place == entries.count }
  @inline(__always) var first: LogEntry? { isEmpty ? nil : entries[place] }
  @inline(__always) var firstIndex: LogIndex? { isEmpty ? nil : entries[place].index }

  /// An entry is in the log.
  mutating func logged(_ entry: LogEntry) {
    bytes += entry.payload.count
    commands += EntryHeader.commandCount(of: entry)
  }
  /// Takes over what is committed. The array of the caller is of no more use then.
  mutating func add(_ committed: inout [LogEntry]) {
    if isEmpty {
      swap(&entries, &committed)
      place = 0
    } else {
      entries.append(contentsOf: committed)
    }
  }
  /// The first is begun.
  mutating func begun(_ entry: LogEntry) {
    place += 1
    bytes = max(0, bytes - entry.payload.count)
    commands = max(0, commands - EntryHeader.commandCount(of: entry))
  }
  /// The entries that are begun need not be kept, where these are all.
  mutating func trim() {
    if isEmpty { drop() }
  }
  mutating func drop() {
    entries.removeAll()
    place = 0
  }
  /// The whole log is applied.
  mutating func caughtUp() { commands = 0 }
  /// - Parameter entries: all in the log that are not applied.
  mutating func recount(_ entries: [LogEntry]) {
    commands = entries.reduce(0) { $0 + EntryHeader.commandCount(of: $1) }
  }
}
