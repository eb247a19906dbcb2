/// The specs as the parser's hot path wants them: flat, made once a parser, indexed by raw values.
struct VerbRules: ~Copyable {
  struct Rule: BitwiseCopyable {
    var verb = Verb.ping
    var allowed: UInt64 = 0
    var required: UInt64 = 0
    var oneOf: UInt64 = 0
    var atMostOne: UInt64 = 0
    var minimumPositionals: Int = 0
    var maximumPositionals: Int = 0
    var takesFreeWords = false
    var mostRecords: Int64 = 0
    var first = ValueShape.free
    var second = ValueShape.free

    /// Whether everything that must be there is, and nothing that excludes another thing.
    @inline(__always) func isMet(_ present: UInt64, _ positionalCount: Int) -> Bool {
      let one = present & oneOf
      let some = present & atMostOne
      return positionalCount >= minimumPositionals && required & ~present == 0 && (oneOf == 0 || one != 0)
        && one & (one &- 1) == 0 && some & (some &- 1) == 0
    }
  }
  /// The first word of two-word verbs.
  struct Family {
    var word: String
    var verbs: [Verb]
    /// The verb that the word alone is, as `COMMAND`.
    var bare: Verb?
  }

  /// First words: a verb's raw value, or `familyBit` and the index of a family. Second words: salted by family.
  let verbs: WordTable
  let keys: WordTable
  let rules: UnsafeMutablePointer<Rule>
  let keyShapes: UnsafeMutablePointer<ValueShape>
  let families: [Family]
  static let familyBit: UInt8 = 0x80

  init() {
    var entries: [WordTable.Entry] = []
    var families: [Family] = []
    for spec in VerbSpec.all where spec.words.count == 2 {
      let at = families.firstIndex { $0.word == spec.words[0] } ?? families.count
      if at == families.count {
        families.append(Family(word: spec.words[0], verbs: []))
        entries.append(.init(word: spec.words[0], salt: 0, code: VerbRules.familyBit | UInt8(at)))
      }
      families[at].verbs.append(spec.verb)
      entries.append(.init(word: spec.words[1], salt: UInt8(at + 1), code: spec.verb.rawValue))
    }
    for spec in VerbSpec.all where spec.words.count == 1 {
      if let at = families.firstIndex(where: { $0.word == spec.words[0] }) {
        families[at].bare = spec.verb
      } else {
        entries.append(.init(word: spec.words[0], salt: 0, code: spec.verb.rawValue))
      }
    }
    self.families = families
    verbs = WordTable(entries)
    keys = WordTable(Key.allCases.map { .init(word: $0.word, salt: 0, code: $0.rawValue) })

    rules = .allocate(capacity: 256)
    rules.initialize(repeating: Rule(), count: 256)
    for spec in VerbSpec.all { rules[Int(spec.verb.rawValue)] = VerbRules.rule(spec) }
    keyShapes = .allocate(capacity: 64)
    keyShapes.initialize(repeating: .free, count: 64)
    for key in Key.allCases { keyShapes[Int(key.rawValue)] = key.shape }
  }
  deinit {
    rules.deallocate()
    keyShapes.deallocate()
  }

  private static func rule(_ spec: VerbSpec) -> Rule {
    precondition(spec.takesFreeWords || spec.positionals.count <= 2, "two places have shapes")
    return Rule(
      verb: spec.verb, allowed: spec.allowed.bits, required: KeySet(spec.required).bits, oneOf: KeySet(spec.oneOf).bits,
      atMostOne: KeySet(spec.atMostOne).bits, minimumPositionals: Int(spec.requiredPositionals),
      maximumPositionals: spec.maximumPositionals,
      takesFreeWords: spec.takesFreeWords, mostRecords: Int64(spec.mostRecords),
      first: spec.takesFreeWords ? .free : spec.positionals.first?.shape ?? .free,
      second: spec.takesFreeWords ? .free : spec.positionals.dropFirst().first?.shape ?? .free)
  }
}
