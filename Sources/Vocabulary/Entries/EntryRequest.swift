import Base

/// What a request asks of entries, on its way to the directory: what it is about (`scope`: the kind, and the key where there
/// is one), then what it says, by the numbers of fields, as sent. Equal requests have equal bytes, in whatever order their
/// words came.
///
///     scope = kind:varint key:counted               parts of a key are divided by a 0; empty for LIST
///     rest  = field* 0                              see Base/Fields: those of the kind, then those below
public struct EntryRequest {
  public enum Operation: UInt16, CaseIterable, Sendable { case set = 0, show, list, history }
  /// Numbers behind those of all fields.
  public enum Number {
    /// `x.NAME=VALUE`: name and value, counted, by name.
    public static let attributes = 60_000
    /// `from=` or `at=`: a zigzag varint, see `Shape.dateOrMoment`.
    public static let moment = 60_001
    /// `before=`: a zigzag varint, the number of a version.
    public static let before = 60_002
    /// Of a `LIST`, a word that keys are to have: that one of its first word, and behind it those of the others.
    public static let key = 60_003
    /// `until=`: as `moment`.
    public static let until = 60_010
  }

  public let kind: UInt16
  public let key: UnsafeRawBufferPointer
  /// As sent; references, too. Empty: taken back.
  public private(set) var fields: [(number: Int, text: UnsafeRawBufferPointer)] = []
  public private(set) var attributes: [(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)] = []
  /// Of a `LIST`: words of keys, by their places.
  public private(set) var keys: [(place: Int, word: UnsafeRawBufferPointer)] = []
  public private(set) var moment: Int64?
  /// Of a `SET` of a kind that has bounds.
  public private(set) var until: Int64?
  /// Of a `HISTORY`.
  public private(set) var before: UInt32?

  /// Reads a scope and a rest. The views are into what is read.
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    let number = try reader.readVarint()
    guard number <= UInt64(EntryKind.mostKinds) else { throw MalformedBytes("no such kind of entry") }
    kind = UInt16(number)
    key = try reader.readCounted()
    try reader.readFields(of: "a request about entries") { number, value throws(MalformedBytes) in
      switch number {
      case Number.attributes:
        while !value.isAtEnd { attributes.append((try value.readCounted(), try value.readCounted())) }
      case Number.moment: moment = try value.readZigzag()
      case Number.until: until = try value.readZigzag()
      case Number.before:
        before = try value.readSmall()
        guard before != 0 else { throw MalformedBytes("there is no version 0") }
      case Number.key..<Number.key + 4: keys.append((number - Number.key, try value.readBytes(value.remaining)))
      default:
        guard number < Number.attributes else { return false }
        fields.append((number, try value.readBytes(value.remaining)))
      }
      return true
    }
  }
}

/// Makes an `EntryRequest` of a request's words, by the declaration of its kind.
public struct EntryRequestWriter {
  public enum Refusal: Error {
    case unexpected
    case unknownKey
    case twice
    /// A word of the key, or a field, must be something else.
    case wrong(name: String, isKeyed: Bool, requirement: String)
    /// A word of the key is missing.
    case missing(String)
  }
  private let kind: EntryKind
  private let operation: EntryRequest.Operation
  private var key: [UInt8] = []
  private var keyParts = 0
  private var values: [(number: Int, bytes: [UInt8])] = []
  private var attributes: [(name: [UInt8], value: [UInt8])] = []

  public init(_ kind: EntryKind, _ operation: EntryRequest.Operation) {
    self.kind = kind
    self.operation = operation
  }

