import Base
import Ledger
import Raft
import Storage

/// A state machine as a `Replica` drives it: a ledger's shard, or the directory.
protocol Machine: AnyObject {
  var lastStamp: Stamp { get }
  /// The last entry applied, of any kind.
  var lastIndex: LogIndex { get }
  var catalogueVersion: UInt32 { get }
  /// Where commands about the machine itself are addressed.
  var firstSlot: Slot { get }
  /// The newest `Semantics` that an entry was applied by.
  var semantics: UInt8 { get }
  /// When a tick should be logged, if nothing else is: the next expiry or timeout.
  var nextDeadline: Stamp? { get }
  /// Where its journal ends, and the hash over all of it. Between entries.
  var journal: JournalChain { get }
  /// For so long what it decided must be at hand (µs), and not in an archive; nil: for ever.
  var journalWindow: Int64? { get }
  /// Why the state is not to be trusted after the last entry; nil if it is.
  var fault: String? { get }

  /// Request ids are forgotten before their time, or refused, because there is no room for more.
  var isForgettingEarly: Bool { get }

  /// An entry that is not for the state machine: only its index counts.
  func skip(_ index: LogIndex)
  /// Opens an entry, to be applied in steps: see `Ledger.begin`. Until it is over, nothing but its commands' results is to be
  /// taken from the machine, and no snapshot begins.
  func begin(_ payload: UnsafeRawBufferPointer, index: LogIndex) -> EntryCursor
  /// Applies commands from `cursor` on: see `Ledger.apply`. True once the entry is over.
  func apply(
    _ payload: UnsafeRawBufferPointer, from cursor: inout EntryCursor, until limit: Int, work: inout Int,
    into reply: inout ReplyWriter,
    each: (_ place: Int, _ outcome: Outcome, _ start: Int, _ reply: inout ReplyWriter) -> Void
  ) -> Bool
  /// A command that changes nothing by itself: what an entry has that only raises the semantics.
  func appendNothing(to buffer: inout ByteBuffer)
  /// Whether a command is of a kind that makes the state grow: for a while at least, more than others do.
  func grows(by command: UnsafeRawBufferPointer) -> Bool
  /// Bytes of memory that the state takes, and bytes that are kept for it to take next.
  var memoryByteCount: Int { get }
  var spareByteCount: Int { get }
  /// What is known of an earlier answer to a command.
  func answered(_ command: UnsafeRawBufferPointer) -> FormerAnswer
  /// The query that renders the answer which a repeated request got first.
  func firstAnswer(at position: JournalPosition) -> JournalQuery?
  func read(_ query: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> ReadOutcome
  /// To whom the shard gave a slot that it does not own; nil: it never had it, or has it.
  func successor(of slot: Slot) -> Whereabouts?
  /// What slots it owns, since which epoch, and which are on their way to another shard.
  var holdings: SlotHoldings { get }
  var isMoving: Bool { get }
  /// What was moved since it was last taken.
  func takeMoved() -> MovedPoints?
  /// Moves what the last entries produced for others into the outbox: journal bytes, and, if this replica leads,
  /// deliveries.
  func takeOutputs(into outbox: inout ReplicaOutbox, leading: Bool)
  /// Some of the deliveries that are not acknowledged; the next call goes on behind them.
  func openDeliveries(from places: inout DeliveryPlaces, into outbox: inout ReplicaOutbox)
  /// Time goes on: what is kept for who reads it in parts is given up if nobody does, and by who does not lead.
  func tick(_ clock: Stamp, leading: Bool)
  /// Slots in which the machine defers what comes: see `PausedSlots`.
  var pausedSlots: [Slot] { get }
  func isPaused(_ slot: Slot) -> Bool
  /// A quota's id, by its number; empty: it is not known here.
  func quotaName(_ number: UInt32) -> [UInt8]
  /// Freezes the state for a writer on another thread.
  func beginSnapshot() -> MachineSnapshot
  /// - Parameter file: what was written of it; nil: nothing that is there.
  func endSnapshot(_ snapshot: MachineSnapshot, file: SnapshotFile?)
}

extension Machine {
  var journalWindow: Int64? { nil }
  var fault: String? { nil }
  var isForgettingEarly: Bool { false }
  func successor(of slot: Slot) -> Whereabouts? { nil }
  var holdings: SlotHoldings { SlotHoldings() }
  var isMoving: Bool { false }
  func quotaName(_ number: UInt32) -> [UInt8] { [] }
  var pausedSlots: [Slot] { [] }
  func isPaused(_ slot: Slot) -> Bool { false }
  func answered(_ command: UnsafeRawBufferPointer) -> FormerAnswer { .none }
  func takeMoved() -> MovedPoints? { nil }
  func tick(_ clock: Stamp, leading: Bool) {}
}

/// A state machine as a snapshot holds it.
public struct RestoredMachine: @unchecked Sendable {
  // Unchecked: whoever restored it hands it on and keeps nothing.
  let machine: any Machine
  /// Where its journal ends.
  package var journal: JournalChain { machine.journal }
  /// The journals of other shards that its records refer to.
  package var lineage: [JournalChain] { machine.holdings.lineage }

