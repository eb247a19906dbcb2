import Base
import Vocabulary

/// A change of an entry as the directory's journal has it, for ever: the entry's records link backwards, as a member's do.
///
///     0   CRC-32C of what follows               u32
///     4   bytes of the whole record             u32
///     8   the entry's record before this one    u64
///     16  its newest mark before this one       u64
///     24  fields, see Base/Fields: 1 kind  2 the entry's number  3 the change, as a snapshot has it
///         4 numbers (varints) of the fields that it changed too and that are kept out of the journal
///         5 of a mark: the entry as it was then, folded: see `EntryItem.folded`
///
/// Every `interval`th version is a mark. A search for an old version goes from mark to mark, and a question of what the
/// entry was needs nothing before the first mark that is old enough. A mark whose folded entry is long has none.
struct ChangeRecord {
  var previous: JournalPosition
  var mark: JournalPosition
  /// The kind's number, and the entry's among those of its kind.
  var kind: Int
  var entry: Int
  /// Without the fields that are kept out of the journal.
  var change: EntryItem.Change
  /// Those, by number.
  var hidden: [Int] = []
  var folded: EntryItem?

  /// No less than changes of an entry may be announced: see `EntryPast`.
  static let interval: UInt32 = 64
  static let longestFolded = 16_384
  /// A change is said in a line of 64 KiB.
  static let maximumByteCount = 131_072

  static func isMark(_ version: UInt32) -> Bool { version % interval == 0 }
  /// The number of the newest mark before a version; 0: there is none.
  static func mark(before version: UInt32) -> UInt32 { version == 0 ? 0 : (version - 1) / interval * interval }

  init(
    of change: EntryItem.Change, kind: Int, entry: Int, previous: JournalPosition, mark: JournalPosition
  ) {
    self.change = change
    self.kind = kind
    self.entry = entry
    self.previous = previous
    self.mark = mark
  }

  /// Leaves out fields, and says of those that the change said that it did.
  mutating func keepOut(_ fields: [Int]) {
    hidden = fields.filter(change.values.has)
    change.values = change.values.filtered { !fields.contains($0) }
    guard var folded else { return }
    for place in folded.changes.indices {
      folded.changes[place].values = folded.changes[place].values.filtered { !fields.contains($0) }
    }
    self.folded = folded
  }

  func encode(into buffer: inout ByteBuffer) {
    let start = buffer.count
    buffer.append(UInt32(0))
    buffer.append(UInt32(0))
    buffer.append(previous.rawValue)
    buffer.append(mark.rawValue)
    buffer.append(field: 1, zigzag: Int64(kind))
    buffer.append(field: 2, zigzag: Int64(entry))
    buffer.append(field: 3) { change.encode(into: &$0) }
    if !hidden.isEmpty {
      buffer.append(field: 4) { list in for number in hidden { list.append(varint: UInt64(number)) } }
    }
    if let folded {
      var bytes = ByteBuffer(capacity: 512)
      folded.encode(into: &bytes)
      if bytes.count <= ChangeRecord.longestFolded { buffer.append(field: 5, bytes.bytes) }
    }
    buffer.appendEndOfFields()
    buffer.endRecord(start)
  }
  /// Throws if it is cut, or fails the checksum.
  init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    let crc: UInt32 = try reader.read()
    guard Int(try reader.read(UInt32.self)) == bytes.count,
      CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[4...])) == crc
    else { throw MalformedBytes("a record fails its checksum") }
    previous = JournalPosition(rawValue: try reader.read())
    mark = JournalPosition(rawValue: try reader.read())
    var (kind, entry) = (0, 0)
    var change: EntryItem.Change?
    var hidden: [Int] = []
    var folded: EntryItem?
    try reader.readFields(of: "a change in the journal") { number, value throws(MalformedBytes) in
      switch number {
      case 1: kind = Int(try value.readSmall(UInt16.self))
      case 2: entry = Int(try value.readSmall(UInt32.self))
      case 3: change = try EntryItem.Change(decoding: &value)
      case 4: while !value.isAtEnd { hidden.append(Int(truncatingIfNeeded: try value.readVarint())) }
      case 5: folded = try EntryItem(decoding: &value)
      default: return false
      }
      return true
    }
    try reader.finish()
    guard let change else { throw MalformedBytes("a record without a change") }
    (self.kind, self.entry, self.change, self.hidden, self.folded) = (kind, entry, change, hidden, folded)
  }
}
