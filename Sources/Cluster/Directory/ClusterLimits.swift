import Base
import Vocabulary

/// What operators set for the whole cluster. State of the directory's log: the same on all nodes.
struct ClusterLimits: Hashable, Sendable {
  /// A node that was not heard for so long is replaced (s); 0: never by itself.
  var deadAfter: Int64 = 600
  /// So many shards of a node that leaves move at once.
  var moves: Int64 = 4

  /// What is to be set. Nil: it stays.
  struct Change: Hashable, Sendable {
    var deadAfter: Int64?
    var moves: Int64?

    func encode(into buffer: inout ByteBuffer) {
      if let deadAfter { buffer.append(field: 1, zigzag: deadAfter) }
      if let moves { buffer.append(field: 2, zigzag: moves) }
      buffer.appendEndOfFields()
    }
    init(deadAfter: Int64?, moves: Int64?) { (self.deadAfter, self.moves) = (deadAfter, moves) }
    init(decoding reader: inout ByteReader) throws(MalformedBytes) {
      self.init(deadAfter: nil, moves: nil)
      try reader.readFields(of: "the cluster's limits") { number, value throws(MalformedBytes) in
        switch number {
        case 1: deadAfter = try value.readZigzag()
        case 2: moves = try value.readZigzag()
        default: return false
        }
        return true
      }
      guard deadAfter.map({ $0 == 0 || Shape.span.range?.contains($0) == true }) ?? true,
        moves.map({ Shape.moveCount.range?.contains($0) == true }) ?? true
      else { throw MalformedBytes("a limit that is out of bounds") }
    }
  }
  /// As a snapshot has it.
  var change: Change { Change(deadAfter: deadAfter, moves: moves) }
  mutating func take(_ change: Change) {
    deadAfter = change.deadAfter ?? deadAfter
    moves = change.moves ?? moves
  }

  func tell(_ reply: inout ReplyWriter) {
    reply.record()
    reply.field(.deadAfter, Shape.span.text(of: deadAfter))
    reply.field(.moves, moves)
  }
}

extension RequestDesk {
  /// `CLUSTER LIMIT SHOW`, `SET dead-after=… moves=…`: all of it is the directory's.
  func clusterLimit(_ request: Request, _ owner: EdgeItem.Owner) {
    let change = ClusterLimits.Change(deadAfter: request.number(.deadAfter), moves: request.number(.moves))
    let isEmpty = change.deadAfter == nil && change.moves == nil
    switch word(request, 0) {
    case "SHOW" where isEmpty:
      askDirectory(owner, .query) { buffer in DirectoryMachine.append(.showLimits, to: &buffer) { _ in } }
    case "SET" where !isEmpty:
      // Said twice it is the same.
      askDirectory(owner, .repeatable) { buffer in
        DirectoryMachine.append(.setLimits, to: &buffer) { change.encode(into: &$0) }
      }
    default: answerError(owner, .malformed, "CLUSTER LIMIT takes SHOW, or SET dead-after=TIME|off moves=N")
    }
  }
}
