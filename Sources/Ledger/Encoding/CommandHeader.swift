import Base
import Vocabulary

/// Who asks, and for what content.
public struct CommandContext: Sendable, BitwiseCopyable {
  public var tenant: TenantID
  public var principal: PrincipalID
  /// A hash of the verb and the keys as sent: what decides between a repeat and a conflict.
  public var fingerprint: UInt64
  public init(tenant: TenantID = .first, principal: PrincipalID = .anonymous, fingerprint: UInt64) {
    self.tenant = tenant
    self.principal = principal
    self.fingerprint = fingerprint
  }
}

/// What a request id is scoped to beside the merchant. The raw value is part of the log.
public enum ScopeKind: UInt8, Sendable, BitwiseCopyable {
  /// It has none: it is a step of the shards, or names nobody.
  case none = 0
  /// The member that is its party.
  case member = 1
  /// Its card.
  case card = 2
  /// The member and the merchant of the transaction that is its party.
  case transaction = 3
}

/// The fixed front of every command and query, behind its length. A command can be routed and skipped by this alone.
public struct CommandHeader: Sendable, BitwiseCopyable {
  /// The raw value of a `Verb`.
  public var rawVerb: UInt16
  /// The slot whose shard applies it.
  public var slot: Slot
  public var context: CommandContext
  public var scope: ScopeKind
  /// Bytes of an encoded header.
  public static let size = 21
  /// Bytes from the start of a framed command to what follows its header.
  public static let bodyOffset = 4 + size
  /// Bytes from the start of a framed command to its slot.
  public static let slotOffset = 6

  public init(_ verb: Verb, slot: Slot, context: CommandContext, scope: ScopeKind) {
    rawVerb = verb.rawValue
    self.slot = slot
    self.context = context
    self.scope = scope
  }
  /// That of a framed command; nil if it is none.
  public static func verb(of command: UnsafeRawBufferPointer) -> Verb? { rule(of: command)?.pointee.verb }
  /// The rules of a framed command's verb; nil if it has none.
  @inline(__always) static func rule(of command: UnsafeRawBufferPointer) -> UnsafePointer<VerbRule>? {
    guard command.count >= bodyOffset else { return nil }
    return VerbRule.find(UInt16(littleEndian: command.loadUnaligned(fromByteOffset: 4, as: UInt16.self)))
  }

  @inline(__always) func encode(into buffer: inout ByteBuffer) {
    buffer.append(rawVerb)
    buffer.append(slot.rawValue)
    buffer.append(context.tenant.rawValue)
    buffer.append(context.principal.rawValue)
    buffer.append(context.fingerprint)
    buffer.append(scope.rawValue)
  }
  /// Reads the header of a framed command. Throws if it is cut, or its length is not that of `command`.
  public init(of command: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(command)
    try self.init(framed: &reader)
  }
  @inline(__always) init(framed reader: inout ByteReader) throws(MalformedBytes) {
    let count: UInt32 = try reader.read()
    guard Int(count) == reader.remaining else { throw MalformedBytes("a command's length is not its frame's") }
    rawVerb = try reader.read()
    let rawSlot: UInt16 = try reader.read()
    guard rawSlot < UInt16(Slot.count) else { throw MalformedBytes("slot \(rawSlot) is out of range") }
    slot = Slot(rawSlot)
    let tenant: UInt32 = try reader.read()
    let principal: UInt32 = try reader.read()
    let fingerprint: UInt64 = try reader.read()
    context = CommandContext(
      tenant: TenantID(tenant), principal: PrincipalID(principal), fingerprint: fingerprint)
    guard let scope = ScopeKind(rawValue: try reader.read()) else { throw MalformedBytes("a scope of unknown kind") }
    self.scope = scope
  }
}

extension CommandHeader {
  /// What a framed command takes to apply, in units of a purchase: 1 µs or two.
  @inline(__always) static func work(of command: UnsafeRawBufferPointer) -> Int {
    Int(rule(of: command)?.pointee.work ?? 1)
  }
  /// Whether such commands make state grow that may stay for years. The others of terminals leave no more behind than
  /// their request id and their transaction, and give back what an earlier one took.
  public static func makesStateGrow(_ command: UnsafeRawBufferPointer) -> Bool {
    rule(of: command)?.pointee.traits.contains(.grows) ?? true
  }
}
