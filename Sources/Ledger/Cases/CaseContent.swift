import Base

/// The raw value is part of the state: never change one, only add.
enum CaseKind: UInt8, CaseIterable, Sendable {
  case adjustment = 0
  case dispute = 1
  case abuse = 2
  case `return` = 3

  var word: String { "\(self)" }
  var firstState: CaseState { self == .adjustment ? .waiting : .open }
}
enum CaseState: UInt8, CaseIterable, Sendable {
  case open = 0
  case waiting = 1
  case approved = 2
  case rejected = 3

  var word: String { "\(self)" }
  var isOver: Bool { self == .approved || self == .rejected }
}

/// What a member's bond says of a case: the member, its number and this are all that is known of it.
///
///     field* 0, see Base/Fields
struct CaseContent: Hashable {
  var kind = CaseKind.dispute
  var state = CaseState.open
  var at = Stamp.zero
  /// The user who opened it; empty: anybody.
  var by: [UInt8] = []
  var reason: [UInt8] = []
  /// Asked for; 0: all that is left.
  var points: Points = 0
  var isUp = false
  var program = ProgramRef.none
  /// The purchase that it is about.
  var of = TransactionID.none
  /// By which its points are held.
  var hold = TransactionID.none
  var decidedBy: [UInt8] = []
  var decidedAt = Stamp.zero
  /// Counted texts.
  var notes: [[UInt8]] = []

  static let mostNoteBytes = 8_192
  /// Of a member; where there are as many the oldest that is over makes room.
  static let mostOfMember = 64

  init() {}
  var encoded: [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(field: 1, zigzag: Int64(kind.rawValue))
    buffer.append(field: 2, zigzag: Int64(state.rawValue))
    buffer.append(field: 3, zigzag: at.microseconds)
    if !by.isEmpty { buffer.append(field: 4, by) }
    buffer.append(field: 5, reason)
    buffer.append(field: 6, zigzag: points.rawValue)
    buffer.append(field: 7, zigzag: isUp ? 1 : 0)
    if !program.isNone { buffer.append(field: 8, zigzag: Int64(program.place)) }
    if of != .none { buffer.append(field: 9, zigzag: Int64(bitPattern: of.rawValue)) }
    if hold != .none { buffer.append(field: 10, zigzag: Int64(bitPattern: hold.rawValue)) }
    if !decidedBy.isEmpty { buffer.append(field: 11, decidedBy) }
    if decidedAt != .zero { buffer.append(field: 12, zigzag: decidedAt.microseconds) }
    if !notes.isEmpty {
      buffer.append(field: 13) { list in for note in notes { note.withUnsafeBytes { list.append(counted: $0) } } }
    }
    buffer.appendEndOfFields()
    return buffer.array
  }
  init(decoding bytes: [UInt8]) throws(MalformedBytes) {
    let content = bytes.withUnsafeBytes { try? CaseContent.read($0) }
    guard let content else { throw MalformedBytes("a case that cannot be read") }
    self = content
  }
  private static func read(_ bytes: UnsafeRawBufferPointer) throws(MalformedBytes) -> CaseContent {
    var content = CaseContent()
    var reader = ByteReader(bytes)
    try reader.readFields(of: "a case") { number, value throws(MalformedBytes) in
      switch number {
      case 1: content.kind = CaseKind(rawValue: UInt8(truncatingIfNeeded: try value.readZigzag())) ?? .dispute
      case 2: content.state = CaseState(rawValue: UInt8(truncatingIfNeeded: try value.readZigzag())) ?? .open
      case 3: content.at = Stamp(microseconds: try value.readZigzag())
      case 4: content.by = Array(try value.readBytes(value.remaining))
      case 5: content.reason = Array(try value.readBytes(value.remaining))
      case 6: content.points = Points(try value.readZigzag())
      case 7: content.isUp = try value.readZigzag() == 1
      case 8: content.program = ProgramRef(place: Int(UInt16(truncatingIfNeeded: try value.readZigzag())))
      case 9: content.of = TransactionID(rawValue: UInt64(bitPattern: try value.readZigzag()))
      case 10: content.hold = TransactionID(rawValue: UInt64(bitPattern: try value.readZigzag()))
      case 11: content.decidedBy = Array(try value.readBytes(value.remaining))
      case 12: content.decidedAt = Stamp(microseconds: try value.readZigzag())
      case 13: while !value.isAtEnd { content.notes.append(Array(try value.readCounted())) }
      default: return false
      }
      return true
    }
    return content
  }
}

extension TransactionID {
  var text: String { "\(slot.rawValue)-\(sequence)" }
}
