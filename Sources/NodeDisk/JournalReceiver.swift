import Base
import Ledger
import Storage

/// Takes in a journal from a peer, in pieces, from the end of what is here on. Whole frames alone come out, and only those that
/// follow from what was there. What is here already is passed over: others write the same bytes.
struct JournalReceiver {
  /// Where it was when it began: what is here behind that was followed, and the rest is received.
  let start: JournalChain
  /// As far as it is wanted; nil: that is not known.
  let wanted: JournalPosition?
  private(set) var chain: JournalChain
  /// The beginning of a frame.
  private var pending: [UInt8] = []

  init(after chain: JournalChain, wanted: JournalPosition? = nil) {
    start = chain
    self.chain = chain
    self.wanted = wanted
  }
  var journal: ShardID { chain.position.journal }

  /// What is here has been followed up to there.
  mutating func followed(to chain: JournalChain) { self.chain = chain }

  /// Takes the next piece; `append` is given the frames that it completes.
  mutating func take(
    _ bytes: [UInt8], at position: JournalPosition,
    append: (_ position: JournalPosition, _ frames: ArraySlice<UInt8>) throws -> Void
  ) throws {
    if pending.isEmpty && position == chain.position.nextSegment { chain.passSegment() }
    let next = chain.position.advanced(by: pending.count)
    var piece = bytes[...]
    if position.isBefore(next) {
      guard position.segment == next.segment else { return }
      piece = piece.dropFirst(Int(next.offset - position.offset))
      guard !piece.isEmpty else { return }
    } else if position != next {
      throw chain.corruption("a piece came out of turn")
    }
    let start = chain.position
    pending.append(contentsOf: piece)
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

/// The journals that come with a peer's snapshot, each by itself: those of other shards that its records refer to, as far as they
/// are not here, then the shard's own.
struct IncomingJournals {
  let shard: ShardID
  private(set) var receivers: [JournalReceiver]
  var bulk = BulkSync()
  /// How many of them have been followed to the end of what is here.
  private(set) var followedCount = 0

  /// - Parameter own: where the replica's own journal ends, as its state has it.
  init(shard: ShardID, own: JournalChain, others: [JournalReceiver]) {
    self.shard = shard
    receivers = others + [JournalReceiver(after: own)]
  }

  /// The next whose part that is here is to be followed.
  var toFollow: JournalReceiver? { followedCount < receivers.count ? receivers[followedCount] : nil }
  /// - Parameter isDone: to the end of it.
  mutating func followed(to chain: JournalChain, isDone: Bool) {
    receivers[followedCount].followed(to: chain)
    if isDone { followedCount += 1 }
  }

  /// Nil: nothing of it is received.
  func receiver(of journal: ShardID) -> JournalReceiver? { receivers.first { $0.journal == journal } }
  /// A piece of a journal of which nothing is wanted is let be.
  mutating func take(
    _ bytes: [UInt8], at position: JournalPosition,
    append: (_ position: JournalPosition, _ frames: ArraySlice<UInt8>) throws -> Void
  ) throws {
    guard let place = receivers.firstIndex(where: { $0.journal == position.journal }) else { return }
    try receivers[place].take(bytes, at: position, append: append)
  }
}
