import Base
import Ledger
import Raft
import Vocabulary

/// What a node notes for the trail beside a command of its own, or by itself.
struct TrailNote: Sendable {
  var node: UInt64
  var mark: TrailMark
  var records: [TrailRecord] = []
  /// Users by number, and when they asked something last.
  var seen: [(user: UInt32, at: Stamp)] = []

  /// A node tells of no more at once.
  static let mostRecords = 100
  static let mostSeen = 500

  init(node: UInt64, mark: TrailMark) { (self.node, self.mark) = (node, mark) }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: node))
    buffer.append(field: 2, zigzag: Int64(bitPattern: mark.incarnation))
    buffer.append(field: 3, zigzag: Int64(bitPattern: mark.note))
    if !records.isEmpty { buffer.append(field: 4) { list in for record in records { record.encode(into: &list) } } }
    if !seen.isEmpty {
      buffer.append(field: 5) { list in
        for (user, stamp) in seen {
          list.append(varint: UInt64(user))
          list.append(zigzag: stamp.microseconds)
        }
      }
    }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(node: 0, mark: TrailMark(incarnation: 0, note: 0))
    try reader.readFields(of: "a note for the trail") { number, value throws(MalformedBytes) in
      switch number {
      case 1: node = UInt64(bitPattern: try value.readZigzag())
      case 2: mark.incarnation = UInt64(bitPattern: try value.readZigzag())
      case 3: mark.note = UInt64(bitPattern: try value.readZigzag())
      case 4: while !value.isAtEnd { records.append(try TrailRecord(decoding: &value)) }
      case 5:
        while !value.isAtEnd {
          let user = UInt32(truncatingIfNeeded: try value.readVarint())
          seen.append((user, Stamp(microseconds: try value.readZigzag())))
        }
      default: return false
      }
      return true
    }
    guard records.count <= TrailNote.mostRecords, seen.count <= TrailNote.mostSeen else {
      throw MalformedBytes("a note for the trail that is too long")
    }
  }
}

extension DirectoryMachine {
  /// The kind of a command, behind the note that it may carry.
  static func kind(of command: UnsafeRawBufferPointer) -> Kind? {
    guard command.count > 4, let kind = Kind(rawValue: command[4]) else { return nil }
    guard kind == .acted else { return kind }
    var reader = ByteReader(UnsafeRawBufferPointer(rebasing: command[5...]))
    guard (try? TrailNote(decoding: &reader)) != nil, reader.remaining > 4 else { return nil }
    return Kind(rawValue: command[5 + reader.offset + 4])
  }

  /// The last entry of a log that sets a user or a tenant; nil: none does.
  static func lastAccess(in log: [LogEntry]) -> LogIndex? {
    log.last { entry in
      entry.kind == .command
        && entry.payload.withUnsafeBytes { raw in
          var reader = ByteReader(raw)
          guard (try? EntryHeader(decoding: &reader)) != nil else { return false }
          while !reader.isAtEnd, let command = try? Envelope.next(&reader) {
            if kind(of: command) == .access { return true }
          }
          return false
        }
    }?.index
  }

  /// `NOAUTH`, `NOPERM` and the like, or the version that every node must reach before the client hears `+OK`.
  func applyAccess(_ reader: inout ByteReader, _ reply: inout ReplyWriter) throws(MalformedBytes) {
    let change = try AccessChange(decoding: &reader)
    guard semantics >= Semantics.programme else {
      reply.error(.unavailable, "not all nodes know users yet: finish the upgrade (tally upgrade finish)")
      return
    }
    guard semantics >= Semantics.settled || change.request == 0 else {
      throw MalformedBytes("a change of rights with a request id, before its time")
    }
    // What the first was answered may still be on its way to some node.
    if change.request != 0 {
      let isSeen = seen(change.request, change.fingerprint, &reply) { $0.integer(Int64(bitPattern: access.version)) }
      if isSeen { return }
    }
    let now = lastStamp
    do throws(AccessTable.Refused) {
      try access.take(change) { name, tenant in entries.merchants(of: tenant, at: now).isThere(name) }
      note(change.request, change.fingerprint)
      reply.integer(Int64(bitPattern: access.version))
    } catch {
      reply.error(error.code, error.text)
    }
  }

  /// Whether nodes go by the kind of a request themselves: what is set then is answered like a change of rights, when every node has
  /// it. Before `Semantics.amended` terminals' alone are so, once there are users.
  func isForNodes(_ request: EntryRequest) -> Bool {
    let kind = Int(request.kind)
    if semantics >= Semantics.amended { return kind == DirectoryMachine.terminals || kind == DirectoryMachine.messages }
    return kind == DirectoryMachine.terminals && !access.isOpen
  }
  private static let terminals = EntryKind.all.first { $0.word == "TERMINAL" }?.number
  private static let messages = EntryKind.all.first { $0.word == "MESSAGE" }?.number
  func answer(rights request: EntryRequest, isChanged: Bool, _ reply: inout ReplyWriter) {
    if isChanged { access.touch() }
    reply.record()
    reply.field(.index, Int64(bitPattern: access.version))
  }

