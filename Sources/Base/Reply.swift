/// The fields that a reply's records may have: what the ledger decided, before anyone has made it into a line.
/// The raw value is part of the peer protocol and of the journal: never change one, only add.
public enum Field: UInt8, CaseIterable, Sendable {
  case tx = 1
  case of = 2
  case member = 3
  case program = 4
  case points = 5
  case balance = 6
  case available = 7
  case held = 8
  case debt = 9
  case expiring = 10
  case expires = 11
  case asof = 12
  case from = 13
  case to = 14
  case time = 15
  case kind = 16
  case merchant = 17
  case spend = 18
  case request = 19
  case needed = 20
  case left = 21
  case which = 22
  case state = 23
  case name = 24
  case region = 25
  case cards = 26
  case since = 27
  case title = 28
  case earn = 29
  case expire = 30
  case backdate = 31
  case utcOffset = 32
  case refundWindow = 33
  case shard = 34
  case index = 35
  case accounts = 36
  case transactions = 37
  case sum = 38
  case intransit = 39
  case digest = 40
  case total = 41
  case members = 42
  case balanced = 43
  case node = 44
  case address = 45
  case leaders = 46
  case replicas = 47
  case slots = 48
  case leader = 49
  case voters = 50
  case learners = 51
  case term = 52
  case commit = 53
  case applied = 54
  case cluster = 55
  case nodes = 56
  case up = 57
  case shards = 58
  case healthy = 59
  case version = 60
  case card = 61
  case ttl = 62
  case effective = 63
  case programs = 64
  case merchants = 65
  case id = 66
  case detail = 67
  case between = 68
  case former = 69
  case alarms = 70
  case diskFree = 71
  case logBytes = 72
  case logPinned = 73
  case `default` = 74
  case more = 75
  case before = 76
  case warnings = 77
  case why = 78
  case at = 79
  case text = 80
  case op = 81
  case target = 82
  case steps = 83
  case step = 84
  case done = 85
  case current = 86
  case etaSeconds = 87
  case error = 88
  case started = 89
  case by = 90
  case bytes = 91
  case replicasAfter = 92
  case leadersAfter = 93
  case crosses = 94
  case spread = 95
  case leads = 96
  case ok = 97
  case compared = 98
  case semantics = 99
  case knows = 100
  case config = 101
  case lagEntries = 102
  case lagSeconds = 103
  case percent = 104
  case match = 105
  case deadAfter = 106
  case moves = 107
  case snapshotRate = 108
  case moving = 109

  /// In place of a raw value: the field's key follows, counted, then `NamedShape`, then the value. So kinds of entries name
  /// fields of their own.
  public static let named: UInt8 = 255
  /// How a named field's value is encoded. The raw value is part of the peer protocol.
  public enum NamedShape: UInt8, Sendable { case integer = 1, text = 2, stamp = 3 }

  /// How the field's value is encoded.
  public enum Shape: Sendable {
    /// A zigzag varint.
    case integer
    /// Counted UTF-8 bytes.
    case text
    /// 8 bytes, printed as `SLOT-SEQUENCE`.
    case transaction
    /// Zigzag varint of microseconds, printed as milliseconds since the epoch; `Stamp.never` prints as `never`.
    case stamp
  }

  /// The key as it stands in a line.
  public var key: StaticString { Field.table[Int(rawValue)].key }
  public var shape: Shape { Field.table[Int(rawValue)].shape }

