import Base

/// What stands at the front of every entry's payload; its commands follow, one behind the other.
public struct EntryHeader: Hashable, Sendable {
  /// How the payload is laid out. 1 is the only one so far.
  public var format: UInt8
  /// Which rules the commands are applied by: see `Semantics`. Rises along a log, never falls.
  public var semantics: UInt8
  /// How many milliseconds, rounded up, the stamp is ahead of the earliest of the nodes' clocks, at the proposal; 65,535:
  /// nobody knows, or more. Says nothing to the ledger.
  public var lead: UInt16
  /// The entry's moment: above that of every entry before it in the shard's log.
  public var stamp: Stamp
  /// The catalogue that the proposer had; for people who read logs.
  public var catalogueVersion: UInt32
  public var commandCount: UInt32

  public static let currentFormat: UInt8 = 1
  /// Bytes of an encoded header.
  public static let size = 20

  public init(
    stamp: Stamp, catalogueVersion: UInt32, commandCount: UInt32, format: UInt8 = EntryHeader.currentFormat,
    semantics: UInt8 = Semantics.first, lead: UInt16 = .max
  ) {
    self.lead = lead
    self.format = format
    self.semantics = semantics
    self.stamp = stamp
    self.catalogueVersion = catalogueVersion
    self.commandCount = commandCount
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(format)
    buffer.append(semantics)
    buffer.append(lead)
    buffer.append(stamp.microseconds)
    buffer.append(catalogueVersion)
    buffer.append(commandCount)
  }
  /// Throws if the bytes end early or the format is one that this build does not know.
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    format = try reader.read()
    semantics = try reader.read()
    lead = try reader.read()
    stamp = Stamp(microseconds: try reader.read())
    catalogueVersion = try reader.read()
    commandCount = try reader.read()
    guard format == EntryHeader.currentFormat else { throw MalformedBytes("entry format \(format) is not known") }
  }
}

extension EntryHeader {
  /// Where the semantics stand in a payload.
  public static let semanticsOffset = 1
  /// Those that a payload is to be applied by; the first if it has no header.
  public static func semantics(of payload: [UInt8]) -> UInt8 {
    payload.count >= size ? payload[semanticsOffset] : Semantics.first
  }
  /// How far a stamp is ahead of a clock, as `lead` says it.
  public static func lead(of stamp: Stamp, over clock: Stamp) -> UInt16 {
    let ahead = stamp.microseconds - clock.microseconds
    return ahead <= 0 ? 0 : UInt16(clamping: (ahead + 999) / 1000)
  }
  /// How many commands an entry's header announces; 0 if it has none.
  public static func commandCount(of entry: LogEntry) -> Int {
    guard entry.kind == .command, entry.payload.count >= size else { return 0 }
    return entry.payload.withUnsafeBytes {
      Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: 16, as: UInt32.self)))
    }
  }
  /// What the earliest clock said at least when the entry was proposed, read from its payload; nil if that is not known.
  public static func proposalTime(of payload: UnsafeRawBufferPointer) -> Stamp? {
    guard payload.count >= size else { return nil }
    let lead = UInt16(littleEndian: payload.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    let stamp = Int64(littleEndian: payload.loadUnaligned(fromByteOffset: 4, as: Int64.self))
    return lead == .max ? nil : Stamp(microseconds: stamp &- Int64(lead) * 1000)
  }
}

/// Walks over the commands of an entry's payload without looking into them.
public struct EntryReader {
  public let header: EntryHeader
  private var reader: ByteReader
  private var left: UInt32

