extension Operation.Kind {
  static let names = ["earn", "redeem", "hold", "capture", "release", "transfer", "balance"]
  public var name: String { Operation.Kind.names[Int(rawValue)] }
}

extension Operation {
  /// The operation as a line of a history, without the line's end.
  public var line: String {
    var line = "\(begin) \(result == .inDoubt ? "-" : "\(end)") \(client) \(kind.name) \(member)"
    if kind != .balance && points != 0 { line += " points=\(points)" }
    if !id.isEmpty { line += " id=\(id)" }
    if !hold.isEmpty { line += " hold=\(hold)" }
    if !to.isEmpty { line += " to=\(to)" }
    if let expires { line += " expires=\(expires)" }
    switch result {
    case .ok: line += " result=ok"
    case .refused: line += " result=refused"
    case .rejected: line += " result=rejected"
    case .inDoubt: break
    }
    if !code.isEmpty { line += " code=\(code)" }
    if let balance { line += " balance=\(balance)" }
    if let held { line += " held=\(held)" }
    if let available { line += " available=\(available)" }
    if let local { line += " local=\(local)" }
    return line
  }

  init(parsing line: Slice<UnsafeRawBufferPointer>) throws(LineError) {
    var words = Words(line)
    let begin = try words.number("BEGIN")
    let end = try words.next("END")
    let isInDoubt = end.count == 1 && end.first == UInt8(ascii: "-")
    let client = String(decoding: try words.next("CLIENT"), as: UTF8.self)
    let verb = try words.next("OP")
    guard let kind = Kind.allCases.first(where: { verb.elementsEqual($0.name.utf8) }) else {
      throw LineError(reason: "'\(String(decoding: verb, as: UTF8.self))' is not an operation")
    }
    let member = String(decoding: try words.next("MEMBER"), as: UTF8.self)
    self.init(
      kind, member: member, client: client, begin: begin, end: isInDoubt ? .max : try Words.natural(end, "END"),
      result: .inDoubt)
    while !words.isAtEnd {
      let word = try words.next("key=value")
      guard let equals = word.firstIndex(of: UInt8(ascii: "=")) else {
        throw LineError(reason: "'\(String(decoding: word, as: UTF8.self))' is not key=value")
      }
      try set(word[..<equals], word[(equals + 1)...])
    }
    try check(isInDoubt: isInDoubt)
  }

  private mutating func set(
    _ key: Slice<UnsafeRawBufferPointer>, _ value: Slice<UnsafeRawBufferPointer>
  ) throws(LineError) {
    let name = String(decoding: key, as: UTF8.self)
    switch name {
    case "points":
      points = try Words.integer(value, name)
      // Sums of these must not overflow: the product's own limit is 10^15.
      guard points >= 0, points <= 1_000_000_000_000_000 else { throw LineError(reason: "points= is out of range") }
    case "id": id = String(decoding: value, as: UTF8.self)
    case "hold": hold = String(decoding: value, as: UTF8.self)
    case "to": to = String(decoding: value, as: UTF8.self)
    case "code": code = String(decoding: value, as: UTF8.self)
    case "balance": balance = try Words.integer(value, name)
    case "held": held = try Words.integer(value, name)
    case "available": available = try Words.integer(value, name)
    case "local": local = try Words.natural(value, name)
    case "expires": expires = try Words.natural(value, name)
    case "result":
      if value.elementsEqual("ok".utf8) {
        result = .ok
      } else if value.elementsEqual("refused".utf8) {
        result = .refused
      } else if value.elementsEqual("rejected".utf8) {
        result = .rejected
      } else {
        throw LineError(reason: "result= is ok, refused or rejected")
      }
    default: throw LineError(reason: "'\(name)=' is not a field")
    }
  }

  private func check(isInDoubt: Bool) throws(LineError) {
    if isInDoubt != (result == .inDoubt) {
      throw LineError(reason: isInDoubt ? "a result without END" : "END without result=")
    }
    if begin > end { throw LineError(reason: "END is before BEGIN") }
    switch kind {
    case .earn, .redeem, .hold, .transfer:
      if points == 0 { throw LineError(reason: "points= is missing") }
    case .capture, .release:
      if hold.isEmpty { throw LineError(reason: "hold= is missing") }
    case .balance: break
    }
    if (kind == .transfer) == to.isEmpty { throw LineError(reason: "to= is of each transfer and of nothing else") }
    if to == member { throw LineError(reason: "to= is the sender") }
  }
}

/// The words of a line, one space between each two.
private struct Words {
  typealias Word = Slice<UnsafeRawBufferPointer>
  private let line: Word
  private var at: Int
  init(_ line: Word) {
    self.line = line
    at = line.startIndex
  }
  var isAtEnd: Bool { at >= line.endIndex }

  mutating func next(_ name: String) throws(LineError) -> Word {
    let start = at
    while at < line.endIndex && line[at] != UInt8(ascii: " ") { at += 1 }
    guard at > start else { throw LineError(reason: "\(name) is missing") }
    let word = line[start..<at]
    if at < line.endIndex {
      at += 1
      if at == line.endIndex { throw LineError(reason: "a space at the end") }
    }
    return word
  }
  mutating func number(_ name: String) throws(LineError) -> UInt64 { try Words.natural(try next(name), name) }

  static func natural(_ word: Word, _ name: String) throws(LineError) -> UInt64 {
    let value = try integer(word, name)
    guard value >= 0 else { throw LineError(reason: "\(name) is below zero") }
    return UInt64(value)
  }
  /// At most 2 × 10^18: what microseconds and balances need, and no sum of a few overflows.
  static func integer(_ word: Word, _ name: String) throws(LineError) -> Int64 {
    let isNegative = word.first == UInt8(ascii: "-")
    let digits = isNegative ? word.dropFirst() : word
    guard !digits.isEmpty, digits.count <= 19 else { throw LineError(reason: "\(name) is not a number") }
    var value: Int64 = 0
    for digit in digits {
      guard digit >= 48 && digit <= 57, value < 200_000_000_000_000_000 else {
        throw LineError(reason: "\(name) is not a number")
      }
      value = value * 10 + Int64(digit - 48)
    }
    return isNegative ? -value : value
  }
}
