import Base

/// What bytes may be: made once, never freed.
enum ByteClass {
  /// A byte of identifiers.
  static let identifier: UInt8 = 1

  nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    table.initialize(repeating: 0, count: 256)
    for byte in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-".utf8 {
      table[Int(byte)] = identifier
    }
    return UnsafePointer(table)
  }()
}

extension ValueShape {
  /// Whether the value has this shape; its number is set.
  @inline(__always) func accepts(_ value: UnsafeMutablePointer<Request.Value>, _ classes: UnsafePointer<UInt8>) -> Bool
  {
    switch self {
    case .identifier: ValueShape.isIdentifier(value.pointee.start, value.pointee.count, classes)
    case .who: ValueShape.isWho(value, classes)
    case .points: ValueShape.isWhole(value, 1...ValueShape.maximumAmount)
    case .spend: ValueShape.isWhole(value, 0...ValueShape.maximumAmount)
    case .free: true
    default: acceptsRare(value)
    }
  }

  @inline(never) private func acceptsRare(_ value: UnsafeMutablePointer<Request.Value>) -> Bool {
    switch self {
    case .free, .identifier, .who, .points, .spend: false
    case .transaction:
      ValueShape.set(value, ValueShape.transaction(value.pointee.bytes))
    case .text: ValueShape.isText(value.pointee.bytes)
    case .moment: ValueShape.set(value, Moment.parse(value.pointee.bytes))
    case .rate: ValueShape.set(value, ValueShape.rate(value.pointee.bytes))
    case .expiry: ValueShape.set(value, ValueShape.expiry(value.pointee.bytes))
    case .days: ValueShape.set(value, ValueShape.counted(value.pointee.bytes, unit: UInt8(ascii: "d"), 0...36_500))
    case .utcOffset: ValueShape.set(value, ValueShape.utcOffset(value.pointee.bytes))
    case .ttl: ValueShape.isWhole(value, 1...2_592_000)
    case .limit: ValueShape.isWhole(value, 1...10_000)
    case .readMode: ValueShape.isOne(of: ["leader", "local"], value)
    case .programKind: ValueShape.isOne(of: ["points", "money"], value)
    case .merchantState: ValueShape.isOne(of: ["active", "frozen", "closed"], value)
    case .shardCount: ValueShape.isWhole(value, 1...4096)
    case .replicaCount: ValueShape.isWhole(value, 1...9)
    case .shardNumber: ValueShape.isWhole(value, 0...65_535)
    case .yesNo: ValueShape.isOne(of: ["no", "yes"], value)
    }
  }

  private static func set(_ value: UnsafeMutablePointer<Request.Value>, _ number: Int64?) -> Bool {
    guard let number else { return false }
    value.pointee.number = number
    return true
  }

  @inline(__always) static func isIdentifier(
    _ start: UnsafeRawPointer, _ count: Int, _ classes: UnsafePointer<UInt8>
  ) -> Bool {
    guard count > 0 && count <= maximumIdentifierBytes else { return false }
    var all = ByteClass.identifier
    for i in 0..<count { all &= classes[Int(start.load(fromByteOffset: i, as: UInt8.self))] }
    return all != 0
  }

  @inline(__always) private static func isWho(
    _ value: UnsafeMutablePointer<Request.Value>, _ classes: UnsafePointer<UInt8>
  ) -> Bool {
    value.pointee.number = 0
    if isIdentifier(value.pointee.start, value.pointee.count, classes) { return true }
    guard value.pointee.count > 5,
      value.pointee.start.loadUnaligned(as: UInt32.self).littleEndian | 0x2020_2020 == 0x6472_6163,
      value.pointee.start.load(fromByteOffset: 4, as: UInt8.self) == UInt8(ascii: ":")
    else { return false }
    value.pointee.number = 1
    return isIdentifier(value.pointee.start + 5, value.pointee.count - 5, classes)
  }

  @inline(__always) private static func isWhole(
    _ value: UnsafeMutablePointer<Request.Value>, _ range: ClosedRange<Int64>
  ) -> Bool {
    guard let number = parseDigits(value.pointee.bytes), range.contains(Int64(number)) else { return false }
    value.pointee.number = Int64(number)
    return true
  }

  private static func isOne(of words: [StaticString], _ value: UnsafeMutablePointer<Request.Value>) -> Bool {
    for (i, word) in words.enumerated() {
      let bytes = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
      if bytes.elementsEqual(value.pointee.bytes) {
        value.pointee.number = Int64(i)
        return true
      }
    }
    return false
  }

  /// Valid UTF-8 of at most 256 bytes without U+0000…U+001F and U+007F…U+009F.
  private static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count <= maximumTextBytes, let text = String(validating: bytes, as: UTF8.self) else { return false }
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

  private static func rate(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    guard let slash = bytes.firstIndex(of: UInt8(ascii: "/")),
      let points = parseDigits(UnsafeRawBufferPointer(rebasing: bytes[..<slash])), points <= 1_000_000_000,
      let minorUnits = parseDigits(UnsafeRawBufferPointer(rebasing: bytes[(slash + 1)...])),
      (1...1_000_000_000).contains(minorUnits)
    else { return nil }
    return Int64(points) << 32 | Int64(minorUnits)
  }

  private static func expiry(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    if bytes.elementsEqual("never".utf8) { return 0 }
    if let days = counted(bytes, unit: UInt8(ascii: "d"), 1...36_500) { return days }
    return counted(bytes, unit: UInt8(ascii: "m"), 1...1200).map { -$0 }
  }

  /// `N` and a unit's letter.
  private static func counted(
    _ bytes: UnsafeRawBufferPointer, unit: UInt8, _ range: ClosedRange<Int64>
  ) -> Int64? {
    guard bytes.last == unit, let number = parseDigits(UnsafeRawBufferPointer(rebasing: bytes.dropLast())),
      range.contains(Int64(number))
    else { return nil }
    return Int64(number)
  }

  /// `+HH:MM` or `-HH:MM` in minutes.
  private static func utcOffset(_ bytes: UnsafeRawBufferPointer) -> Int64? {
    guard bytes.count == 6, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
      bytes[3] == UInt8(ascii: ":"), let hours = Moment.digits(bytes, 1, 2), let minutes = Moment.digits(bytes, 4, 2),
      minutes < 60, hours * 60 + minutes <= 14 * 60
    else { return nil }
    return bytes[0] == UInt8(ascii: "-") ? -(hours * 60 + minutes) : hours * 60 + minutes
  }
}
