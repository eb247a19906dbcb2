import Base
import Ledger

/// Takes in a peer's journal, in pieces, from the end of our own on. Whole frames alone come out, and only those that
/// follow from what was there: what is once in the journal is never taken back.
struct JournalReceiver {
  private(set) var chain: JournalChain
  /// The beginning of a frame.
  private var pending: [UInt8] = []

  init(after chain: JournalChain) { self.chain = chain }

  /// Takes the next piece; `append` is given the frames that it completes.
  mutating func take(
    _ bytes: [UInt8], at position: JournalPosition,
    append: (_ position: JournalPosition, _ frames: ArraySlice<UInt8>) throws -> Void
  ) throws {
    if pending.isEmpty && position == chain.position.nextSegment { chain.passSegment() }
    guard position == chain.position.advanced(by: pending.count) else {
      throw chain.corruption("a piece came out of turn")
    }
    let start = chain.position
    pending.append(contentsOf: bytes)
    var passed = 0
    try pending.withUnsafeBytes { raw in
      while let count = try chain.frameByteCount(UnsafeRawBufferPointer(rebasing: raw[passed...])),
        passed + count <= raw.count
      {
        try chain.pass(UnsafeRawBufferPointer(rebasing: raw[passed..<passed + count]))
        passed += count
      }
    }
    guard passed > 0 else { return }
    try append(start, pending[..<passed])
    pending.removeFirst(passed)
  }
}
