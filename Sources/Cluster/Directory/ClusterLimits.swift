import Base
import Vocabulary

/// What operators set for the whole cluster. State of the directory's log: the same on all nodes.
struct ClusterLimits: Hashable, Sendable {
  /// A node that was not heard for so long is replaced (s); 0: never by itself.
  var deadAfter: Int64 = 600
  /// So many shards of a node that leaves move at once.
  var moves: Int64 = 4
  /// Bytes a second at which snapshots are sent from one node to another; 0: nobody has said, `usualRate`.
  var snapshotRate: Int64 = 0

  /// What a disk takes beside the log without anybody's noticing. CockroachDB and Cassandra have about the same.
  static let usualRate: Int64 = 32_000_000
  /// Stands for `off`: no link is so fast. (0 did, before there was a usual rate.)
  static let noRate: Int64 = 100_000_000_000

  /// Nil: as fast as the link is.
  var copyRate: Int? {
    if snapshotRate == ClusterLimits.noRate { return nil }
    return Int(snapshotRate == 0 ? ClusterLimits.usualRate : snapshotRate)
  }

  /// What is to be set. Nil: it stays.
  struct Change: Hashable, Sendable {
    var deadAfter: Int64?
    var moves: Int64?
    var snapshotRate: Int64?

    var isEmpty: Bool { deadAfter == nil && moves == nil && snapshotRate == nil }
    func encode(into buffer: inout ByteBuffer) {
      if let deadAfter { buffer.append(field: 1, zigzag: deadAfter) }
      if let moves { buffer.append(field: 2, zigzag: moves) }
      if let snapshotRate { buffer.append(field: 3, zigzag: snapshotRate) }
      buffer.appendEndOfFields()
    }
    init(deadAfter: Int64? = nil, moves: Int64? = nil, snapshotRate: Int64? = nil) {
      (self.deadAfter, self.moves, self.snapshotRate) = (deadAfter, moves, snapshotRate)
    }
    init(decoding reader: inout ByteReader) throws(MalformedBytes) {
      self.init()
      try reader.readFields(of: "the cluster's limits") { number, value throws(MalformedBytes) in
        switch number {
        case 1: deadAfter = try value.readZigzag()
        case 2: moves = try value.readZigzag()
        case 3: snapshotRate = try value.readZigzag()
        default: return false
        }
        return true
      }
      guard deadAfter.map({ $0 == 0 || Shape.span.range?.contains($0) == true }) ?? true,
        moves.map({ Shape.moveCount.range?.contains($0) == true }) ?? true,
        snapshotRate.map({ $0 == 0 || Shape.byteRate.range?.contains($0) == true }) ?? true
      else { throw MalformedBytes("a limit that is out of bounds") }
    }
  }
  /// As a snapshot has it.
  var change: Change {
    // A build that knows of no rate reads a state that has none.
    Change(deadAfter: deadAfter, moves: moves, snapshotRate: snapshotRate > 0 ? snapshotRate : nil)
  }
  mutating func take(_ change: Change) {
    deadAfter = change.deadAfter ?? deadAfter
    moves = change.moves ?? moves
    snapshotRate = change.snapshotRate ?? snapshotRate
  }

  func tell(_ reply: inout ReplyWriter) {
    reply.record()
    reply.field(.deadAfter, Shape.span.text(of: deadAfter))
    reply.field(.moves, moves)
    reply.field(.snapshotRate, Shape.byteRate.text(of: Int64(copyRate ?? 0)))
  }
}

extension RequestDesk {
  /// `CLUSTER LIMIT SHOW`, `SET dead-after=… moves=… snapshot-rate=…`: all of it is the directory's.
  func clusterLimit(_ request: Request, _ owner: EdgeItem.Owner) {
    let change = ClusterLimits.Change(
      deadAfter: request.number(.deadAfter), moves: request.number(.moves),
      snapshotRate: request.number(.snapshotRate).map { $0 == 0 ? ClusterLimits.noRate : $0 })
    switch word(request, 0) {
    case "SHOW" where change.isEmpty:
      askDirectory(owner, .query) { buffer in DirectoryMachine.append(.showLimits, to: &buffer) { _ in } }
    case "SET" where !change.isEmpty:
      // Said twice it is the same.
      askDirectory(owner, .repeatable) { buffer in
        DirectoryMachine.append(.setLimits, to: &buffer) { change.encode(into: &$0) }
      }
    default:
      answerError(
        owner, .malformed, "CLUSTER LIMIT takes SHOW, or SET dead-after=TIME|off moves=N snapshot-rate=RATE|off")
    }
  }
}
