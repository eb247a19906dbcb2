import Base
import Ledger

/// A shard's state and journals on their way here, piece by piece, each asked for. Its owner asks for what `next` says, writes what
/// `take` gives, and says when that is written.
struct BackupPull {
  enum Phase: Equatable {
    /// The state is not written yet where it was frozen, as far as is known.
    case waiting
    /// Where what comes is written is being opened.
    case opening
    case state
    case journal
    case complete
  }
  /// What is to be written.
  enum Piece: Equatable {
    case state(offset: UInt64, [UInt8])
    case journal(position: JournalPosition, [UInt8])
  }
  let shard: ShardID
  /// How many bytes a piece has.
  let pieceBytes: Int
  private(set) var phase = Phase.waiting
  private(set) var head: BackupHead?
  /// The next that is to be asked for, and the next that is to come.
  private var asked: UInt64 = 0
  private var route = JournalRoute(from: [], to: [])
  private var position: JournalPosition?
  /// Pieces that were asked for and are not written.
  private(set) var underWay = 0

  /// So many pieces are asked for at once: a way that is long carries them meanwhile.
  static let window = 4

  init(_ shard: ShardID, pieceBytes: Int) {
    self.shard = shard
    self.pieceBytes = pieceBytes
  }

  /// The state is there to be asked for.
  mutating func found(_ head: BackupHead) {
    guard phase == .waiting else { return }
    self.head = head
    phase = .opening
  }
  /// The disk is ready for the bytes from there on.
  /// - Parameter starts: from where on journals are wanted. Of one that the head names and this does not, nothing is.
  mutating func opened(stateFrom offset: UInt64, journalsFrom starts: [JournalPosition]) {
    guard phase == .opening, let head else { return }
    asked = min(offset, head.byteCount)
    route = JournalRoute(from: starts, to: head.lineage + [head.journalEnd])
    position = route.start
    phase = .state
    advance()
  }

  /// What is to be asked for now. It counts as asked for.
  mutating func next() -> BackupRead? {
    guard let head else { return nil }
    switch phase {
    case .state:
      guard underWay < BackupPull.window, asked < head.byteCount else { return nil }
      defer { asked += UInt64(pieceBytes) }
      underWay += 1
      return BackupRead(shard, .state, at: asked)
    case .journal:
      guard underWay == 0, let position else { return nil }
      underWay = 1
      return BackupRead(shard, .journal, at: position.rawValue)
    case .waiting, .opening, .complete: return nil
    }
  }

  /// A piece has come. Nil: it is not what was asked for, and no more can be had.
  mutating func take(_ read: BackupRead, _ bytes: [UInt8]) -> Piece? {
    guard let head, underWay > 0, read.shard == shard else { return nil }
    switch (read.what, phase) {
    case (.state, .state):
      guard UInt64(bytes.count) == min(UInt64(pieceBytes), head.byteCount - min(read.position, head.byteCount)) else {
        return nil
      }
      return .state(offset: read.position, bytes)
    case (.journal, .journal):
      guard let start = position, read.position == start.rawValue, let end = route.end(of: start.journal) else {
        return nil
      }
      var piece = bytes[...]
      if start.segment == end.segment { piece = piece.prefix(Int(end.offset - min(start.offset, end.offset))) }
      // A short piece ends a segment.
      let isEnd = bytes.count < pieceBytes && start.segment < end.segment
      guard isEnd || !piece.isEmpty else { return nil }
      position = route.next(from: isEnd ? start.nextSegment : start.advanced(by: piece.count))
      return .journal(position: start, Array(piece))
    default: return nil
    }
  }
  /// A piece is written, or was empty.
  mutating func written() {
    underWay -= min(underWay, 1)
    advance()
  }
  private mutating func advance() {
    guard let head, underWay == 0 else { return }
    if phase == .state, asked >= head.byteCount { phase = .journal }
    if phase == .journal, position == nil { phase = .complete }
  }
}
