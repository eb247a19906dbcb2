import Base
import Vocabulary

/// A member enters a pool, or has left one: asked of the pool's slot, which counts its members.
enum PoolStep: ShardStep {
  typealias Bytes = UnsafeRawBufferPointer
  static let kind: UInt8 = 47
  static var kinds: ClosedRange<UInt8> { kind...kind }
  static let mostMembers = 64

  /// What it says, and is kept.
  struct Content {
    var isEntering: Bool
    var pool: [UInt8]
    var member: [UInt8]
    var request: [UInt8]
    /// What else the request says of the member.
    var file: [UInt8]

    init(isEntering: Bool, pool: [UInt8], member: [UInt8], request: [UInt8], file: [UInt8]) {
      self.isEntering = isEntering
      (self.pool, self.member, self.request, self.file) = (pool, member, request, file)
    }
    init(_ reader: inout ByteReader) throws(MalformedBytes) {
      isEntering = try reader.read(UInt8.self) == 1
      pool = Array(try reader.readCounted())
      member = Array(try reader.readCounted())
      request = Array(try reader.readCounted())
      file = Array(try reader.readCounted())
      try reader.finish()
      guard pool.withUnsafeBytes({ $0.isIdentifier }), member.withUnsafeBytes({ $0.isIdentifier }),
        EntryValues(checking: file) != nil
      else { throw MalformedBytes("a pool's step with a bad text") }
    }
    var bytes: [UInt8] {
      var buffer = ByteBuffer(capacity: 256)
      buffer.append(UInt8(isEntering ? 1 : 0))
      for text in [pool, member, request, file] { buffer.append(counted: text) }
      return buffer.array
    }
  }

  static func receive(
    _ origin: StepOrigin, _ reader: inout ByteReader, in ledger: inout Ledger
  ) throws(MalformedBytes) -> Verdict {
    ledger.changePool(try Content(&reader), origin.tenant)
  }
  static func complete(
    _ step: OutboxRecord, _ kept: Bytes, _ verdict: Verdict, in ledger: inout Ledger, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) {
    var reader = ByteReader(kept)
    let content = try Content(&reader)
    if content.isEntering { ledger.entered(step, content, verdict, &reply) }
  }
  /// Nobody waits for what a member has left.
  static func awaited(_ step: OutboxRecord, _ kept: Bytes, in ledger: borrowing Ledger) -> TransactionID {
    kept.first == 1 ? step.id : .none
  }
}

extension Ledger {
  fileprivate mutating func changePool(_ content: PoolStep.Content, _ tenant: TenantID) -> Verdict {
    guard let pool = content.pool.withUnsafeBytes({ findMember($0, tenant: tenant) }) else {
      return content.isEntering ? Verdict(.notFound) : .done
    }
    guard bond(.pool, of: pool) != nil else { return content.isEntering ? Verdict(.notFound) : .done }
    let members = count(ofBond: .pool, of: pool)
    guard content.isEntering else {
      setBond(.pool, of: pool, count: max(0, members - 1))
      return .done
    }
    guard tables.members.read(pool).pointee.state != MemberState.closed.rawValue else { return Verdict(.closed) }
    guard members < PoolStep.mostMembers else { return Verdict(.limit, which: 9) }
    setBond(.pool, of: pool, count: members + 1)
    return .done
  }
  fileprivate mutating func entered(
    _ step: OutboxRecord, _ content: PoolStep.Content, _ verdict: Verdict, _ reply: inout ReplyWriter
  ) {
    guard let member = content.member.withUnsafeBytes({ findMember($0, tenant: step.tenant) }) else {
      return fail(.records)
    }
    dropBond(.joining, of: member)
    answeredWaits.append(step.id)
    if verdict == .done {
      leavePool(member)
      addBond(.inPool, of: member, content.pool)
      if let said = EntryValues(checking: content.file), !said.isEmpty {
        setFile(ofMember: member, file(ofMember: tables.members.read(member)).changed(by: MemberFile(said)))
      }
      // It was closed meanwhile.
      if tables.members.read(member).pointee.state == MemberState.closed.rawValue { leavePool(member) }
    }
    content.request.withUnsafeBytes { request in
      content.member.withUnsafeBytes {
        answer(step, poolRefusal(verdict), request: request, member: $0, slot: step.id.slot, &reply)
      }
    }
  }
  private func poolRefusal(_ verdict: Verdict) -> Refusal? {
    switch ErrorCode(rawValue: verdict.code) {
    case .notFound: Refusal(.notFound, "no such pool")
    case .closed: Refusal(.closed, "the pool is closed")
    case .limit: .limit("pool", "a pool has at most \(PoolStep.mostMembers) members")
    default: refusal(verdict)
    }
  }
}
