/// One row of the vocabulary: all that is known of a verb but its own code. The parser, `HELP`, `COMMAND DOCS`, routing and
/// resending are made of these.
public struct VerbSpec: Sendable {
  /// Where `HELP` lists it.
  public enum Group: String, CaseIterable, Sendable {
    case points = "Points"
    case reading = "Reading"
    case members = "Members and cards"
    case setup = "Set-up"
    case access = "Users and tenants"
    case cluster = "Cluster"
    case connection = "Connection"
  }
  /// The place that decides it, or answers it.
  public enum Route: UInt8, Sendable, BitwiseCopyable {
    /// The slot of the member that the first place names, if need be by a card.
    case member
    /// The slot of the transaction in the first place.
    case transaction
    /// The slot of the card number: see `Argument.Part.card`.
    case card
    /// The slot of the card number if there is one, else that of the member.
    case cardIfGiven
    case directory
    /// The node at hand, which may ask others.
    case node
    /// The node at hand, from what it knows of the connection.
    case connection
    /// A shard, by the slot in the header: what nodes and shards say to each other.
    case inner
  }
  /// What it does to the books.
  public enum Effect: UInt8, Sendable, BitwiseCopyable {
    /// Nothing: it may be evaluated again at will.
    case read
    /// It moves points, and so has a request id that is known again.
    case movesPoints
    case changes
  }
  /// What else the node has to know.
  public struct Traits: OptionSet, Sendable, BitwiseCopyable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }
    /// It waits until all before it on its connection is answered, and what follows waits for it: it touches more than one
    /// member, or the catalogue, or the cluster, or may take effect on a second attempt alone.
    @inlinable public static var barrier: Traits { Traits(rawValue: 1) }
    /// The same, where it names a card.
    @inlinable public static var barrierWithCard: Traits { Traits(rawValue: 2) }
    /// It costs a node far more than others do.
    @inlinable public static var costly: Traits { Traits(rawValue: 4) }
    /// It is served on the last connections, which are kept for operators.
    @inlinable public static var reserved: Traits { Traits(rawValue: 8) }
    /// It needs no cluster.
    @inlinable public static var alone: Traits { Traits(rawValue: 16) }
    /// Each record of its answer is read from the disk, and counts against what a client may have outstanding.
    @inlinable public static var recordsFromDisk: Traits { Traits(rawValue: 32) }
    /// It makes state grow that may stay for years.
    @inlinable public static var grows: Traits { Traits(rawValue: 64) }
    /// It is about the shard that applies it, whichever slots that owns.
    @inlinable public static var ofShard: Traits { Traits(rawValue: 128) }
    /// Its command carries who asks: see `Actor`.
    @inlinable public static var namesActor: Traits { Traits(rawValue: 256) }
  }

  public let verb: Verb
  /// Where its rule stands: its verb's raw value, or behind all of these one for each verb of each kind of entry. Kept nowhere.
  public let number: UInt16
  /// Whose entries it is about.
  public let kind: EntryKind?
  /// One or two words, in capitals.
  public let words: [String]
  public let group: Group
  /// Those that are known by their place, then those that are known by their key. What a command has of them is numbered by
  /// this order, in logs too: only add, at the end. At most 62.
  public let arguments: [Argument]
  /// How many words may follow it that are not `key=value`.
  public let maximumPositionals: Int
  /// No word is read as `key=value`.
  public let takesFreeWords: Bool
  public let route: Route
  public let effect: Effect
  public let traits: Traits
  /// Who may ask for it, once there are users.
  public let roles: Roles
  /// First words behind the verb with which it changes nothing, unless `apply=` is said; empty: none. `readers` may say them, too.
  public let reads: [String]
  /// What it takes a shard, in units of a purchase: 1 µs or two.
  public let work: UInt16
  /// What its answer has: the names of a record's fields, or in words.
  public let reply: String
  /// One sentence.
  public let summary: String
  /// A request that can be typed as it stands.
  public let example: String

  init(
    _ verb: Verb, _ words: String, _ group: Group, _ arguments: [Argument], _ route: Route,
    _ effect: Effect, traits: Traits = [], work: UInt16 = 2, roles: Roles? = nil, reads: [String] = [],
    reply: String, summary: String, example: String
  ) {
    self.init(
      verb, words, group, arguments, free: false, atMost: arguments.count { !$0.isKeyed }, route, effect, work,
      traits, roles, reads: reads,
      reply: reply, summary: summary, example: example)
  }
  /// A verb of the connection: its words are free.
  init(
    _ verb: Verb, _ words: String, _ arguments: [Argument] = [], atMost: Int = VerbSpec.mostWords,
    traits: Traits = [], roles: Roles? = nil, reply: String, summary: String, example: String
  ) {
    self.init(
      verb, words, .connection, arguments, free: true, atMost: atMost, .connection, .read, 2, traits, roles,
      reply: reply,
      summary: summary, example: example)
  }
  /// A verb of a kind of entry.
  init(
    of kind: EntryKind, _ operation: EntryRequest.Operation, _ words: String, _ arguments: [Argument], _ effect: Effect,
    reply: String, summary: String, example: String
  ) {
    self.init(
      operation.verb, words, .setup, arguments, free: false, atMost: arguments.count { !$0.isKeyed }, .directory,
      effect,
      2, .barrier, Roles.ofEntries(kind, operation), reply: reply, summary: summary, example: example, of: kind,
      number: VerbRule.firstOfEntries + UInt16(kind.number) * UInt16(EntryRequest.Operation.allCases.count)
        + operation.rawValue)
  }
  private init(
    _ verb: Verb, _ words: String, _ group: Group, _ arguments: [Argument], free: Bool, atMost: Int, _ route: Route,
    _ effect: Effect, _ work: UInt16, _ traits: Traits, _ roles: Roles?, reads: [String] = [], reply: String,
    summary: String, example: String,
    of kind: EntryKind? = nil, number: UInt16? = nil
  ) {
    self.verb = verb
    self.number = number ?? verb.rawValue
    self.kind = kind
    self.words = words.split(separator: " ").map(String.init)
    self.group = group
    self.arguments = arguments
    maximumPositionals = atMost
    takesFreeWords = free
    self.route = route
    self.effect = effect
    self.traits = traits
    self.roles = roles ?? Roles.usual(group, effect)
    self.reads = reads
    self.work = work
    self.reply = reply
    self.summary = summary
    self.example = example
  }

  /// A request has no more words.
  public static let mostWords = 256

  /// Who may say it with one of `reads`, and no more.
  public var readers: Roles { reads.isEmpty ? [] : Roles.usual(group, .read).subtracting(roles) }
  /// Whether a request of this row changes nothing: it begins with one of `reads`.
  public func onlyReads(_ request: Request) -> Bool {
    guard !reads.isEmpty, !request.has(.apply) else { return false }
    let word = request.positionalCount > 0 ? String(decoding: request.positional(0), as: UTF8.self).uppercased() : ""
    return reads.contains(word)
  }

  public var positionals: [Argument] { arguments.filter { !$0.isKeyed } }
  public var requiredPositionals: Int { positionals.count { $0.need == .required } }
  /// Its keys with a need, in order.
  public func keys(_ need: Argument.Need) -> [Argument] { arguments.filter { $0.isKeyed && $0.need == need } }
  /// Its keys as a person reads them: those that must be there first.
  public var keys: [Argument] { keys(.required) + keys(.oneOf) + keys(.atMostOne) + keys(.optional) }
  public func argument(_ key: Key) -> Argument? { arguments.first { $0.key == key } }

  /// `EARN WHO merchant=m id=… spend=MINOR|points=N [program=p] [at=TIME]`
  public var usage: String {
    var parts = words
    for place in positionals { parts.append(place.need == .required ? place.text : "[\(place.text)]") }
    parts += keys(.required).map(\.text)
    if !keys(.oneOf).isEmpty { parts.append(keys(.oneOf).map(\.text).joined(separator: "|")) }
    if !keys(.atMostOne).isEmpty { parts.append("[\(keys(.atMostOne).map(\.text).joined(separator: "|"))]") }
    parts += keys(.optional).map { "[\($0.text)]" }
    return parts.joined(separator: " ")
  }

  /// Every verb of terminals, in the order in which `HELP` teaches them.
  public static let all = Language.standard.specs

  /// Every verb there is.
  static let table: [VerbSpec] = all + inner

  /// Where a verb stands in `table`, by raw value; of entries, the first kind's.
  static let position: [Int] = {
    var table = [Int](repeating: 0, count: Int(Verb.allCases.map(\.rawValue).max() ?? 0) + 1)
    for (i, spec) in VerbSpec.table.enumerated().reversed() { table[Int(spec.verb.rawValue)] = i }
    return table
  }()
}
