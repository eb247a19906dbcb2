import Base
import Raft

/// A change of the cluster that takes time, as the directory keeps it: it goes on when whoever asked is gone, and under each
/// leader of the directory. Plain values; what a kind of operation does is in its own file (see `OperationPlan`).
struct Operation: Hashable, Sendable {
  /// The number of an `OperationPlan` that this build knows.
  struct Kind: Hashable, Sendable {
    let rawValue: UInt16
  }
  enum State: UInt8, Sendable {
    /// Something is in the way, which `text` names.
    case waiting = 1
    case running = 2
    case done = 3
    case failed = 4
    case cancelled = 5

    var isOver: Bool { self != .waiting && self != .running }
  }
  /// From 1, in the order in which they began.
  var number: UInt64
  var kind: Kind
  /// What the kind wrote down as it began.
  var params: [UInt8]
  /// The name of whoever asked for it.
  var by: String
  var started: Stamp
  var state = State.waiting
  /// How many of its steps are done.
  var step: UInt32 = 0
  /// Of the group that it changes: the version of the configuration from which the present step goes on. The group's
  /// leader finds that version, or does nothing; of a shard that is split: its epoch. 0: the step changes none.
  var expects: UInt64 = 0
  /// How often it was planned anew.
  var attempt: UInt32 = 0
  /// Shards that belong to this operation alone while it is under way; sorted.
  var holds: [ShardID] = []
  /// The number of the shard that it makes; the directory's: it makes none.
  var heir = ShardID.directory
  /// What it waits for, how it failed, or what it came to.
  var text = ""
  /// When it was over.
  var ended = Stamp.zero
  /// Rises with each change of this record: a change says which it has seen, so that it happens once.
  var revision: UInt32 = 0

  /// Whose doing is what the cluster begins by itself.
  static let cluster = "auto"
  /// A record's text is no longer than that, in bytes.
  static let longestText = 1_000

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: number))
    buffer.append(field: 2, zigzag: Int64(kind.rawValue))
    buffer.append(field: 3, params)
    buffer.append(field: 4) { $0.append(utf8: by) }
    buffer.append(field: 5, zigzag: started.microseconds)
    buffer.append(field: 6, zigzag: Int64(state.rawValue))
    buffer.append(field: 7, zigzag: Int64(step))
    buffer.append(field: 8, zigzag: Int64(attempt))
    buffer.append(field: 10) { list in for shard in holds { list.append(shard.rawValue) } }
    buffer.append(field: 11) { $0.append(utf8: text) }
    buffer.append(field: 12, zigzag: ended.microseconds)
    buffer.append(field: 13, zigzag: Int64(revision))
    if expects > 0 { buffer.append(field: 14, zigzag: Int64(bitPattern: expects)) }
    if heir != .directory { buffer.append(field: 15, zigzag: Int64(heir.rawValue)) }
    buffer.appendEndOfFields()
  }
  init(number: UInt64, kind: Kind, params: [UInt8], by: String, started: Stamp) {
    self.number = number
    self.kind = kind
    self.params = params
    self.by = by
    self.started = started
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(number: 0, kind: Kind(rawValue: 0), params: [], by: "", started: .zero)
    try reader.readFields(of: "an operation") { number, value throws(MalformedBytes) in
      switch number {
      case 1: self.number = UInt64(bitPattern: try value.readZigzag())
      case 2:
        guard let known = Kind(number: try value.readSmall()) else {
          throw MalformedBytes("an operation of an unknown kind: a newer build wrote it")
        }
        kind = known
      case 3: params = Array(try value.readBytes(value.remaining))
      case 4: by = try value.readText()
      case 5: started = Stamp(microseconds: try value.readZigzag())
      case 6:
        guard let known = State(rawValue: try value.readSmall()) else {
          throw MalformedBytes("an operation in an unknown state")
        }
        state = known
      case 7: step = try value.readSmall()
      case 8: attempt = try value.readSmall()
      // Epochs of shards, which nothing went by.
      case 9: while !value.isAtEnd { _ = try value.readVarint() }
      case 10: while !value.isAtEnd { holds.append(ShardID(try value.read())) }
      case 11: text = try value.readText()
      case 12: ended = Stamp(microseconds: try value.readZigzag())
      case 13: revision = try value.readSmall()
      case 14: expects = UInt64(bitPattern: try value.readZigzag())
      case 15: heir = ShardID(try value.readSmall())
      default: return false
      }
      return true
    }
  }
}
