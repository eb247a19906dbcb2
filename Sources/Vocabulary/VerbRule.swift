/// A verb's row as the hot path wants it: flat, made once a process and never freed, found by the verb's raw value.
public struct VerbRule: BitwiseCopyable {
  public var verb = Verb.ping
  public var route = VerbSpec.Route.connection
  public var effect = VerbSpec.Effect.read
  public var traits: VerbSpec.Traits = []
  public var takesFreeWords = false
  public var minimumPositionals = 0
  public var maximumPositionals = 0
  /// Sets of places: keys that it knows, must have, exactly one or at most one of which it has.
  public var allowed: UInt64 = 0
  public var required: UInt64 = 0
  public var oneOf: UInt64 = 0
  public var atMostOne: UInt64 = 0
  /// By place.
  public var shapes: UnsafePointer<Shape>
  /// What stands for a number that is left out, by place; see `hasStandard`.
  public var standards: UnsafePointer<Int64>
  /// The places that have such a number.
  public var hasStandard: UInt64 = 0
  /// The place of each key, by its raw value; `none` of one that it does not know.
  public var places: UnsafePointer<UInt8>

  /// No place: a verb has fewer arguments.
  public static let none: UInt8 = 63

  /// Whether everything that must be there is, and nothing that excludes another thing.
  @inlinable @inline(__always) public func isMet(_ present: UInt64, _ positionalCount: Int) -> Bool {
    let one = present & oneOf
    let some = present & atMostOne
    return positionalCount >= minimumPositionals && required & ~present == 0 && (oneOf == 0 || one != 0)
      && one & (one &- 1) == 0 && some & (some &- 1) == 0
  }
  @inlinable @inline(__always) public func place(of key: Key) -> UInt8 { places[Int(key.rawValue)] }

  public static func of(_ verb: Verb) -> UnsafePointer<VerbRule> { table + Int(verb.rawValue) }

  /// By raw value.
  nonisolated(unsafe) public static let table: UnsafePointer<VerbRule> = {
    let count = Int(Verb.allCases.map(\.rawValue).max() ?? 0) + 1
    let keyCount = Int(Key.allCases.map(\.rawValue).max() ?? 0) + 1
    let table = UnsafeMutablePointer<VerbRule>.allocate(capacity: count)
    for spec in VerbSpec.all { (table + Int(spec.verb.rawValue)).initialize(to: VerbRule(spec, keyCount: keyCount)) }
    return UnsafePointer(table)
  }()

  private init(_ spec: VerbSpec, keyCount: Int) {
    precondition(spec.arguments.count < Int(VerbRule.none), "a verb has at most 62 arguments")
    let positionalCount = spec.positionals.count
    precondition(
      spec.arguments.prefix(positionalCount).allSatisfy { $0.key == nil }, "places come before keys")
    func set(_ isIn: (Argument) -> Bool) -> UInt64 {
      spec.arguments.enumerated().reduce(0) { $1.element.key != nil && isIn($1.element) ? $0 | 1 << $1.offset : $0 }
    }
    let shapes = UnsafeMutablePointer<Shape>.allocate(capacity: Int(VerbRule.none))
    shapes.initialize(repeating: .free, count: Int(VerbRule.none))
    let standards = UnsafeMutablePointer<Int64>.allocate(capacity: Int(VerbRule.none))
    standards.initialize(repeating: 0, count: Int(VerbRule.none))
    let places = UnsafeMutablePointer<UInt8>.allocate(capacity: keyCount)
    places.initialize(repeating: VerbRule.none, count: keyCount)
    for (place, argument) in spec.arguments.enumerated() {
      if !spec.takesFreeWords { shapes[place] = argument.shape }
      if let standard = argument.standard { standards[place] = standard }
      if let key = argument.key { places[Int(key.rawValue)] = UInt8(place) }
    }
    verb = spec.verb
    route = spec.route
    effect = spec.effect
    traits = spec.traits
    takesFreeWords = spec.takesFreeWords
    minimumPositionals = spec.requiredPositionals
    maximumPositionals = spec.maximumPositionals
    allowed = set { _ in true }
    required = set { $0.need == .required }
    oneOf = set { $0.need == .oneOf }
    atMostOne = set { $0.need == .atMostOne }
    hasStandard = set { $0.standard != nil }
    self.standards = UnsafePointer(standards)
    self.shapes = UnsafePointer(shapes)
    self.places = UnsafePointer(places)
  }
}
