import Base

extension RequestParser {
  /// Finds the verb of the first `count` words, and checks the rest by its rules. `request` is complete then.
  @inline(__always) mutating func interpret(_ count: Int) throws(Refusal) {
    var code = rules.verbs.find(words[0].start, words[0].count)
    var next = 1
    if code == 0 || code & VerbRules.familyBit != 0 { (code, next) = try secondWord(code, count) }
    guard let verb = Verb(rawValue: code) else { throw Refusal.unknownVerb(words[0].bytes) }
    let rule = rules.rules + Int(code)
    var positionalCount = 0
    var present: UInt64 = 0
    while next < count {
      let word = words[next]
      next &+= 1
      if word.equals < 0 || rule.pointee.takesFreeWords {
        try place(word, positionalCount, verb, rule)
        positionalCount &+= 1
        continue
      }
      let key = rules.keys.find(word.start, word.equals)
      let bit: UInt64 = 1 &<< UInt64(key)
      guard rule.pointee.allowed & bit != 0 else {
        throw Refusal.unknownKey(verb, UnsafeRawBufferPointer(start: word.start, count: word.equals))
      }
      let value = values + Int(key)
      let skipped = word.equals &+ 1
      value.initialize(to: Request.Value(start: word.start + skipped, count: word.count &- skipped, number: 0))
      guard present & bit == 0, rules.keyShapes[Int(key)].accepts(&value.pointee, classes) else {
        throw RequestParser.wrong(key, present & bit != 0, value.pointee.bytes)
      }
      present |= bit
    }
    try checkSet(present, positionalCount, verb, rule)
    request.verb = verb
    request.positionalCount = positionalCount
    request.keys = KeySet(bits: present)
  }

  /// A word that is known by its place.
  @inline(__always) private func place(
    _ word: Word, _ i: Int, _ verb: Verb, _ rule: UnsafeMutablePointer<VerbRules.Rule>
  ) throws(Refusal) {
    guard i < Int(rule.pointee.maximumPositionals) else { throw Refusal.unexpected(verb, word.bytes) }
    let shape = i == 0 ? rule.pointee.first : rule.pointee.second
    let value = positionals + i
    value.initialize(to: Request.Value(start: word.start, count: word.count, number: 0))
    guard shape.accepts(&value.pointee, classes) else { throw Refusal.wrong(verb, positional: i, word.bytes) }
  }

  @inline(__always) private func checkSet(
    _ present: UInt64, _ positionalCount: Int, _ verb: Verb, _ rule: UnsafeMutablePointer<VerbRules.Rule>
  ) throws(Refusal) {
    guard positionalCount >= Int(rule.pointee.minimumPositionals) else {
      throw Refusal.missingPositional(verb, positionalCount)
    }
    guard rule.pointee.required & ~present == 0 else {
      throw Refusal.missing(verb, KeySet(bits: rule.pointee.required & ~present))
    }
    let one = present & rule.pointee.oneOf
    if rule.pointee.oneOf != 0 && one == 0 { throw Refusal.missingOne(verb) }
    if one & (one &- 1) != 0 { throw Refusal.both(verb, verb.spec.oneOf) }
    let some = present & rule.pointee.atMostOne
    if some & (some &- 1) != 0 { throw Refusal.both(verb, verb.spec.atMostOne) }
  }

  /// The verb of a family such as `MEMBER`, and how many words named it.
  @inline(never) private func secondWord(_ code: UInt8, _ count: Int) throws(Refusal) -> (UInt8, Int) {
    guard code != 0 else { throw RequestParser.stranger(words[0].bytes) }
    let at = Int(code & ~VerbRules.familyBit)
    let family = rules.families[at]
    guard count > 1 else {
      guard let bare = family.bare else { throw Refusal.unknownSecondWord(family, nil) }
      return (bare.rawValue, 1)
    }
    let verb = rules.verbs.find(words[1].start, words[1].count, salt: UInt8(at + 1))
    guard verb != 0 else { throw Refusal.unknownSecondWord(family, words[1].bytes) }
    return (verb, 2)
  }

  /// A browser that was led here by somebody else's page would have its lines taken for requests: as in Redis, its
  /// first lines end the connection.
  private static func stranger(_ word: UnsafeRawBufferPointer) -> Refusal {
    let text = String(decoding: word.prefix(8), as: UTF8.self).lowercased()
    guard text == "post" || text == "host:" else { return Refusal.unknownVerb(word) }
    return Refusal("this is not a web server", isFatal: true)
  }

  @inline(never) private static func wrong(_ key: UInt8, _ isRepeated: Bool, _ value: UnsafeRawBufferPointer) -> Refusal
  {
    guard let key = Key(rawValue: key) else { return Refusal("unknown key") }
    return isRepeated ? Refusal.repeated(key) : Refusal.wrong(key, value)
  }
}
