import Base

/// A positional word or a key's value in place, and the number that its shape made of it.
@frozen public struct ArgumentValue: BitwiseCopyable {
  public var start: UnsafeRawPointer
  public var count: Int
  public var number: Int64
  @inlinable @inline(__always) public init(start: UnsafeRawPointer, count: Int, number: Int64 = 0) {
    self.start = start
    self.count = count
    self.number = number
  }
  @inlinable @inline(__always) public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: start, count: count)
  }
}

/// What bytes may be: made once, never freed.
public enum ByteClass {
  /// A byte of identifiers.
  public static let identifier: UInt8 = 1

  nonisolated(unsafe) public static let table: UnsafePointer<UInt8> = {
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    table.initialize(repeating: 0, count: 256)
    for byte in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-".utf8 {
      table[Int(byte)] = identifier
    }
    return UnsafePointer(table)
  }()
}

extension Shape {
  /// Whether the value has this shape; its number is set. O(bytes), and nothing is allocated.
  @inlinable @inline(__always) public func accepts(
    _ value: UnsafeMutablePointer<ArgumentValue>, _ classes: UnsafePointer<UInt8>
  ) -> Bool {
    switch self {
    case .identifier: Shape.isIdentifier(value.pointee.start, value.pointee.count, classes)
    case .who: Shape.isWho(value, classes)
    case .points, .spend: Shape.isWhole(value, range)
    case .free: true
    default: acceptsRare(value)
    }
  }

  /// Whether a text has this shape. Not for the hot path.
  public func accepts(_ text: UnsafeRawBufferPointer) -> Bool { EntryField.number(text, self) != nil }

  @inline(never) @usableFromInline func acceptsRare(_ value: UnsafeMutablePointer<ArgumentValue>) -> Bool {
    let bytes = value.pointee.bytes
    switch self {
    case .ttl, .limit, .historyLimit, .shardCount, .replicaCount, .shardNumber, .version, .basisPoints,
      .moveCount, .slot, .priority, .amount, .wait:
      return Shape.isWhole(value, range)
    case .holder: return bytes.isEmpty || Shape.isWho(value, ByteClass.table)
    case .readMode, .yesNo, .memberState, .role, .standing, .direction: return isChoice(value)
    case .text, .note: return isText(bytes)
    case .newMember: return bytes.isIdentifier || bytes.elementsEqual("*".utf8)
    case .yearWindows: return YearWindow.parse(bytes) != nil
    case .closing: return ClosingText(bytes) != nil
    case .caps: return Shape.isCaps(bytes)
    case .lines: return SaleLine.parse(bytes) { _ in }
    case .cursor: return bytes.count <= maximumBytes && Shape.isCursor(bytes)
    case .word: return bytes.isEmpty || bytes.isIdentifier
    case .date: return bytes.isEmpty || MomentText.parseDate(bytes) != nil
    // The parser alone makes them.
    case .attributes: return false
    case .tags: return Shape.isTags(bytes)
    case .alias: return Shape.isAlias(value)
    case .entryKey:
      return bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        .allSatisfy { UnsafeRawBufferPointer(rebasing: $0).isIdentifier }
    default: break
    }
    guard let number = number(of: bytes) else { return false }
    value.pointee.number = number
    return true
  }
  /// What a rarer notation says.
  private func number(of bytes: UnsafeRawBufferPointer) -> Int64? {
    switch self {
    case .transaction: Shape.transaction(bytes)
    case .moment: MomentText.parse(bytes)
    case .dateOrMoment: MomentText.parseDate(bytes).map { -1 - $0 } ?? MomentText.parse(bytes, inAnyZone: true)
    case .rate: Shape.fraction(bytes, from: 0)
    case .fraction: Shape.fraction(bytes, from: 1)
    case .expiry: ExpiryText(bytes)?.number
    case .days, .backdate: Shape.counted(bytes, unit: UInt8(ascii: "d"), range)
    case .utcOffset: Shape.utcOffset(bytes)
    case .span: Shape.span(bytes)
    case .byteRate: Shape.byteRate(bytes)
    default: nil
    }
  }

  @inlinable @inline(__always) public static func isIdentifier(
    _ start: UnsafeRawPointer, _ count: Int, _ classes: UnsafePointer<UInt8>
  ) -> Bool {
    guard count > 0 && count <= maximumIdentifierBytes else { return false }
    var all: UInt8 = 1
    for i in 0..<count { all &= classes[Int(start.load(fromByteOffset: i, as: UInt8.self))] }
    return all != 0
  }

  /// Base64url without padding.
  private static func isCursor(_ bytes: UnsafeRawBufferPointer) -> Bool {
    !bytes.isEmpty && bytes.allSatisfy { ByteClass.table[Int($0)] == ByteClass.identifier && $0 != UInt8(ascii: ".") }
  }

