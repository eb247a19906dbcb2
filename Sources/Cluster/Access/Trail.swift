import Base
import Ledger

/// Who changed what, or was refused.
struct TrailRecord: Hashable, Sendable {
  /// Rises from record to record; cursors name it.
  var number: UInt64 = 0
  var at = Stamp.zero
  var tenant = TenantID.first
  /// Empty: nobody had signed in.
  var user: String
  /// Its words in capitals.
  var verb: String
  /// What it was about: the names in the request, and never a value.
  var target = ""
  /// Why it was refused: a code's word; empty: it was done.
  var outcome = ""
  var count: Int64 = 1
  var address = ""
  var node = ""

  static let longestTarget = 160

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: number))
    buffer.append(field: 2, zigzag: at.microseconds)
    buffer.append(field: 3, zigzag: Int64(tenant.rawValue))
    for (field, text) in [(4, user), (5, verb), (6, target), (7, outcome)] where !text.isEmpty {
      buffer.append(field: field) { $0.append(utf8: text) }
    }
    if count != 1 { buffer.append(field: 8, zigzag: count) }
    for (field, text) in [(9, address), (10, node)] where !text.isEmpty {
      buffer.append(field: field) { $0.append(utf8: text) }
    }
    buffer.appendEndOfFields()
  }
  init(user: String, verb: String) { (self.user, self.verb) = (user, verb) }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(user: "", verb: "")
    try reader.readFields(of: "a record of the trail") { field, value throws(MalformedBytes) in
      switch field {
      case 1: number = UInt64(bitPattern: try value.readZigzag())
      case 2: at = Stamp(microseconds: try value.readZigzag())
      case 3: tenant = TenantID(try value.readSmall())
      case 4: user = try value.readText()
      case 5: verb = try value.readText()
      case 6: target = try value.readText()
      case 7: outcome = try value.readText()
      case 8: count = try value.readZigzag()
      case 9: address = try value.readText()
      case 10: node = try value.readText()
      default: return false
      }
      return true
    }
    guard [user, verb, target, outcome, address, node].allSatisfy({ $0.utf8.count <= 512 }), count >= 0 else {
      throw MalformedBytes("a record of the trail that is out of bounds")
    }
  }
}

/// What of a node the trail has: each note once, however often its command is logged. Notes of a node rise.
struct TrailMark: Hashable, Comparable, Sendable {
  var incarnation: UInt64
  var note: UInt64
  static func < (a: TrailMark, b: TrailMark) -> Bool {
    (a.incarnation, a.note) < (b.incarnation, b.note)
  }
}

/// The trail: what was changed, and what was refused. State of the directory's log. Refusals have a queue of their own, so that
/// nobody pushes changes out by asking for what is refused.
struct Trail: Sendable {
  private(set) var changes = ChunkedQueue<TrailRecord>()
  private(set) var refusals = ChunkedQueue<TrailRecord>()
  private(set) var marks: [UInt64: TrailMark] = [:]
  private(set) var newest: UInt64 = 0

  static let mostChanges = 262_144
  static let mostRefusals = 65_536
  static let retention: Int64 = 400 * 86_400_000_000
  /// So many of the newest refusals are looked at for one that counts the same.
  private static let lookBack = 256

  /// Whether a node's note is new.
  mutating func isNew(_ mark: TrailMark, of node: UInt64) -> Bool {
    if let known = marks[node], mark <= known { return false }
    // Nodes are at most as many as a cluster may have, over its life.
    if marks.count < 4_096 || marks[node] != nil { marks[node] = mark }
    return true
  }

  mutating func note(change record: TrailRecord, at stamp: Stamp) {
    newest &+= 1
    var record = record
    (record.number, record.at) = (newest, stamp)
    changes.append(record)
    Trail.trim(&changes, to: Trail.mostChanges, at: stamp)
  }
  /// Refusals of a user by verb and minute are one record.
  mutating func note(refusal record: TrailRecord, at stamp: Stamp) {
    let minute = { (stamp: Stamp) in stamp.microseconds / 60_000_000 }
    let first = max(refusals.startIndex, refusals.endIndex - Trail.lookBack)
    for place in stride(from: refusals.endIndex - 1, through: first, by: -1) {
      let known = refusals[place]
      guard minute(known.at) == minute(stamp) else { break }
      guard known.user == record.user, known.verb == record.verb, known.outcome == record.outcome,
        known.tenant == record.tenant
      else { continue }
      refusals[place].count = min(known.count, .max / 2) + min(record.count, 1 << 40)
      return
    }
    newest &+= 1
    var record = record
    (record.number, record.at) = (newest, stamp)
    refusals.append(record)
    Trail.trim(&refusals, to: Trail.mostRefusals, at: stamp)
  }
  private static func trim(_ queue: inout ChunkedQueue<TrailRecord>, to most: Int, at now: Stamp) {
    if queue.count > most { queue.drop(before: queue.endIndex - most) }
    // A change forgets two, and remembers one.
    for _ in 0..<2 {
      guard let first = queue.first, now.microseconds - first.at.microseconds > retention else { return }
      queue.drop(before: queue.startIndex + 1)
    }
  }

  // MARK: Reading

  struct Wanted {
    /// Nil: of all.
    var tenant: TenantID?
    var user: String?
    var verb: String?
    var from = Stamp.zero
    var until = Stamp.never
    /// Older than that record.
    var after = UInt64.max
    var limit = 1_000

    func takes(_ record: TrailRecord) -> Bool {
      record.number < after && record.at >= from && record.at < until && tenant.map { $0 == record.tenant } ?? true
        && user.map { $0 == record.user } ?? true && verb.map { $0 == record.verb } ?? true
    }
  }
  /// Records, the newest first. O(records of the trail).
  func find(_ wanted: Wanted) -> [TrailRecord] {
    var found: [TrailRecord] = []
    var (change, refusal) = (changes.endIndex - 1, refusals.endIndex - 1)
    while found.count < wanted.limit {
      let ofChanges = change >= changes.startIndex ? changes[change] : nil
      let ofRefusals = refusal >= refusals.startIndex ? refusals[refusal] : nil
      guard let next = [ofChanges, ofRefusals].compactMap({ $0 }).max(by: { $0.number < $1.number }) else { break }
      if next.number == ofChanges?.number { change -= 1 } else { refusal -= 1 }
      if wanted.takes(next) { found.append(next) }
    }
    return found
  }

  // MARK: As a snapshot has it

  mutating func restore(newest: UInt64) { self.newest = newest }
  mutating func restore(_ mark: TrailMark, of node: UInt64) { marks[node] = mark }
  mutating func restore(_ record: TrailRecord) {
    if record.outcome.isEmpty { changes.append(record) } else { refusals.append(record) }
  }
}
