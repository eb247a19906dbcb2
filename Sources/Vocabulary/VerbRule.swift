/// A verb's row as the hot path wants it: flat, made once a process and never freed, found by the verb's raw value.
public struct VerbRule: BitwiseCopyable {
  public var verb = Verb.ping
  /// Its row's: see `VerbSpec.number`.
  public var number: UInt16 = 0
  public var route = VerbSpec.Route.connection
  public var effect = VerbSpec.Effect.read
  public var traits: VerbSpec.Traits = []
  public var work: UInt16 = 0
  public var takesFreeWords = false
  /// It has a place for several words, or for `x.NAME=VALUE`: see `RequestParser.interpretCollecting`.
  public var collects = false
  public var minimumPositionals = 0
  public var maximumPositionals = 0
  /// Sets of places: keys that it knows, must have, exactly one or at most one of which it has.
  public var allowed: UInt64 = 0
  public var required: UInt64 = 0
  public var oneOf: UInt64 = 0
  public var atMostOne: UInt64 = 0
  /// Sets of places: those whose values a command carries, and must carry.
  public var carried: UInt64 = 0
  public var mustCarry: UInt64 = 0
  /// The places of what a command carries in its scope.
  public var party = VerbRule.none
  public var card = VerbRule.none
  public var merchant = VerbRule.none
  public var request = VerbRule.none
  /// It names a second member.
  public var hasRecipient = false
  /// By place.
  public var shapes: UnsafePointer<Shape>
  /// What stands for a number that is left out, by place; see `hasStandard`.
  public var standards: UnsafePointer<Int64>
  /// The places that have such a number.
  public var hasStandard: UInt64 = 0
  /// The place of each key, by its raw value; `none` of one that it does not know.
  public var places: UnsafePointer<UInt8>

  /// No place: a verb has fewer arguments.
  @inlinable public static var none: UInt8 { 63 }

  /// Whether everything that must be there is, and nothing that excludes another thing.
  @inlinable @inline(__always) public func isMet(_ present: UInt64, _ positionalCount: Int) -> Bool {
    let one = present & oneOf
    let some = present & atMostOne
    return positionalCount >= minimumPositionals && required & ~present == 0 && (oneOf == 0 || one != 0)
      && one & (one &- 1) == 0 && some & (some &- 1) == 0
  }
  @inlinable @inline(__always) public func place(of key: Key) -> UInt8 { places[Int(key.rawValue)] }

  /// The rule of a verb's raw value; nil if there is none.
  @inlinable @inline(__always) public static func find(_ rawVerb: UInt16) -> UnsafePointer<VerbRule>? {
    find(rawVerb, in: table)
  }
  /// The same, where the table is at hand: asking for that takes as long.
  @inlinable @inline(__always) public static func find(
    _ rawVerb: UInt16, in table: UnsafePointer<VerbRule>
  ) -> UnsafePointer<VerbRule>? {
    guard Int(rawVerb) < capacity else { return nil }
    let rule = table + Int(rawVerb)
    return rule.pointee.verb.rawValue == rawVerb ? rule : nil
  }
  public static func of(_ verb: Verb) -> UnsafePointer<VerbRule> { table + Int(verb.rawValue) }

  /// Raw values of verbs are below it; from here on the rules are those of entries.
  @inlinable public static var firstOfEntries: UInt16 { 512 }
  @inlinable public static var capacity: Int { 768 }
  /// By number, of the language that nodes speak.
  nonisolated(unsafe) public static let table = Language.standard.rules

  static func makeTable(_ specs: [VerbSpec]) -> UnsafePointer<VerbRule> {
    let keyCount = Int(Key.allCases.map(\.rawValue).max() ?? 0) + 1
    let table = UnsafeMutablePointer<VerbRule>.allocate(capacity: capacity)
    precondition(specs.allSatisfy { $0.number < capacity }, "a row's number is below the table's end")
    // One that is none is as PING, and so not found.
    if let ping = specs.first(where: { $0.verb == .ping }) {
      table.initialize(repeating: VerbRule(ping, keyCount: keyCount), count: capacity)
    }
    for spec in specs { table[Int(spec.number)] = VerbRule(spec, keyCount: keyCount) }
    return UnsafePointer(table)
  }

  private init(_ spec: VerbSpec, keyCount: Int) {
    let arguments =
      spec.kind == nil
      ? spec.arguments
      : Argument.ofEntries.filter { argument in
        argument.key.map { spec.argument($0) != nil } ?? true
      }
    precondition(arguments.count < Int(VerbRule.none), "a verb has at most 62 arguments")
    let positionalCount = arguments.count { $0.key == nil }
    precondition(arguments.prefix(positionalCount).allSatisfy { $0.key == nil }, "places come before keys")
    func set(_ isIn: (Argument) -> Bool) -> UInt64 {
      arguments.enumerated().reduce(0) { $1.element.key != nil && isIn($1.element) ? $0 | 1 << $1.offset : $0 }
    }
    let shapes = UnsafeMutablePointer<Shape>.allocate(capacity: Int(VerbRule.none))
    shapes.initialize(repeating: .free, count: Int(VerbRule.none))
    let standards = UnsafeMutablePointer<Int64>.allocate(capacity: Int(VerbRule.none))
    standards.initialize(repeating: 0, count: Int(VerbRule.none))
    let places = UnsafeMutablePointer<UInt8>.allocate(capacity: keyCount)
    places.initialize(repeating: VerbRule.none, count: keyCount)
    for (place, argument) in arguments.enumerated() {
      if !spec.takesFreeWords { shapes[place] = argument.shape }
      if let standard = argument.standard { standards[place] = standard }
      if let key = argument.key { places[Int(key.rawValue)] = UInt8(place) }
    }
    verb = spec.verb
    number = spec.number
    route = spec.route
    effect = spec.effect
    traits = spec.traits
    work = spec.work
    takesFreeWords = spec.takesFreeWords
    collects = spec.arguments.contains { $0.shape == .attributes || $0.shape == .tags }
    minimumPositionals = spec.requiredPositionals
    maximumPositionals = spec.maximumPositionals
    allowed = set { _ in true }
    required = set { $0.need == .required }
    oneOf = set { $0.need == .oneOf }
    atMostOne = set { $0.need == .atMostOne }
    for (place, argument) in arguments.enumerated() {
      switch argument.part {
      case .party: party = UInt8(place)
      case .card: card = UInt8(place)
      case .merchant: merchant = UInt8(place)
      case .request: request = UInt8(place)
      case .value:
        carried |= 1 << UInt64(place)
        if argument.need == .required { mustCarry |= 1 << UInt64(place) }
        if argument.shape == .who { hasRecipient = true }
      case .edge: break
      }
    }
    hasStandard = set { $0.standard != nil }
    self.standards = UnsafePointer(standards)
    self.shapes = UnsafePointer(shapes)
    self.places = UnsafePointer(places)
  }
}
