import Base
import Raft

/// Heartbeats of groups and their answers, on their way to one peer: those of a turn leave in one message, and those whose answer
/// nobody waits for in this node's next beat.
struct Heartbeats: ~Copyable {
  private var urgent = ByteBuffer(capacity: 256)
  private var waiting = ByteBuffer(capacity: 256)

  var areUrgent: Bool { !urgent.isEmpty }
  var isEmpty: Bool { urgent.isEmpty && waiting.isEmpty }

  mutating func add(_ message: Message, of shard: ShardID) {
    if message.mayWait {
      message.encode(heartbeatOf: shard, into: &waiting)
    } else {
      message.encode(heartbeatOf: shard, into: &urgent)
    }
  }
  /// Moves those that are urgent into the buffer.
  mutating func takeUrgent(into buffer: inout ByteBuffer) {
    buffer.append(urgent.bytes)
    urgent.removeAll()
  }
  /// Moves all into the buffer.
  mutating func takeAll(into buffer: inout ByteBuffer) {
    takeUrgent(into: &buffer)
    buffer.append(waiting.bytes)
    waiting.removeAll()
  }
}

extension Message {
  /// Appends a heartbeat, or an answer to one, without what the link tells, or what no heartbeat has:
  ///
  ///     heartbeat = shard:varint flags:u8 from:varint to:varint term:varint context:varint commit:varint [life:varint index:varint]
  ///     flags     = 1 answer | 2 may wait | 4 damaged | 8 fenced | 16 life and index follow
  ///
  /// `from` and `to` are births.
  func encode(heartbeatOf shard: ShardID, into buffer: inout ByteBuffer) {
    let isAnswer = kind == .heartbeatReply
    let hasLife = life != 0 || index.rawValue != 0
    buffer.append(varint: UInt64(shard.rawValue))
    buffer.append(
      UInt8(isAnswer ? 1 : 0) | (mayWait ? 2 : 0) | (isDamaged ? 4 : 0) | (isFenced ? 8 : 0) | (hasLife ? 16 : 0))
    buffer.append(varint: from.born)
    buffer.append(varint: to.born)
    buffer.append(varint: term.rawValue)
    buffer.append(varint: context)
    buffer.append(varint: commit.rawValue)
    if hasLife {
      buffer.append(varint: life)
      buffer.append(varint: index.rawValue)
    }
  }

  /// Reads what `encode(heartbeatOf:)` wrote.
  static func decode(
    heartbeat reader: inout ByteReader, from sender: NodeID, to receiver: NodeID
  ) throws(MalformedBytes) -> (shard: ShardID, message: Message) {
    guard let shard = UInt32(exactly: try reader.readVarint()) else { throw MalformedBytes("a heartbeat of no shard") }
    let flags = try reader.read(UInt8.self)
    guard flags < 32 else { throw MalformedBytes("a heartbeat with unknown flags") }
    let from = ReplicaID(node: sender, born: try reader.readVarint())
    let to = ReplicaID(node: receiver, born: try reader.readVarint())
    guard from.born > 0, to.born > 0 else { throw MalformedBytes("a heartbeat of a replica that was never born") }
    let term = Term(try reader.readVarint())
    let context = try reader.readVarint()
    let commit = LogIndex(try reader.readVarint())
    var message = Message(
      flags & 1 != 0 ? .heartbeatReply : .heartbeat, from: from, to: to, term: term, commit: commit, context: context)
    message.mayWait = flags & 2 != 0
    message.isDamaged = flags & 4 != 0
    message.isFenced = flags & 8 != 0
    if flags & 16 != 0 {
      message.life = try reader.readVarint()
      message.index = LogIndex(try reader.readVarint())
    }
    guard term.rawValue < 1 << 62, message.index.rawValue < 1 << 62 else {
      throw MalformedBytes("a heartbeat with an index or a term out of range")
    }
    return (ShardID(shard), message)
  }
}

extension Peer {
  /// At each turn's end: heartbeats and answers that somebody waits for.
  func sayHeartbeats() {
    guard heartbeats.areUrgent else { return }
    say(.heartbeats) { heartbeats.takeUrgent(into: &$0) }
  }

  /// All that a peer is told ten times a second, in one message: fields, of which a reader passes over those that it does not know.
  func say(beat status: NodeStatus, _ condition: NodeCondition, now: Moment, isOff: Bool) {
    say(.beat) { buffer in
      buffer.append(field: 1) { status.encode(into: &$0) }
      buffer.append(field: 2) { appendClock(to: &$0, now: now, isOff: isOff) }
      buffer.append(field: 3) { condition.encode(into: &$0) }
      if !heartbeats.isEmpty { buffer.append(field: 4) { heartbeats.takeAll(into: &$0) } }
      if let word = received.takeWord() { buffer.append(field: 5) { $0.append(word) } }
      buffer.appendEndOfFields()
    }
  }
}
