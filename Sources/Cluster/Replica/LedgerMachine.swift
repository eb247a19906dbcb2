import Base
import Ledger
import Storage

/// A command or a query in its frame: `byteCount:u32`, then that many bytes.
enum Envelope {
  /// The next one, frame included, in place.
  @inline(__always)
  static func next(_ reader: inout ByteReader) throws(MalformedBytes) -> UnsafeRawBufferPointer {
    let start = reader.offset
    let count = try reader.read(UInt32.self)
    _ = try reader.readBytes(Int(count))
    return UnsafeRawBufferPointer(rebasing: reader.bytes[start..<reader.offset])
  }
}

/// A ledger's shard as a `Machine`.
final class LedgerMachine: Machine {
  private var ledger: Ledger
  /// The last entry of any kind: the ledger itself sees only those with commands.
  private(set) var lastIndex: LogIndex
  private var markers: [MarkerDigest] = []
  /// The entry that is being applied, and where the journal ended before it.
  private var open: (index: LogIndex, journalEnd: JournalPosition)?
  /// The snapshot that was last written of it, or from which it was read.
  private var base: SnapshotFile?
  /// Of all members, for who asks for them page by page.
  private var view: HeldView?
  var hasView: Bool { view != nil }
  /// The last entry asks for one.
  private var isViewAsked = false

  init(_ ledger: consuming Ledger, lastIndex: LogIndex, base: SnapshotFile? = nil) {
    self.ledger = ledger
    self.lastIndex = lastIndex
    self.base = base
  }

  var shard: ShardID { ledger.shard }
  var lastStamp: Stamp { ledger.lastStamp }
  var catalogueVersion: UInt32 { ledger.catalogueVersion }
  var semantics: UInt8 { ledger.semantics }
  var ownership: (slots: SlotRanges, epoch: UInt64) { (ledger.ranges, ledger.epoch) }
  var firstSlot: Slot { ledger.ranges.first ?? Slot(0) }
  var hashKey: HashKey { ledger.hashKey }
  var slots: SlotRanges { ledger.ranges }
  var epoch: UInt64 { ledger.epoch }
  var backupFigures: BackupFigures { BackupFigures(of: ledger) }
  var nextDeadline: Stamp? { ledger.nextDeadline }
  var fault: String? { ledger.fault }
  var digest: (UInt64, UInt64) { ledger.digest }
  var journalEnd: JournalPosition { ledger.journalEnd }
  var journalChain: SHA256.Digest { ledger.journalChain }
  var journal: JournalChain { JournalChain(position: journalEnd, hash: journalChain) }
  var journalWindow: Int64? { ledger.journalWindow }
  var memoryByteCount: Int { ledger.memoryByteCount }
  var spareByteCount: Int { ledger.spareByteCount }
  var memberCount: UInt64 { ledger.memberCount }
  func checkInvariants() throws { try ledger.checkInvariants() }
  func checkBalances() throws { try ledger.checkBalances() }