  /// By raw value, so that the hot path indexes instead of switching.
  private static let table: [(key: StaticString, shape: Shape)] = [
    ("", .text),
    ("tx", .transaction), ("of", .transaction), ("member", .text), ("program", .text), ("points", .integer),
    ("balance", .integer), ("available", .integer), ("held", .integer), ("debt", .integer), ("expiring", .integer),
    ("expires", .stamp), ("asof", .stamp), ("from", .text), ("to", .text), ("time", .stamp), ("kind", .text),
    ("merchant", .text), ("spend", .integer), ("request", .text), ("needed", .integer), ("left", .integer),
    ("which", .text), ("state", .text), ("name", .text), ("region", .text), ("cards", .text), ("since", .stamp),
    ("title", .text), ("earn", .text), ("expire", .text), ("backdate", .text), ("utc-offset", .text),
    ("refund-window", .text), ("shard", .integer), ("index", .integer), ("accounts", .integer),
    ("transactions", .integer), ("sum", .integer), ("intransit", .integer), ("digest", .text), ("total", .text),
    ("members", .integer), ("balanced", .text), ("node", .text), ("address", .text), ("leaders", .integer),
    ("replicas", .integer), ("slots", .text), ("leader", .text), ("voters", .text), ("learners", .text),
    ("term", .integer), ("commit", .integer), ("applied", .integer), ("cluster", .text), ("nodes", .integer),
    ("up", .integer), ("shards", .integer), ("healthy", .text), ("version", .text), ("card", .text),
    ("ttl", .integer), ("effective", .stamp), ("programs", .integer), ("merchants", .integer), ("id", .text),
    ("detail", .text), ("between", .text), ("former", .text), ("alarms", .text), ("disk_free", .text),
    ("log", .text), ("log_pinned", .text), ("default", .text),
    ("more", .text), ("before", .transaction), ("warnings", .text),
    ("why", .text), ("at", .stamp), ("text", .text), ("op", .integer), ("target", .text), ("steps", .integer),
    ("step", .integer), ("done", .integer), ("current", .text), ("eta-seconds", .text), ("error", .text),
    ("started", .stamp), ("by", .text), ("bytes", .text), ("replicas-after", .integer), ("leaders-after", .integer),
    ("crosses", .text), ("spread", .text), ("leads", .text), ("ok", .text), ("compared", .integer),
    ("semantics", .integer), ("knows", .text), ("config", .integer), ("lag-entries", .integer),
    ("lag-seconds", .text), ("percent", .integer), ("match", .integer), ("dead-after", .text),
    ("moves", .integer), ("snapshot-rate", .text), ("moving", .text),
  ]
}

/// The error codes of the line protocol. The raw value is part of the peer protocol and of the journal.
public enum ErrorCode: UInt8, CaseIterable, Sendable {
  case malformed = 1
  case noAuth = 2
  case wrongPassword = 3
  case noPermission = 4
  case notFound = 5
  case exists = 6
  case conflict = 7
  case insufficient = 8
  case frozen = 9
  case closed = 10
  case lost = 11
  case limit = 12
  case reversed = 13
  case busy = 14
  case unavailable = 15
  case unknown = 16

  /// The word after the `-` of an error line.
  public var word: StaticString {
    switch self {
    case .malformed: "ERR"
    case .noAuth: "NOAUTH"
    case .wrongPassword: "WRONGPASS"
    case .noPermission: "NOPERM"
    case .notFound: "NOTFOUND"
    case .exists: "EXISTS"
    case .conflict: "CONFLICT"
    case .insufficient: "INSUFFICIENT"
    case .frozen: "FROZEN"
    case .closed: "CLOSED"
    case .lost: "LOST"
    case .limit: "LIMIT"
    case .reversed: "REVERSED"
    case .busy: "BUSY"
    case .unavailable: "UNAVAILABLE"
    case .unknown: "UNKNOWN"
    }
  }
}

/// A reply as bytes, on its way from the shard's leader to the node that will render it:
///
///     reply  = 1                                  "+OK"
///            | 2 code:u8 text:counted n:u8 field*  an error; its fields follow the text as ` key=value`
///            | 3 n:u8 field*                      a record
///            | 4 n:varint reply*                  an array
///            | 5 zigzag                           an integer
///            | 6 text:counted                     "+text"
///            | 7                                  facts are wanted; between nodes alone, never for a terminal
///            | 8 taken:u8 known:u8 (shard:u32 epoch:u64 slots)?   the slot is another shard's; see `Moved`; as 7
///     field  = key:u8 value, its shape by `Field.shape`
///            | 255 key:counted shape:u8 value        see `Field.named`
public enum ReplyTag: UInt8, Sendable {
  case ok = 1
  case error = 2
  case record = 3
  case array = 4
  case integer = 5
  case text = 6
  case factsWanted = 7
  case moved = 8
  /// Of a query: another shard has the answer, to the query that follows, framed.
  case elsewhere = 9
  /// Of a question: it is to come again with what all shards have drawn of the budgets' periods that follow.
  case budgetsWanted = 10
}

/// Writes one reply at a time into a buffer. A record or an error is opened, given its fields, and closed by the next
/// call of any other kind; the count of its fields is patched as they come.
public struct ReplyWriter: ~Copyable {
  public var buffer: ByteBuffer
  @usableFromInline var fieldCountOffset = 0
  /// Nobody waits for what is written: whoever writes may leave it out.
  public var isDiscarded = false

