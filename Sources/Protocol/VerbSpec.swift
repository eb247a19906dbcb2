/// The rules of one verb: the parser's table, `HELP` and `COMMAND DOCS` are all made of these.
public struct VerbSpec: Sendable {
  /// Where `HELP` lists it.
  public enum Group: String, CaseIterable, Sendable {
    case points = "Points"
    case reading = "Reading"
    case members = "Members and cards"
    case setup = "Programs and merchants"
    case cluster = "Cluster"
    case connection = "Connection"
  }
  /// A word that is known by its place.
  public struct Positional: Sendable {
    public var name: String
    public var shape: ValueShape
    static let who = Positional(name: "WHO", shape: .who)
    static let from = Positional(name: "FROM", shape: .who)
    static let to = Positional(name: "TO", shape: .who)
    static let transaction = Positional(name: "TX", shape: .transaction)
    static let id = Positional(name: "id", shape: .identifier)
    static let name = Positional(name: "name", shape: .identifier)
    static let number = Positional(name: "NUMBER", shape: .identifier)
    static func name(_ name: String) -> Positional { Positional(name: name, shape: .identifier) }
    static func free(_ name: String) -> Positional { Positional(name: name, shape: .free) }
  }

  public let verb: Verb
  /// One or two words, in capitals.
  public let words: [String]
  public let group: Group
  public let positionals: [Positional]
  /// How many of them must be there: the first ones.
  public let requiredPositionals: Int
  /// How many words may follow it that are not `key=value`.
  public let maximumPositionals: Int
  /// No word is read as `key=value`.
  public let takesFreeWords: Bool
  public let required: [Key]
  /// Exactly one of these must be there.
  public let oneOf: [Key]
  /// At most one of these may be there.
  public let atMostOne: [Key]
  public let optional: [Key]
  /// One sentence.
  public let summary: String
  /// A request that can be typed as it stands.
  public let example: String

  init(
    _ verb: Verb, _ words: String, _ group: Group, _ positionals: [Positional] = [], requiredPositionals: Int? = nil,
    free: Bool = false, atMost: Int? = nil, required: [Key] = [], oneOf: [Key] = [], atMostOne: [Key] = [],
    optional: [Key] = [],
    summary: String, example: String
  ) {
    self.verb = verb
    self.words = words.split(separator: " ").map(String.init)
    self.group = group
    self.positionals = positionals
    self.requiredPositionals = requiredPositionals ?? positionals.count
    self.maximumPositionals = atMost ?? (free ? RequestParser.maximumWords : positionals.count)
    self.takesFreeWords = free
    self.required = required
    self.oneOf = oneOf
    self.atMostOne = atMostOne
    self.optional = optional
    self.summary = summary
    self.example = example
  }

  /// What `limit=` may be at most. A history's records are each read from the disk.
  public var mostRecords: Int { verb == .history ? 1_000 : 10_000 }

  /// Completes the sentence "`key=` must be …".
  public func requirement(of key: Key) -> String {
    key == .limit ? "a whole number from 1 to \(mostRecords)" : key.shape.requirement
  }

  /// Every key that the verb knows.
  public var allowed: KeySet { KeySet(required + oneOf + atMostOne + optional) }

  /// `EARN WHO merchant=m id=… spend=MINOR|points=N [program=p] [at=TIME]`
  public var usage: String {
    func pair(_ key: Key) -> String { "\(key.word)=\(key.placeholder)" }
    var parts = words
    for (i, positional) in positionals.enumerated() {
      parts.append(i < requiredPositionals ? positional.name : "[\(positional.name)]")
    }
    parts += required.map(pair)
    if !oneOf.isEmpty { parts.append(oneOf.map(pair).joined(separator: "|")) }
    if !atMostOne.isEmpty { parts.append("[\(atMostOne.map(pair).joined(separator: "|"))]") }
    parts += optional.map { "[\(pair($0))]" }
    return parts.joined(separator: " ")
  }

  /// Where a verb stands in `all`, by raw value.
  static let position: [Int] = {
    var table = [Int](repeating: 0, count: 256)
    for (i, spec) in all.enumerated() { table[Int(spec.verb.rawValue)] = i }
    return table
  }()
}