  func skip(_ index: LogIndex) { lastIndex = index }
  func begin(_ payload: UnsafeRawBufferPointer, index: LogIndex) -> EntryCursor {
    open = (index, ledger.journalEnd)
    return ledger.begin(payload: payload, index: index)
  }
  func apply(
    _ payload: UnsafeRawBufferPointer, from cursor: inout EntryCursor, until limit: Int, work: inout Int,
    into reply: inout ReplyWriter,
    each: (_ place: Int, _ outcome: Outcome, _ start: Int, _ reply: inout ReplyWriter) -> Void
  ) -> Bool {
    guard ledger.apply(payload, from: &cursor, until: limit, work: &work, into: &reply, each: each) else {
      return false
    }
    if let open { lastIndex = open.index }
    open = nil
    // An audit's marker stands alone in its entry.
    let first = UnsafeRawBufferPointer(rebasing: payload.dropFirst(EntryHeader.size))
    let isMarker = CommandHeader.verb(of: first) == .marker
    if isMarker { isViewAsked = Command.asksForView(first) }
    if isMarker || lastIndex.rawValue % DigestComparison.interval == 0 { noteDigest() }
    return true
  }
  private func noteDigest() {
    let digest = ledger.digest
    let chain = ledger.journalChain.a
    markers.append(MarkerDigest(index: lastIndex, digest: StateDigest(a: digest.0, b: digest.1, chain: chain)))
  }
  /// Its birth again, which says nothing new: a tick would count as much work.
  func appendNothing(to buffer: inout ByteBuffer) {
    Command.appendBirth(to: &buffer, key: ledger.hashKey, ranges: ledger.ranges, epoch: ledger.epoch)
  }
  func grows(by command: UnsafeRawBufferPointer) -> Bool { CommandHeader.makesStateGrow(command) }
  var isForgettingEarly: Bool { ledger.isRequestRoomFull }
  func answered(_ command: UnsafeRawBufferPointer) -> FormerAnswer {
    let answer = ledger.answered(command)
    // What is decided in an entry that is not over has not been answered yet.
    if let open, case .stands(let position) = answer, !position.mayPrecede(open.journalEnd) { return .none }
    return answer
  }
  func successor(of slot: Slot) -> Whereabouts? { ledger.successor(of: slot) }
  var pausedSlots: [Slot] { ledger.pausedSlots }
  func isPaused(_ slot: Slot) -> Bool { ledger.isPaused(slot) }
  func quotaName(_ number: UInt32) -> [UInt8] { ledger.quotaName(number) }
  var holdings: SlotHoldings {
    SlotHoldings(
      epoch: ledger.epoch, slots: ledger.ranges, moving: ledger.openExport,
      hasBooks: ledger.ranges.isEmpty && ledger.hasBooks,
      lineage: ledger.lineage)
  }
  var isMoving: Bool { ledger.openExport != nil }
  /// Of the parcel that is open: the shard's epoch after its export; nil: none is.
  var openParcel: UInt64? { ledger.openExport?.epoch }
  var partsAtOnce: Int { ledger.limits.partsAtOnce }
  /// Some of its parts; `part` is 0 after the last.
  func parts(ofParcel epoch: UInt64, from part: inout Int, into outbox: inout ReplicaOutbox) {
    ledger.parts(ofParcel: epoch, from: &part) { outbox.deliveries.append($0) }
  }
  var slotsTaken: [SlotsTaken] { ledger.importMarks.map { SlotsTaken(source: $0.source, epoch: $0.epoch) } }
  var hasBooks: Bool { ledger.hasBooks }
  var isCounting: Bool { ledger.isCounting }
  /// As the tick's part of a census. The leader's, which has the first slots go, goes slower than those of its followers, for
  /// whom an export would otherwise wait until they have made the rest.
  func advanceCensus(leading: Bool) -> Bool {
    ledger.advanceCensus(limit: leading ? LedgerMachine.countedAtOnce * 3 / 4 : LedgerMachine.countedAtOnce)
  }
  func dropCensus() { ledger.dropCensus() }
  func nextBatch(of slots: Range<Int>) -> Range<Int>? { ledger.nextBatch(of: slots, bytes: LedgerMachine.batchBytes) }
  func firstAnswer(at position: JournalPosition) -> JournalQuery? { ledger.firstAnswer(at: position) }
  func read(_ query: UnsafeRawBufferPointer, into reply: inout ReplyWriter) -> ReadOutcome {
    guard let page = MemberPageQuery(query), page.moment != nil else { return ledger.read(query, into: &reply) }
    if view?.answer(page, into: &reply) ?? HeldView.refuse(&reply) { closeView() }
    return .replied
  }
  func tick(_ clock: Stamp, leading: Bool) {
    guard let view, !leading || view.isOver(clock) else { return }
    closeView()
  }
  /// Opens a view behind the entry that asks for it; one that somebody reads goes before.
  private func openView() {
    guard view?.isTaken != true else { return }
    closeView()
    view = ledger.openView().map { HeldView($0) }
  }
  private func closeView() {
    guard hasView else { return }
    view = nil
    ledger.closeView()
  }
  func audit(into reply: inout ReplyWriter) { ledger.audit(into: &reply) }

  func takeMoved() -> MovedPoints? { ledger.takeMoved() }
  func takeOutputs(into outbox: inout ReplicaOutbox, leading: Bool) {
    ledger.takeJournal { position, bytes in outbox.journal.append((position, Array(bytes))) }
    if !markers.isEmpty {
      outbox.markers.append(contentsOf: markers)
      markers.removeAll()
    }
    let deliveries = ledger.takeDeliveries()
    if leading { outbox.deliveries.append(contentsOf: deliveries) }
    outbox.answeredWaits.append(contentsOf: ledger.takeAnsweredWaits())
    if isViewAsked, leading { openView() }
    isViewAsked = false
  }
  /// As many at once as some milliseconds' work: while another shard takes nothing they may be any number.
  private static let deliveriesAtOnce = 4_096
  /// About so many bytes of state move at once: what a few milliseconds take out and put in, and a link carries in some more.
  private static let batchBytes = 256 << 10
  /// Records that a census looks at at once: about a millisecond's work.
  private static let countedAtOnce = 32_768
  func openDeliveries(from places: inout DeliveryPlaces, into outbox: inout ReplicaOutbox) {
    ledger.openDeliveries(from: &places, limit: LedgerMachine.deliveriesAtOnce) { outbox.deliveries.append($0) }
  }

  func beginSnapshot() -> MachineSnapshot {
    let frozen = ledger.beginSnapshot()
    return MachineSnapshot(
      token: frozen, byteCount: frozen.byteCount, base: frozen.canTellChanges ? base : nil
    ) { try frozen.write(changesOnly: $0, to: $1) }
  }
  func endSnapshot(_ snapshot: MachineSnapshot, file: SnapshotFile?) {
    guard let token = snapshot.token else { return }
    ledger.endSnapshot(token, isKept: file != nil)
    if let file { base = file }
  }
}
