import Base

/// What stands at the front of every entry's payload; its commands follow, one behind the other.
public struct EntryHeader: Hashable, Sendable {
  /// How the payload is laid out. 2 is the only one that is known.
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

  public static let currentFormat: UInt8 = 2
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