  @inlinable @inline(__always) static func isWho(
    _ value: UnsafeMutablePointer<ArgumentValue>, _ classes: UnsafePointer<UInt8>
  ) -> Bool {
    value.pointee.number = 0
    if isIdentifier(value.pointee.start, value.pointee.count, classes) { return true }
    return isAliasOfWho(value)
  }
  /// The value stays as it was sent: see `Request.who`.
  @inline(never) @usableFromInline static func isAliasOfWho(_ value: UnsafeMutablePointer<ArgumentValue>) -> Bool {
    guard let start = AliasKey.start(of: value.pointee.bytes) else { return false }
    value.pointee.number = start > 0 ? 1 : 2
    return true
  }
  private static func isAlias(_ value: UnsafeMutablePointer<ArgumentValue>) -> Bool {
    guard let start = AliasKey.start(of: value.pointee.bytes) else { return false }
    value.pointee.start += start
    value.pointee.count -= start
    return true
  }

  @inlinable @inline(__always) static func isWhole(
    _ value: UnsafeMutablePointer<ArgumentValue>, _ range: ClosedRange<Int64>?
  ) -> Bool {
    guard let range, let number = parseDigits(value.pointee.bytes), range.contains(Int64(number)) else { return false }
    value.pointee.number = Int64(number)
    return true
  }

  private static func isTags(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let words = bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    return words.count <= 64 && words.allSatisfy { UnsafeRawBufferPointer(rebasing: $0).isIdentifier }
  }
  private static func isCaps(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var seen: Set<String> = []
    return bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).allSatisfy { part in
      guard let slash = part.firstIndex(of: UInt8(ascii: "/")),
        let limit = parseDigits(UnsafeRawBufferPointer(rebasing: part[..<slash])), limit <= UInt64(maximumAmount)
      else { return false }
      let window = String(decoding: part[(slash + 1)...], as: UTF8.self)
      return ["day", "week", "month", "year"].contains(window) && seen.insert(window).inserted
    }
  }
  private func isChoice(_ value: UnsafeMutablePointer<ArgumentValue>) -> Bool {
    for (i, word) in choices.enumerated() where word.utf8.elementsEqual(value.pointee.bytes) {
      value.pointee.number = Int64(i)
      return true
    }
    return false
  }

  /// Valid UTF-8 without U+0000…U+001F and U+007F…U+009F.
  private func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count <= maximumBytes, let text = String(validating: bytes, as: UTF8.self) else { return false }
    return text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
  }

  /// A transaction's number. One that no slot can give, as `99999-1`, is as good as any other that does not exist: it stands
  /// for the last number of slot 0, which is never reached.
  private static func transaction(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    if let known = TransactionID(parsing: bytes) { return Int64(bitPattern: known.rawValue) }
    guard let dash = bytes.firstIndex(of: UInt8(ascii: "-")), bytes.count <= 64 else { return nil }
    let parts = [bytes[..<dash], bytes[(dash + 1)...]]
    guard parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }) else { return nil }
    return 0xFFFF_FFFF_FFFF
  }

  private static func fraction(_ bytes: UnsafeRawBufferPointer, from least: UInt64) -> Int64? {
    guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")), let range = Shape.fraction.range,
      let numerator = parseDigits(UnsafeRawBufferPointer(rebasing: bytes[..<slash])), numerator >= least,
      numerator <= range.upperBound,
      let denominator = parseDigits(UnsafeRawBufferPointer(rebasing: bytes[(slash + 1)...])),
      range.contains(Int64(denominator))
    else { return nil }
    return Int64(numerator) << 32 | Int64(denominator)
  }

  private static func span(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    if bytes.elementsEqual("off".utf8) { return 0 }
    let units: [UInt8: Int64] = [0x73: 1, 0x6D: 60, 0x68: 3_600, 0x64: 86_400]
    guard let last = bytes.last, let unit = units[last], let range = Shape.span.range,
      let number = parseDigits(UnsafeRawBufferPointer(rebasing: bytes.dropLast())),
      number <= UInt64(range.upperBound), range.contains(Int64(number) * unit)
    else { return nil }
    return Int64(number) * unit
  }

  private static func byteRate(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    if bytes.elementsEqual("off".utf8) { return 0 }
    let units: [UInt8: Int64] = [0x4B: 1_000, 0x4D: 1_000_000, 0x47: 1_000_000_000]
    guard bytes.count > 2, bytes.last == UInt8(ascii: "B"), let unit = units[bytes[bytes.count - 2]],
      let range = Shape.byteRate.range, let number = parseDigits(UnsafeRawBufferPointer(rebasing: bytes.dropLast(2))),
      number <= UInt64(range.upperBound / unit), range.contains(Int64(number) * unit)
    else { return nil }
    return Int64(number) * unit
  }

  /// `N` and a unit's letter.
  static func counted(
    _ bytes: UnsafeRawBufferPointer, unit: UInt8, _ range: ClosedRange<Int64>?
  ) -> Int64? {
    guard bytes.last == unit, let number = parseDigits(UnsafeRawBufferPointer(rebasing: bytes.dropLast())),
      let range, range.contains(Int64(number))
    else { return nil }
    return Int64(number)
  }

  /// `+HH:MM` or `-HH:MM` in minutes.
  private static func utcOffset(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    guard bytes.count == 6, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
      bytes[3] == UInt8(ascii: ":"), let hours = MomentText.digits(bytes, 1, 2),
      let minutes = MomentText.digits(bytes, 4, 2),
      minutes < 60
    else { return nil }
    let offset = bytes[0] == UInt8(ascii: "-") ? -(hours * 60 + minutes) : hours * 60 + minutes
    return Shape.utcOffset.range?.contains(offset) == true ? offset : nil
  }
}