  public init(capacity: Int = 1024) { buffer = ByteBuffer(capacity: capacity) }

  @inlinable public mutating func ok() { buffer.append(ReplyTag.ok.rawValue) }
  @inlinable public mutating func integer(_ value: Int64) {
    buffer.append(ReplyTag.integer.rawValue)
    buffer.append(zigzag: value)
  }
  public mutating func elsewhere(_ query: UnsafeRawBufferPointer) {
    buffer.append(ReplyTag.elsewhere.rawValue)
    buffer.append(query)
  }
  public mutating func budgetsWanted(_ periods: UnsafeRawBufferPointer) {
    buffer.append(ReplyTag.budgetsWanted.rawValue)
    buffer.append(periods)
  }
  public mutating func text(_ value: String) {
    buffer.append(ReplyTag.text.rawValue)
    buffer.append(counted: value)
  }
  public mutating func text(_ value: UnsafeRawBufferPointer) {
    buffer.append(ReplyTag.text.rawValue)
    buffer.append(counted: value)
  }
  /// Nothing was done: the command is to come again with what the shard no longer has in memory.
  public mutating func factsWanted() { buffer.append(ReplyTag.factsWanted.rawValue) }
  /// The slot is not the shard's.
  public mutating func moved(_ moved: Moved) { moved.encode(into: &buffer) }
  /// Opens an array of `count` replies, which the next calls write.
  @inlinable public mutating func array(count: Int) {
    buffer.append(ReplyTag.array.rawValue)
    buffer.append(varint: UInt64(count))
  }
  /// Opens a record: `field` calls follow.
  @inlinable public mutating func record() {
    buffer.append(ReplyTag.record.rawValue)
    fieldCountOffset = buffer.count
    buffer.append(UInt8(0))
  }
  /// Opens a record that begins with the fields of another, `count` of them.
  public mutating func record(copying fields: UnsafeRawBufferPointer, count: UInt8) {
    record()
    buffer.patch(count, at: fieldCountOffset)
    buffer.append(fields)
  }
  /// Adds the fields of another record to the one that is open, `count` of them. No record has more than 255: those that are too many are
  /// left out with their record's.
  public mutating func add(fields: UnsafeRawBufferPointer, count: UInt8) {
    let (sum, isOver) = buffer.bytes[fieldCountOffset].addingReportingOverflow(count)
    guard !isOver else { return }
    buffer.patch(sum, at: fieldCountOffset)
    buffer.append(fields)
  }
  /// Opens an error: `field` calls may follow.
  public mutating func error(_ code: ErrorCode, _ text: String) {
    buffer.append(ReplyTag.error.rawValue)
    buffer.append(code.rawValue)
    buffer.append(counted: text)
    fieldCountOffset = buffer.count
    buffer.append(UInt8(0))
  }
  @inlinable @inline(__always) mutating func key(_ field: Field) {
    buffer.increment(at: fieldCountOffset)
    buffer.append(field.rawValue)
  }
  @inlinable public mutating func field(_ field: Field, _ value: Int64) {
    key(field)
    buffer.append(zigzag: value)
  }
  @inlinable public mutating func field(_ field: Field, _ value: TransactionID) {
    key(field)
    buffer.append(value.rawValue)
  }
  @inlinable public mutating func field(_ field: Field, _ value: Stamp) {
    key(field)
    buffer.append(zigzag: value.microseconds)
  }
  @inlinable public mutating func field(_ field: Field, _ value: UnsafeRawBufferPointer) {
    key(field)
    buffer.append(counted: value)
  }
  public mutating func field(_ field: Field, _ value: String) {
    key(field)
    buffer.append(counted: value)
  }

  // MARK: Named fields

  public mutating func field(named name: String, _ value: UnsafeRawBufferPointer) {
    key(name, .text)
    buffer.append(counted: value)
  }
  public mutating func field(named name: String, _ value: String) {
    key(name, .text)
    buffer.append(counted: value)
  }
  public mutating func field(named name: String, _ value: Int64) {
    key(name, .integer)
    buffer.append(zigzag: value)
  }
  public mutating func field(named name: String, _ value: Stamp) {
    key(name, .stamp)
    buffer.append(zigzag: value.microseconds)
  }
  private mutating func key(_ name: String, _ shape: Field.NamedShape) {
    buffer.increment(at: fieldCountOffset)
    buffer.append(Field.named)
    buffer.append(counted: name)
    buffer.append(shape.rawValue)
  }
}
