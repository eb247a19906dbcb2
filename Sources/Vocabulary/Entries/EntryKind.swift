import Base

/// A kind of entry: what an operator sets up, by `KIND SET`, `SHOW`, `LIST` and `HISTORY`. This declaration is all there is
/// of it: parsing, help, encoding, versions, snapshots, lists and what shards are told are made of it. One more is a file
/// beside this one and a line of `all`.
public struct EntryKind: Sendable {
  /// A word of its key.
  public struct KeyPart: Sendable {
    /// As help has it: `sku`.
    public let place: String
    /// As records have it: `product`.
    public let name: String
    /// The word of the kind of which there must be such an entry.
    public let reference: String?
    public init(_ place: String, named name: String? = nil, reference: String? = nil) {
      self.place = place
      self.name = name ?? place
      self.reference = reference
    }
  }
  /// In logs and snapshots, for ever; 1 to `mostKinds`.
  public let number: Int
  /// In capitals, as a person types it.
  public let word: String
  public let key: [KeyPart]
  /// In the order of records. Numbers are for ever, those of fields that are gone too.
  public let fields: [EntryField]
  /// It takes `x.NAME=VALUE`.
  public let takesAttributes: Bool
  /// Shards decide by it: each of its changes is logged in every shard.
  public let isForShards: Bool
  /// The semantics from which shards are told of it.
  public let toldSince: UInt8
  /// The field that a `SET` may also say by its place, behind the key; nil: none.
  public let bareField: String?
  /// A `SET` may say `until=`: what it says holds from its `from` to that moment, and not for good.
  public let hasBounds: Bool
  /// The most entries of it: of one tenant, and in all.
  public let most: (tenant: Int, all: Int)
  /// The semantics from which there may be some: by then every node knows it.
  public let since: UInt8
  let summary: String
  /// What may follow `WORD SET`.
  let example: String

  /// - Parameters:
  ///   - place: what help calls its key.
  ///   - fields: `state` is added at their end, if it is not among them.
  public init(
    _ number: Int, _ word: String, key place: String, _ fields: [EntryField], takesAttributes: Bool = false,
    hasBounds: Bool = false, most: (tenant: Int, all: Int) = (EntryKind.mostEntries, EntryKind.mostEntries),
    since: UInt8 = 1, summary: String, example: String
  ) {
    self.init(
      number, word, keys: [KeyPart(place, named: word.lowercased())], fields, takesAttributes: takesAttributes,
      hasBounds: hasBounds, most: most, since: since, summary: summary, example: example)
  }
  /// One with a key of several words.
  public init(
    _ number: Int, _ word: String, keys: [KeyPart], _ fields: [EntryField], takesAttributes: Bool = false,
    hasBounds: Bool = false, bareField: String? = nil,
    most: (tenant: Int, all: Int) = (EntryKind.mostEntries, EntryKind.mostEntries),
    since: UInt8 = 1, summary: String, example: String
  ) {
    self.number = number
    self.word = word
    key = keys
    self.fields = fields.contains { $0.number == EntryField.stateNumber } ? fields : fields + [.state()]
    self.takesAttributes = takesAttributes
    let told = self.fields.filter { $0.traits.contains(.shards) }
    isForShards = !told.isEmpty
    toldSince = max(since, told.map(\.toldSince).min() ?? since)
    self.hasBounds = hasBounds
    self.bareField = bareField
    backdated = self.fields.filter { $0.traits.contains(.backdated) }.map(\.number)
    unjournaled = self.fields.filter { $0.traits.contains(.unjournaled) }.map(\.number)
    hasExclusive = self.fields.contains { $0.traits.contains(.exclusive) }
    self.most = most
    self.since = since
    self.summary = summary
    self.example = example
  }

  /// Every kind there is: a line each.
  public static let all: [EntryKind] = [
    program,
    merchant,
    org,
    terminal,
    product,
    cardType,
    policy,
    rule,
    campaign,
    tier,
    quota,
    message,
  ]

  public func field(_ name: String) -> EntryField? { fields.first { $0.name == name } }
  public func field(number: Int) -> EntryField? { fields.first { $0.number == number } }
  /// Numbers of the fields that shards ask for as they were.
  public let backdated: [Int]
  /// Numbers of the fields that are kept out of the journal.
  public let unjournaled: [Int]
  /// Some field is `yes` of one entry alone.
  public let hasExclusive: Bool
  /// What stands for it in records and texts: `product`.
  public var name: String { word.lowercased() }

  // MARK: Bounds, for ever

  /// Numbers of kinds are no greater.
  public static let mostKinds = 63
  /// Entries of all kinds together.
  public static let mostEntries = 1_000_000
  /// Changes of one entry that have yet to begin.
  public static let mostAnnounced = 64
  /// `x.NAME` of one entry.
  public static let mostAttributes = 32
  /// How many entries of a tree may be above each other.
  public static let deepest = 16
  /// A purchase is backdated by no more days.
  public static let longestBackdate: Int64 = 366
}
