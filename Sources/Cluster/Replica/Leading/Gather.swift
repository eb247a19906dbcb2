import Base
import Ledger
import Raft

/// Commands and queries on their way into one entry.
struct Gather: ~Copyable {
  /// A query that is evaluated when so many commands of its entry have been applied.
  struct Read: BitwiseCopyable {
    var position: Int
    var replyTo: ReplyTo
    /// Of its bytes among all queries.
    var offset: Int
    var length: Int
  }
  /// Room for the entry's header, which is known when it is proposed.
  private static let noHeader = EntryHeader(stamp: .zero, catalogueVersion: 0, commandCount: 0)

  /// The entry: a header, and the commands.
  private(set) var payload = ByteBuffer(capacity: 65_536)
  /// Who waits for each command.
  private(set) var repliesTo: [ReplyTo] = []
  private(set) var reads: [Read] = []
  private(set) var queries = ByteBuffer(capacity: 4096)
  /// An audit's marker wants its entry alone and at this stamp.
  private var exactStamp: Stamp?
  /// The stamps of deliveries in it: the entry's is later.
  private var latestDelivery = Stamp.zero

  init() { Gather.noHeader.encode(into: &payload) }

  var isEmpty: Bool { repliesTo.isEmpty && reads.isEmpty }
  @inline(__always) var byteCount: Int { payload.count }

  @inline(__always) mutating func add(query: UnsafeRawBufferPointer, for replyTo: ReplyTo) {
    reads.append(Read(position: repliesTo.count, replyTo: replyTo, offset: queries.count, length: query.count))
    queries.append(query)
  }
  /// - Parameter limit: false, and nothing has happened, if there were more bytes than that then.
  @inline(__always) mutating func add(command: UnsafeRawBufferPointer, for replyTo: ReplyTo, within limit: Int) -> Bool
  {
    guard payload.count + command.count <= limit else { return false }
    payload.append(command)
    repliesTo.append(replyTo)
    return true
  }
  /// A command that nobody waits for.
  /// - Parameter stamp: the entry's is to be later.
  mutating func add(unasked command: UnsafeRawBufferPointer, after stamp: Stamp, within limit: Int) -> Bool {
    guard add(command: command, for: .nobody, within: limit) else { return false }
    latestDelivery = max(latestDelivery, stamp)
    return true
  }
  /// Alone in its entry.
  mutating func add(marker: [UInt8], for replyTo: ReplyTo, at stamp: Stamp) {
    exactStamp = stamp
    marker.withUnsafeBytes { payload.append($0) }
    repliesTo.append(replyTo)
  }

  /// When the entry is to be stamped.
  /// - Parameter last: it is to be later.
  func stamp(after last: Stamp, clock: Stamp) -> Stamp {
    let floor = max(last, latestDelivery)
    return exactStamp ?? max(Stamp(microseconds: floor.microseconds + 1), clock)
  }
  /// Completes the entry's header: see `EntryHeader.encode`.
  /// - Parameter earliest: what the earliest clock of the cluster says, if that is known.
  mutating func seal(at stamp: Stamp, over earliest: Stamp?, semantics: UInt8, catalogueVersion: UInt32) {
    payload.patch(earliest.map { EntryHeader.lead(of: stamp, over: $0) } ?? .max, at: 2)
    payload.patch(semantics, at: EntryHeader.semanticsOffset)
    payload.patch(stamp.microseconds, at: 4)
    payload.patch(catalogueVersion, at: 12)
    payload.patch(UInt32(repliesTo.count), at: 16)
  }
  /// What was gathered is that entry now. Gathers the next.
  mutating func take(_ index: LogIndex, _ term: Term) -> Proposal {
    defer { reset() }
    return Proposal(
      index: index, term: term, repliesTo: repliesTo, reads: reads, queries: reads.isEmpty ? [] : queries.array)
  }
  /// Nobody waits any more for what that edge sent: see `Replica.forget`.
  mutating func forget(edge: UInt32) { repliesTo.forget(edge: edge) }
  mutating func reset() {
    payload.removeAll()
    payload.shrink(to: 4 << 20)
    Gather.noHeader.encode(into: &payload)
    repliesTo.removeAll(keepingCapacity: true)
    reads.removeAll(keepingCapacity: true)
    queries.removeAll()
    exactStamp = nil
    latestDelivery = .zero
  }
}