  /// A command, with a note of who says it: the trail has that if the command is not refused.
  func applyActed(_ reader: inout ByteReader, _ reply: inout ReplyWriter) throws(MalformedBytes) -> Outcome {
    let note = try TrailNote(decoding: &reader)
    let command = try reader.readBytes(reader.remaining)
    guard command.count > 4, command[4] != Kind.acted.rawValue else { throw MalformedBytes("a note of nothing") }
    let start = reply.buffer.count
    let outcome = apply(command, into: &reply)
    guard reply.buffer.count > start, reply.buffer.bytes[start] != ReplyTag.error.rawValue else { return outcome }
    if trail.isNew(note.mark, of: note.node) {
      for record in note.records { trail.note(change: record, at: lastStamp) }
    }
    return outcome
  }
  func applyTrail(_ reader: inout ByteReader) throws(MalformedBytes) {
    let note = try TrailNote(decoding: &reader)
    guard trail.isNew(note.mark, of: note.node) else { return }
    for record in note.records {
      if record.outcome.isEmpty {
        trail.note(change: record, at: lastStamp)
      } else {
        trail.note(refusal: record, at: lastStamp)
      }
    }
    for (user, stamp) in note.seen where access.user(user) != nil {
      seen[user] = max(seen[user] ?? .zero, min(stamp, lastStamp))
    }
  }

  // MARK: Queries

  func readAccess(_ kind: Kind, _ reader: inout ByteReader, _ reply: inout ReplyWriter) throws(MalformedBytes) {
    switch kind {
    case .showUser:
      let tenant = try DirectoryMachine.readTenant(&reader)
      let name = String(decoding: try reader.readCounted(), as: UTF8.self)
      guard let user = access.user(named: name), isShown(user, to: tenant) else {
        return reply.error(.notFound, "no such user '\(name)'")
      }
      write(user, &reply)
    case .listUsers:
      let tenant = try DirectoryMachine.readTenant(&reader)
      let limit = Int(try reader.read(UInt32.self))
      let after = String(decoding: try reader.readCounted(), as: UTF8.self)
      let users = access.allUsers.filter { isShown($0, to: tenant) && $0.name > after }.prefix(limit)
      reply.array(count: users.count)
      for user in users { write(user, &reply) }
    case .listTenants:
      let tenants = access.tenants.sorted { $0.name < $1.name }
      reply.array(count: tenants.count)
      for tenant in tenants {
        reply.record()
        reply.field(named: "tenant", tenant.name)
        if !tenant.title.isEmpty { reply.field(.title, tenant.title) }
        reply.field(.state, tenant.isStopped ? "stopped" : "active")
      }
    default: try readTrail(&reader, &reply)
    }
  }
  /// Nil: of all tenants.
  private static func readTenant(_ reader: inout ByteReader) throws(MalformedBytes) -> TenantID? {
    let raw: UInt32 = try reader.read()
    return raw == 0 ? nil : TenantID(raw)
  }
  private func isShown(_ user: User, to tenant: TenantID?) -> Bool { tenant.map { $0 == user.tenant } ?? true }
  private func write(_ user: User, _ reply: inout ReplyWriter) {
    reply.record()
    user.write(tenant: access.tenant(user.tenant)?.name ?? "", seen: seen[user.number], into: &reply)
  }

  private func readTrail(_ reader: inout ByteReader, _ reply: inout ReplyWriter) throws(MalformedBytes) {
    var wanted = Trail.Wanted()
    wanted.tenant = try DirectoryMachine.readTenant(&reader)
    wanted.from = Stamp(microseconds: try reader.read())
    wanted.until = Stamp(microseconds: try reader.read())
    wanted.limit = min(Int(try reader.read(UInt32.self)), 10_000)
    wanted.after = try reader.read()
    let (user, verb) = (try reader.readCounted(), try reader.readCounted())
    if !user.isEmpty { wanted.user = String(decoding: user, as: UTF8.self) }
    if !verb.isEmpty { wanted.verb = String(decoding: verb, as: UTF8.self).uppercased() }
    let records = trail.find(wanted)
    reply.array(count: records.count)
    for record in records {
      reply.record()
      reply.field(.at, record.at)
      reply.field(named: "user", record.user.isEmpty ? "-" : record.user)
      reply.field(named: "verb", record.verb)
      if !record.target.isEmpty { reply.field(.target, record.target) }
      reply.field(named: "outcome", record.outcome.isEmpty ? "OK" : record.outcome)
      reply.field(named: "count", record.count)
      reply.field(.address, record.address)
      reply.field(.node, record.node)
      reply.field(named: "cursor", "\(record.number)")
    }
  }
}

extension User {
  /// All of it but the secret.
  func write(tenant: String, seen: Stamp?, into reply: inout ReplyWriter) {
    reply.field(named: "user", name)
    reply.field(named: "role", role.word)
    if isFirst && role != .admin { reply.field(named: "admin", "yes") }
    reply.field(named: "tenant", tenant)
    if !merchant.isEmpty { reply.field(.merchant, merchant) }
    if !terminal.isEmpty { reply.field(named: "terminal", terminal) }
    if !org.isEmpty { reply.field(named: "org", org) }
    if adjustLimit > 0 { reply.field(named: "adjust-limit", adjustLimit) }
    if rate > 0 { reply.field(named: "rate", rate) }
    reply.field(.state, isStopped ? "stopped" : "active")
    if let seen { reply.field(named: "last-seen", seen) }
  }
}