  /// Throws if the header is cut or of an unknown format.
  public init(_ payload: UnsafeRawBufferPointer) throws(MalformedBytes) {
    reader = ByteReader(payload)
    header = try EntryHeader(decoding: &reader)
    left = header.commandCount
  }
  /// The next command with its frame, in place; nil after the last. Throws if the payload ends early.
  public mutating func next() throws(MalformedBytes) -> UnsafeRawBufferPointer? {
    guard left > 0 else { return nil }
    left -= 1
    let start = reader.offset
    let count: UInt32 = try reader.read()
    guard count >= UInt32(CommandHeader.size), count <= UInt32(Command.maximumByteCount) else {
      throw MalformedBytes("a command of \(count) bytes")
    }
    _ = try reader.readBytes(Int(count))
    return UnsafeRawBufferPointer(rebasing: reader.bytes[start..<reader.offset])
  }
}

/// What a command asks for. The raw value is part of the log: never change one, only add.
public enum CommandKind: UInt8, Sendable {
  case earn = 1
  case redeem = 2
  case hold = 3
  case capture = 4
  case release = 5
  case refund = 6
  case transfer = 7
  case memberAdd = 8
  case memberState = 9
  case cardAdd = 10
  case cardState = 11
  /// A versioned delta of the catalogue.
  case catalogue = 12
  /// Books what is due: hold timeouts and lot expiries, in bounded steps.
  case tick = 13
  /// Its reply is the shard's audit record at this entry.
  case marker = 14
  /// From another shard (or this one): do your part of that transaction.
  case delivery = 15
  /// The answer to a delivery.
  case verdict = 16
  /// The verdict has been recorded; it need not be kept any more.
  case settled = 17
  /// The cluster's key: the first command of a shard's log.
  case key = 18

  /// That of a framed command; nil if it is none.
  public init?(of command: UnsafeRawBufferPointer) {
    guard command.count > 4 else { return nil }
    self.init(rawValue: command[4])
  }

  /// Whether such commands make state grow that may stay for years. The others of terminals leave no more behind than
  /// their request id and their transaction, and give back what an earlier one took.
  public var makesStateGrow: Bool {
    switch self {
    case .earn, .hold, .transfer, .memberAdd, .cardAdd, .catalogue: true
    default: false
    }
  }
}

/// Who asks, and for what content.
public struct CommandContext: Sendable {
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

/// The fixed front of every command, behind its length. A command can be routed and skipped by this alone.
public struct CommandHeader: Sendable {
  /// The raw value of a `CommandKind` or a `QueryKind`.
  public var rawKind: UInt8
  /// The slot whose shard applies it.
  public var slot: Slot
  public var context: CommandContext
  /// Bytes of an encoded header.
  public static let size = 20
  /// Bytes from the start of a framed command to its body.
  public static let bodyOffset = 4 + size

  public init(rawKind: UInt8, slot: Slot, context: CommandContext) {
    self.rawKind = rawKind
    self.slot = slot
    self.context = context
  }
  public var kind: CommandKind? { CommandKind(rawValue: rawKind) }

  @inline(__always) func encode(into buffer: inout ByteBuffer) {
    buffer.append(rawKind)
    buffer.append(UInt8(0))
    buffer.append(slot.rawValue)
    buffer.append(context.tenant.rawValue)
    buffer.append(context.principal.rawValue)
    buffer.append(context.fingerprint)
  }
  /// Reads the header of a framed command. Throws if it is cut, or its length is not that of `command`.
  public init(of command: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(command)
    try self.init(framed: &reader)
  }
  @inline(__always) init(framed reader: inout ByteReader) throws(MalformedBytes) {
    let count: UInt32 = try reader.read()
    guard Int(count) == reader.remaining else { throw MalformedBytes("a command's length is not its frame's") }
    rawKind = try reader.read()
    let _: UInt8 = try reader.read()
    let rawSlot: UInt16 = try reader.read()
    guard rawSlot < UInt16(Slot.count) else { throw MalformedBytes("slot \(rawSlot) is out of range") }
    slot = Slot(rawSlot)
    let tenant: UInt32 = try reader.read()
    let principal: UInt32 = try reader.read()
    let fingerprint: UInt64 = try reader.read()
    context = CommandContext(
      tenant: TenantID(tenant), principal: PrincipalID(principal), fingerprint: fingerprint)
  }
}
