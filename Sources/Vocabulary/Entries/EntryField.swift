import Base

/// One field of a kind of entry: all that is said of it is said here.
public struct EntryField: Sendable {
  /// What its values look like.
  public enum Form: Sendable {
    /// Kept as the number that the shape makes of it, or as text.
    case shape(Shape)
    /// One of some words. Their order is for ever: only add, at the end.
    case choice([String])
    /// The key of an entry of the kind with that word, or several, divided by commas.
    case reference(String, isList: Bool)
  }
  public struct Traits: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// A new entry must have it.
    public static let required = Traits(rawValue: 1)
    /// It never changes.
    public static let fixed = Traits(rawValue: 2)
    /// Shards decide by it: it is part of what they are told.
    public static let shards = Traits(rawValue: 4)
    /// Of a tenant's entries of the kind one alone has `yes`: the one that said so last, and the first until one does.
    public static let exclusive = Traits(rawValue: 8)
    /// It names the entry above: there is no circle, and no more than `EntryKind.deepest` are above each other.
    public static let tree = Traits(rawValue: 16)
    /// Dates of the entry begin in its zone: the offset that it is, or that of the entry that it names.
    public static let zone = Traits(rawValue: 32)
    /// Shards ask what it was when a backdated purchase took place.
    public static let backdated = Traits(rawValue: 64)
    /// It never enters the journal, out of which nothing can be taken: in memory, snapshots and the log alone, which let go of
    /// it. `HISTORY` tells when it changed, and not to what; `SHOW` of a moment that only the journal knows is without it.
    public static let unjournaled = Traits(rawValue: 128)
  }
  /// What it is where nothing was said.
  public struct Standard: Sendable {
    let text: String
    /// Where another field, a choice, is that word, it is this instead.
    var exception: (field: String, word: String, text: String)?
    init(text: String, exception: (field: String, word: String, text: String)? = nil) {
      self.text = text
      self.exception = exception
    }
    /// - Parameter other: the text of another field.
    public func text(_ other: (String) -> String?) -> String {
      guard let exception, other(exception.field) == exception.word else { return text }
      return exception.text
    }
  }

  /// Its number in logs and snapshots, for ever. 1 is `state`.
  public let number: Int
  public let name: String
  public let form: Form
  public let traits: Traits
  public let standard: Standard?
  /// A word that takes the value back; an empty value does it too.
  public let clearing: String?
  /// The semantics from which it may be set: by then every node knows it.
  public let since: UInt8
  /// The semantics from which shards are told of it.
  public let toldSince: UInt8

  /// - Parameter toldSince: where it could be set before shards were told of it.
  public init(
    _ number: Int, _ name: String, _ form: Form, _ traits: Traits = [], standard: Standard? = nil,
    clearing: String? = nil, since: UInt8 = 1, toldSince: UInt8? = nil
  ) {
    self.number = number
    self.name = name
    self.form = form
    self.traits = traits
    self.standard = standard
    self.clearing = clearing
    self.since = since
    self.toldSince = max(since, toldSince ?? since)
  }

  /// The semantics from which programs have policies: what is set up by fields of these is known to all nodes.
  public static let policies: UInt8 = 4
  /// The semantics from which there are messages.
  public static let service: UInt8 = 5
  /// The semantics from which shards know which card types are stopped.
  public static let checked: UInt8 = 7
  /// The semantics from which shards know which orgs are stopped.
  public static let settled: UInt8 = 8
  /// The semantics from which a value may be set.
  public func since(_ text: UnsafeRawBufferPointer) -> UInt8 {
    guard case .shape(.expiry) = form, let expiry = ExpiryText(text), !expiry.isOld else { return since }
    return max(since, EntryField.policies)
  }

  public static let stateNumber = 1
  static func text(_ number: Int, _ name: String) -> EntryField { .init(number, name, .shape(.text)) }
  static func state(
    _ words: [String] = ["active", "stopped"], _ traits: Traits = [], toldSince: UInt8? = nil
  ) -> EntryField {
    .init(stateNumber, "state", .choice(words), traits, standard: .init(text: words[0]), toldSince: toldSince)
  }

  /// A list names no more entries.
  public static let mostReferences = 16

  // MARK: Values

  /// What an entry keeps of a value that is not a reference; nil if it has not the form.
  public func stored(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    switch form {
    case .choice(let words):
      guard let index = words.firstIndex(where: { $0.utf8.elementsEqual(text) }) else { return nil }
      return EntryField.stored(Int64(index))
    case .shape(let shape):
      guard let number = EntryField.number(text, shape) else { return nil }
      return shape.wire == .text ? Array(text) : EntryField.stored(number)
    case .reference: return nil
    }
  }
  public static func stored(_ number: Int64) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 16)
    buffer.append(zigzag: number)
    return buffer.array
  }
  /// What a shape makes of a value; nil if it has it not.
  static func number(_ text: UnsafeRawBufferPointer, _ shape: Shape) -> Int64? {
    guard let start = text.baseAddress else { return shape == .text ? 0 : nil }
    var value = ArgumentValue(start: start, count: text.count)
    return shape.accepts(&value, ByteClass.table) ? value.number : nil
  }
  /// What is kept, as it is shown; nothing of a reference.
  public func text(_ stored: UnsafeRawBufferPointer) -> String {
    switch form {
    case .choice(let words):
      let index = EntryField.number(stored: stored)
      return words.indices.contains(Int(index)) ? words[Int(index)] : ""
    case .shape(let shape) where shape.wire == .text: return String(decoding: stored, as: UTF8.self)
    case .shape(let shape): return shape.text(of: EntryField.number(stored: stored))
    case .reference: return ""
    }
  }
  public static func number(stored: [UInt8]) -> Int64 { stored.withUnsafeBytes { number(stored: $0) } }
  public static func number(stored: UnsafeRawBufferPointer) -> Int64 {
    var reader = ByteReader(stored)
    return (try? reader.readZigzag()) ?? 0
  }
  /// It is shown as a number, where replies have types.
  public var isNumber: Bool {
    guard case .shape(let shape) = form else { return false }
    return shape == .spend || shape == .basisPoints || shape == .points || shape == .priority
  }

  // MARK: Help

  /// The words of a choice as people read them: yes comes before no.
  private var choices: [String] {
    guard case .choice(let words) = form else { return [] }
    return words == Shape.yesNo.choices ? words.reversed() : words
  }
  /// Completes the sentence "`name=` must be …".
  public var requirement: String {
    let base =
      switch form {
      case .shape(let shape): shape.requirement
      case .choice: Shape.sentence(choices)
      case .reference(let kind, isList: false):
        "the \(kind.lowercased()) that is meant: \(Shape.identifier.requirement)"
      case .reference(let kind, isList: true):
        "one to \(EntryField.mostReferences) of \(kind.lowercased()), divided by commas, each \(Shape.identifier.requirement)"
      }
    return clearing.map { "\(base), or \($0)" } ?? base
  }
  public var placeholder: String {
    let base =
      switch form {
      case .shape(let shape): shape.placeholder
      case .choice: choices.joined(separator: "|")
      case .reference(let kind, isList: false): kind
      case .reference(let kind, isList: true): "\(kind)[,\(kind)…]"
      }
    return clearing.map { "\(base)|\($0)" } ?? base
  }
}
