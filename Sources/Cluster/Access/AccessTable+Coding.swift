import Base
import Vocabulary

/// What is to be set of a user or a tenant, and who asks. Nil: it stays.
struct AccessChange: Hashable, Sendable {
  /// The raw value is part of the log.
  enum Subject: UInt8, Sendable { case user = 1, tenant = 2 }
  var subject: Subject
  /// Who asks: 0 is nobody.
  var by: UInt32
  /// Whose user it is to be.
  var tenant: TenantID
  var name: String
  var role: Role?
  var merchant: String?
  var terminal: String?
  var org: String?
  var adjustLimit: Int64?
  var rate: Int64?
  var isStopped: Bool?
  var secret: KeptSecret?
  var title: String?
  /// What it is known by, if it carries a request id, and its content: from `Semantics.settled` on.
  var request: UInt128 = 0
  var fingerprint: UInt64 = 0

  init(_ subject: Subject, by: UInt32, tenant: TenantID, name: String) {
    (self.subject, self.by, self.tenant, self.name) = (subject, by, tenant, name)
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(subject.rawValue))
    buffer.append(field: 2, zigzag: Int64(by))
    buffer.append(field: 3, zigzag: Int64(tenant.rawValue))
    buffer.append(field: 4) { $0.append(utf8: name) }
    if let role { buffer.append(field: 5, zigzag: Int64(role.rawValue)) }
    if let merchant { buffer.append(field: 6) { $0.append(utf8: merchant) } }
    if let terminal { buffer.append(field: 7) { $0.append(utf8: terminal) } }
    if let org { buffer.append(field: 8) { $0.append(utf8: org) } }
    if let adjustLimit { buffer.append(field: 9, zigzag: adjustLimit) }
    if let rate { buffer.append(field: 10, zigzag: rate) }
    if let isStopped { buffer.append(field: 11, zigzag: isStopped ? 1 : 0) }
    if let secret { buffer.append(field: 12) { secret.encode(into: &$0) } }
    if let title { buffer.append(field: 13) { $0.append(utf8: title) } }
    if request != 0 {
      buffer.append(field: 14) {
        $0.append(request)
        $0.append(fingerprint)
      }
    }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(.user, by: 0, tenant: .first, name: "")
    try reader.readFields(of: "a change of rights") { number, value throws(MalformedBytes) in
      switch number {
      case 1:
        guard let known = Subject(rawValue: try value.readSmall()) else { throw MalformedBytes("a change of nothing") }
        subject = known
      case 2: by = try value.readSmall()
      case 3: tenant = TenantID(try value.readSmall())
      case 4: name = try value.readText()
      case 5: role = try Role(decoding: &value)
      case 6: merchant = try value.readText()
      case 7: terminal = try value.readText()
      case 8: org = try value.readText()
      case 9: adjustLimit = try value.readZigzag()
      case 10: rate = try value.readZigzag()
      case 11: isStopped = try value.readZigzag() == 1
      case 12: secret = try KeptSecret(decoding: &value)
      case 13: title = try value.readText()
      case 14: (request, fingerprint) = (try value.read(), try value.read())
      default: return false
      }
      return true
    }
    let bounds = 0...Shape.maximumAmount
    guard !name.isEmpty, name.utf8.count <= 64, bounds.contains(adjustLimit ?? 0), bounds.contains(rate ?? 0),
      [merchant, terminal, org].allSatisfy({ ($0 ?? "").utf8.count <= 64 }), (title ?? "").utf8.count <= 256
    else { throw MalformedBytes("a change of rights that is out of bounds") }
  }
}

extension Role {
  init(decoding value: inout ByteReader) throws(MalformedBytes) {
    guard let role = Role(rawValue: try value.readSmall()) else { throw MalformedBytes("a role of an unknown kind") }
    self = role
  }
}

extension User {
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(number))
    buffer.append(field: 2) { $0.append(utf8: name) }
    buffer.append(field: 3, zigzag: Int64(role.rawValue))
    buffer.append(field: 4, zigzag: isFirst ? 1 : 0)
    buffer.append(field: 5, zigzag: Int64(tenant.rawValue))
    buffer.append(field: 6) { $0.append(utf8: merchant) }
    buffer.append(field: 7) { $0.append(utf8: terminal) }
    buffer.append(field: 8) { $0.append(utf8: org) }
    buffer.append(field: 9, zigzag: adjustLimit)
    buffer.append(field: 10, zigzag: rate)
    buffer.append(field: 11, zigzag: isStopped ? 1 : 0)
    if let secret { buffer.append(field: 12) { secret.encode(into: &$0) } }
    buffer.append(field: 13, zigzag: Int64(bitPattern: revision))
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(number: 0, name: "")
    try reader.readFields(of: "a user") { number, value throws(MalformedBytes) in
      switch number {
      case 1: self.number = try value.readSmall()
      case 2: name = try value.readText()
      case 3: role = try Role(decoding: &value)
      case 4: isFirst = try value.readZigzag() == 1
      case 5: tenant = TenantID(try value.readSmall())
      case 6: merchant = try value.readText()
      case 7: terminal = try value.readText()
      case 8: org = try value.readText()
      case 9: adjustLimit = try value.readZigzag()
      case 10: rate = try value.readZigzag()
      case 11: isStopped = try value.readZigzag() == 1
      case 12: secret = try KeptSecret(decoding: &value)
      case 13: revision = UInt64(bitPattern: try value.readZigzag())
      default: return false
      }
      return true
    }
  }
}

extension Tenant {
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(id.rawValue))
    buffer.append(field: 2) { $0.append(utf8: name) }
    buffer.append(field: 3) { $0.append(utf8: title) }
    buffer.append(field: 4, zigzag: isStopped ? 1 : 0)
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(id: TenantID(0), name: "")
    try reader.readFields(of: "a tenant") { number, value throws(MalformedBytes) in
      switch number {
      case 1: id = TenantID(try value.readSmall())
      case 2: name = try value.readText()
      case 3: title = try value.readText()
      case 4: isStopped = try value.readZigzag() == 1
      default: return false
      }
      return true
    }
  }
}
