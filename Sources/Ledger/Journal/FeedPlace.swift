import Base

/// A place between two records of a journal.
public struct FeedPlace: Hashable, Sendable {
  /// Where a frame begins, or the next one will.
  public var frame: JournalPosition
  /// So many bytes of it are behind; 0: none.
  public var inner: UInt32

  public init(frame: JournalPosition, inner: UInt32 = 0) { (self.frame, self.inner) = (frame, inner) }
  /// Where a shard's journal begins.
  public init(beginningOf journal: ShardID) { self.init(frame: JournalPosition(beginningOf: journal)) }
  public var journal: ShardID { frame.journal }

  /// Whether a journal that ends there, between two frames, has nothing behind this place.
  public func isEnd(_ end: JournalPosition) -> Bool {
    inner == 0 && (frame == end || frame == end.nextSegment)
  }
}

/// Which kinds of records are wanted.
public struct FeedKinds: Hashable, Sendable {
  /// A bit for each raw value of `RecordKind`; bit 0: changes of entries.
  public private(set) var bits: UInt64

  public init(bits: UInt64) { self.bits = bits }
  public static let all = FeedKinds(bits: .max)
  static let change = "change"

  /// Those that a text names, with commas between; nil: it names something else.
  public init?(_ text: String) {
    bits = 0
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let bit = FeedKinds.bit(word) else { return nil }
      bits |= 1 << bit
    }
  }
  private static func bit(_ word: Substring) -> UInt8? {
    if word == change { return 0 }
    return words.first { $0.word == word }?.bit
  }
  private static let words: [(bit: UInt8, word: String)] = (1..<64).compactMap { raw in
    RecordKind(rawValue: raw).flatMap { $0.isOfHistory ? (raw, "\($0.word)") : nil }
  }
  /// What a text may name.
  public static var names: [String] { words.map(\.word) + [change] }

  func has(_ kind: RecordKind) -> Bool { bits >> UInt64(kind.rawValue) & 1 == 1 }
  var hasChanges: Bool { bits & 1 == 1 }
}

/// A run of a journal's records, as a shard answers: see `FeedWalk`.
public struct FeedPage {
  public struct Record {
    /// Where the next one is.
    public var after: FeedPlace
    /// As a `ReplyWriter` wrote it.
    public var bytes: UnsafeRawBufferPointer
  }
  /// Where the next page begins.
  public var next: FeedPlace
  /// There is nothing behind that.
  public var isEnd: Bool
  /// Records that were passed and are of no wanted kind, or of others' members.
  public var skipped: Int
  /// Where the journals of other shards end that the asked shard's records refer to.
  public var lineage: [JournalPosition] = []
  /// How many records there are.
  public let count: Int
  /// Those, as `forEach` reads them.
  private let records: UnsafeRawBufferPointer

  /// Throws if no `FeedWalk` wrote it. It is valid as long as the bytes are.
  public init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    next = try FeedPage.place(&reader)
    isEnd = try reader.read(UInt8.self) == 1
    skipped = Int(truncatingIfNeeded: try reader.readVarint())
    for _ in 0..<(try reader.readVarint()) { lineage.append(JournalPosition(rawValue: try reader.read())) }
    count = Int(truncatingIfNeeded: try reader.readVarint())
    records = try reader.readBytes(reader.remaining)
  }
  /// Calls `body` with each record, in the journal's order, until it says false.
  public func forEach(_ body: (Record) -> Bool) throws(MalformedBytes) {
    var reader = ByteReader(records)
    while !reader.isAtEnd {
      let after = try FeedPage.place(&reader)
      let bytes = try reader.readBytes(Int(try reader.read(UInt32.self)))
      guard body(Record(after: after, bytes: bytes)) else { return }
    }
  }
  private static func place(_ reader: inout ByteReader) throws(MalformedBytes) -> FeedPlace {
    FeedPlace(frame: JournalPosition(rawValue: try reader.read()), inner: try reader.read())
  }

  struct Head {
    var next: FeedPlace
    var isEnd: Bool
    var skipped = 0
    var lineage: [JournalPosition]
    var count = 0
  }
  static func write(_ head: Head, _ records: [UInt8], into reply: inout ReplyWriter) {
    var buffer = ByteBuffer(capacity: records.count + 64)
    append(head.next, to: &buffer)
    buffer.append(UInt8(head.isEnd ? 1 : 0))
    buffer.append(varint: UInt64(head.skipped))
    buffer.append(varint: UInt64(head.lineage.count))
    for end in head.lineage { buffer.append(end.rawValue) }
    buffer.append(varint: UInt64(head.count))
    records.withUnsafeBytes { buffer.append($0) }
    reply.text(buffer.bytes)
  }
  static func append(_ place: FeedPlace, to buffer: inout ByteBuffer) {
    buffer.append(place.frame.rawValue)
    buffer.append(place.inner)
  }
}
