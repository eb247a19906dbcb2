import Base
import Protocol

/// One client connection as the edge sees it: what it sent and is not answered yet, and answers in order of request.
final class Client {
  let id: ClientID
  let index: UInt32
  let generation: UInt32
  var session: Session
  /// Rendered answers on their way to the socket.
  var output = ByteBuffer(capacity: 512)
  /// Requests not answered yet, oldest first.
  private(set) var slots = Ring<Slot>()
  /// Rendered answers that wait for an earlier one.
  private var parked = ByteBuffer(capacity: 64)
  private var parkedCount = 0
  /// How far the parser is in what the shell keeps of this client.
  var framing = Framing()
  /// The last request taken is a barrier: nothing more is parsed until it is answered.
  var barrier = false
  /// The next request is a barrier, and waits until all before it is answered.
  var awaitsIdle = false
  /// Members that are being made with their cards: those alone may follow one another.
  var claims = Claims()
  var readingStopped = false
  /// It has had its share of this turn: it is read on after the flush.
  var awaitsFlush = false
  /// To be closed once all is answered and flushed.
  var closing = false
  var inDirtyList = false
  /// What it may ask.
  var grant = Grant()
  /// Whose certificate it showed while this node did not know yet who its users are.
  var certifiedUser: String?
  /// What is kept of the secret by which it signed in; nil: it did not by one.
  var secret: KeptSecret?
  /// Its user was stopped since: if that goes on, it does with the same secret alone.
  var wasStopped = false
  /// It has signed in by a session's token.
  var isBySession = false
  /// It has one of the last places, which are for operators.
  var isReserved = false

  struct Slot: BitwiseCopyable {
    var offset: Int
    /// -1 while there is no answer.
    var length: Int
    /// Records that it may be answered.
    var records: Int32
    /// Its row's: see `VerbSpec.number`.
    var verb: UInt16
  }

  init(id: ClientID, index: UInt32, generation: UInt32, session: Session) {
    self.id = id
    self.index = index
    self.generation = generation
    self.session = session
  }

  var outstanding: Int { slots.count }
  /// The records that requests not answered yet may be answered: what they may take in memory.
  private(set) var outstandingRecords = 0

  /// Takes a place in the order of answers.
  @inline(__always) func openSlot(records: Int = 0, verb: UInt16 = 0) -> UInt64 {
    let slot = slots.next
    slots.append(Slot(offset: 0, length: -1, records: Int32(truncatingIfNeeded: records), verb: verb))
    outstandingRecords += records
    return slot
  }
  @inline(__always) private func closeFirstSlot() {
    outstandingRecords -= Int(slots[slots.first].records)
    slots.removeFirst()
  }

  /// Puts an answer in its place: `render` appends it. Everything that is next in order goes to the output.
  @inline(__always) func answer(_ slot: UInt64, _ render: (inout ByteBuffer) -> Void) {
    if slot == slots.first {
      render(&output)
      closeFirstSlot()
      if parkedCount > 0 { unpark() }
    } else {
      precondition(slots.contains(slot) && slots[slot].length < 0, "a request is answered once")
      let offset = parked.count
      render(&parked)
      slots[slot].offset = offset
      slots[slot].length = parked.count - offset
      parkedCount += 1
    }
  }

  /// Answers at once, or behind what is not answered yet.
  @inline(__always) func answerNow(_ render: (inout ByteBuffer) -> Void) {
    if slots.isEmpty { render(&output) } else { answer(openSlot(), render) }
  }

  private func unpark() {
    while !slots.isEmpty {
      let slot = slots[slots.first]
      guard slot.length >= 0 else { break }
      output.append(UnsafeRawBufferPointer(rebasing: parked.bytes[slot.offset..<slot.offset + slot.length]))
      closeFirstSlot()
      parkedCount -= 1
    }
    if parkedCount == 0 {
      parked.removeAll()
      parked.shrink(to: 16_384)
    } else if parked.count > 262_144 {
      compactParked()
    }
  }

  /// Answers may stay parked for ever on a busy connection; their dead bytes may not.
  private func compactParked() {
    var live = ByteBuffer(capacity: parked.count / 2)
    for sequence in slots.first..<slots.next where slots[sequence].length >= 0 {
      let slot = slots[sequence]
      slots[sequence].offset = live.count
      live.append(UnsafeRawBufferPointer(rebasing: parked.bytes[slot.offset..<slot.offset + slot.length]))
    }
    swap(&parked, &live)
  }
}