  /// - Parameter sources: the bodies of a whole snapshot and of the changes since, in order, down to `file`.
  package init(_ file: SnapshotFile, from sources: [some SnapshotSource], limits: LedgerLimits) throws {
    if file.shard == .directory {
      var source = sources[0]
      machine = try DirectoryMachine(restoring: &source, limits: DirectoryLimits(limits))
    } else {
      let ledger = try Ledger.restored(from: sources[0], changes: Array(sources[1...]), limits: limits)
      machine = LedgerMachine(ledger, lastIndex: file.index, base: file)
    }
  }
}

/// A frozen state on its way to a file.
public final class MachineSnapshot: @unchecked Sendable {
  /// Writes the state, or what has changed since `base`, piece by piece. Called once, on a background thread.
  package let write: (_ changesOnly: Bool, _ sink: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  /// What the machine wants back when the writer is done.
  let token: LedgerSnapshot?
  /// What it will write if it is whole; 0 where that is little, or not known.
  package let byteCount: Int
  /// The snapshot to which it knows the changes.
  package let base: SnapshotFile?
  init(
    token: LedgerSnapshot?, byteCount: Int = 0, base: SnapshotFile? = nil,
    write: @escaping (_ changesOnly: Bool, _ sink: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) {
    self.token = token
    self.byteCount = byteCount
    self.base = base
    self.write = write
  }
  /// About what it will write if it is changes only. O(pages): not for the loop.
  package var changedByteCount: Int { token?.changedByteCount ?? byteCount }
}

/// A ledger's digest right after an entry at which replicas are compared.
struct MarkerDigest {
  var index: LogIndex
  var digest: StateDigest
}

/// Answers for one edge, as they will travel: `(shard:u32 sequence:u64 length:u32 reply)*`.
package final class EdgeResults {
  package var buffer = ByteBuffer(capacity: 4096)

  package init() {}

  /// A longer answer is refused: it must fit into a frame between nodes, whoever asked for it.
  static let answerBytes = 16 << 20

  @inline(__always)
  package func append(_ shard: ShardID, _ sequence: UInt64, _ reply: UnsafeRawBufferPointer) {
    guard reply.count <= EdgeResults.answerBytes else { return refuse(shard, sequence) }
    let head = buffer.reserve(16)
    head.storeBytes(of: shard.rawValue.littleEndian, as: UInt32.self)
    head.storeBytes(of: sequence.littleEndian, toByteOffset: 4, as: UInt64.self)
    head.storeBytes(of: UInt32(truncatingIfNeeded: reply.count).littleEndian, toByteOffset: 12, as: UInt32.self)
    buffer.commit(16)
    buffer.append(reply)
  }

  private func refuse(_ shard: ShardID, _ sequence: UInt64) {
    var refusal = ReplyWriter(capacity: 128)
    // To come again would not help.
    refusal.error(
      .malformed,
      "the answer would be longer than \(EdgeResults.answerBytes >> 20) MiB: ask for less, with a lower limit=")
    append(shard, sequence, refusal.buffer.bytes)
  }

  /// How many bytes of these answers make one message: whole answers, as many as fit within the limit, at least one.
  static func wholeAnswers(of answers: UnsafeRawBufferPointer, within limit: Int) -> Int {
    guard answers.count > limit else { return answers.count }
    var end = 0
    while end < answers.count {
      let next = end + 16 + Int(answers.loadUnaligned(fromByteOffset: end + 12, as: UInt32.self))
      if end > 0 && next > limit { break }
      end = next
    }
    return end
  }
}

/// What a replica's turn has produced. The Node empties it.
struct ReplicaOutbox {
  var persist: [Persist] = []
  var messages: [Message] = []
  /// By edge.
  var results: [EdgeResults] = []
  /// Walks through the journal, and who waits for them.
  var queries: [(replyTo: ReplyTo, query: JournalQuery)] = []
  /// Repeated requests: where their first answer stands.
  var repeats: [(replyTo: ReplyTo, position: JournalPosition)] = []
  var refusals: [(edge: UInt32, epoch: UInt32, message: UInt64, leader: NodeID)] = []
  var doubts: [(edge: UInt32, epoch: UInt32, leader: NodeID)] = []
  var deliveries: [Delivery] = []
  /// Transactions that are over, which requests may have waited for.
  var answeredWaits: [TransactionID] = []
  var journal: [(position: JournalPosition, bytes: [UInt8])] = []
  var snapshotsNeeded: [SnapshotNeed] = []
  var markers: [MarkerDigest] = []
  var alarms: [String] = []
  /// What was frozen for a backup; nil: it could not be, or the stamp was missed.
  var frozen: [FrozenPart?] = []
  var figures = ReplicaFigures()
  /// Bytes of lists that were answered since the outbox was emptied.
  var listedBytes = 0
  /// Lists that come together may have so many; the rest are asked to come again.
  static let mostListedBytes = 16 << 20
  var roleChanged = false
  /// It was damaged and is whole again.
  var isRepaired = false
  /// The group has a later member on this node: this replica is to leave.
  var isSucceeded = false
  var departing = DepartingAnswers()
  /// See `Replica.isStill`.
  var isStill = false

  /// It holds messages at most.
  var isOfMessages: Bool {
    persist.isEmpty && queries.isEmpty && repeats.isEmpty && refusals.isEmpty && doubts.isEmpty && deliveries.isEmpty
      && answeredWaits.isEmpty && journal.isEmpty && snapshotsNeeded.isEmpty && markers.isEmpty && alarms.isEmpty
      && frozen.isEmpty && listedBytes == 0 && !roleChanged && !isRepaired && !isSucceeded
      && results.allSatisfy { $0.buffer.isEmpty }
  }

  @inline(__always)
  mutating func result(_ shard: ShardID, _ replyTo: ReplyTo, _ reply: UnsafeRawBufferPointer) {
    while results.count <= Int(replyTo.edge) { results.append(EdgeResults()) }
    results[Int(replyTo.edge)].append(shard, replyTo.sequence, reply)
  }
}