  /// A word that is not `key=value`.
  public mutating func add(_ word: UnsafeRawBufferPointer) throws(Refusal) {
    if operation == .set, keyParts == kind.key.count, let name = kind.bareField, let field = kind.field(name) {
      guard accepts(field, word) else { throw .wrong(name: name, isKeyed: false, requirement: field.requirement) }
      return try keep(field.number, Array(word))
    }
    guard operation != .list, keyParts < kind.key.count else { throw .unexpected }
    guard word.isIdentifier else {
      throw .wrong(
        name: kind.key[keyParts].place, isKeyed: false, requirement: Shape.identifier.requirement)
    }
    if keyParts > 0 { key.append(0) }
    key += word
    keyParts += 1
  }
  /// A word `name=value`, but for those that mean the same with all verbs.
  public mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Refusal) {
    // Keys are blind to case, but for what follows `x.`.
    let word = String(decoding: name, as: UTF8.self).lowercased()
    let takesFields = operation == .set || operation == .list
    let own = operation.ownWord
    if word == own.word {
      guard let number = EntryField.number(value, own.shape) else {
        throw .wrong(name: word, isKeyed: true, requirement: own.shape.requirement)
      }
      try keep(own.number, EntryField.stored(number))
    } else if operation == .set, kind.hasBounds, word == "until" {
      guard let number = EntryField.number(value, .dateOrMoment) else {
        throw .wrong(name: word, isKeyed: true, requirement: Shape.dateOrMoment.requirement)
      }
      try keep(EntryRequest.Number.until, EntryField.stored(number))
    } else if takesFields, kind.takesAttributes, word.hasPrefix("x.") {
      let attribute = UnsafeRawBufferPointer(rebasing: name.dropFirst(2))
      guard attribute.isIdentifier else { throw .unknownKey }
      guard EntryField.number(value, .text) != nil else {
        throw .wrong(name: word, isKeyed: true, requirement: Shape.text.requirement)
      }
      guard !attributes.contains(where: { $0.name.elementsEqual(attribute) }) else { throw .twice }
      attributes.append((Array(attribute), Array(value)))
    } else if operation == .list, let place = kind.key.firstIndex(where: { $0.name == word }) {
      guard value.isIdentifier else {
        throw .wrong(name: word, isKeyed: true, requirement: Shape.identifier.requirement)
      }
      try keep(EntryRequest.Number.key + place, Array(value))
    } else {
      guard takesFields, let field = kind.field(word) else { throw .unknownKey }
      guard accepts(field, value) else { throw .wrong(name: word, isKeyed: true, requirement: field.requirement) }
      try keep(field.number, Array(value))
    }
  }
  private func accepts(_ field: EntryField, _ value: UnsafeRawBufferPointer) -> Bool {
    if operation == .list, case .reference = field.form { return value.isEmpty || value.isIdentifier }
    return operation == .list && value.isEmpty || field.accepts(value)
  }
  private mutating func keep(_ number: Int, _ bytes: [UInt8]) throws(Refusal) {
    guard !values.contains(where: { $0.number == number }) else { throw .twice }
    values.append((number, bytes))
  }

  /// Appends the request. Gives how many of its bytes are its scope.
  public func finish(into buffer: inout ByteBuffer) throws(Refusal) -> Int {
    guard operation == .list || keyParts == kind.key.count else { throw .missing(kind.key[keyParts].place) }
    let start = buffer.count
    buffer.append(varint: UInt64(kind.number))
    buffer.append(counted: key)
    let scope = buffer.count - start
    var all = values
    if !attributes.isEmpty {
      var list = ByteBuffer(capacity: 256)
      for (name, value) in attributes.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
        list.append(counted: name)
        list.append(counted: value)
      }
      all.append((EntryRequest.Number.attributes, list.array))
    }
    for (number, bytes) in all.sorted(by: { $0.number < $1.number }) { buffer.append(field: number, bytes) }
    buffer.appendEndOfFields()
    return scope
  }
}

extension EntryRequest.Operation {
  /// The word that says which moment, or which versions, are meant.
  var ownWord: (word: String, shape: Shape, number: Int) {
    switch self {
    case .set: ("from", .dateOrMoment, EntryRequest.Number.moment)
    case .show, .list: ("at", .dateOrMoment, EntryRequest.Number.moment)
    case .history: ("before", .version, EntryRequest.Number.before)
    }
  }
}

extension EntryField {
  /// Whether a `SET` may say that.
  public func accepts(_ text: UnsafeRawBufferPointer) -> Bool {
    if isCleared(by: text) { return true }
    guard case .reference(_, let isList) = form else { return stored(text) != nil }
    let names = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    return (isList ? names.count <= EntryField.mostReferences : names.count == 1)
      && names.allSatisfy { UnsafeRawBufferPointer(rebasing: $0).isIdentifier }
  }
  /// Whether it takes the value back. What has a standard or must be there has a value always.
  public func isCleared(by text: UnsafeRawBufferPointer) -> Bool {
    if let clearing, clearing.utf8.elementsEqual(text) { return true }
    return text.isEmpty && standard == nil && !traits.contains(.required) && !traits.contains(.fixed)
  }
}
