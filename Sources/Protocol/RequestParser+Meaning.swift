import Base

extension RequestParser {
  /// Finds the verb of the first `count` words, and checks the rest by its rules. `request` is complete then.
  @inline(__always) mutating func interpret(_ count: Int) throws(Refusal) {
    var code = rules.verbs.find(words.pointee.start, words.pointee.count)
    var next = 1
    if code == 0 || code & VerbRules.familyBit != 0 { (code, next) = try secondWord(code, count) }
    let rule = rules.rules + Int(code)
    var positionalCount = 0
    var present: UInt64 = 0
    while next < count {
      let word = words + next
      let equals = word.pointee.equals
      next &+= 1
      let value: UnsafeMutablePointer<Request.Value>
      let shape: ValueShape
      let skipped: Int
      if equals < 0 || rule.pointee.takesFreeWords {
        guard positionalCount < rule.pointee.maximumPositionals else {
          throw Refusal.unexpected(rule.pointee.verb, word.pointee.bytes)
        }
        value = positionals + positionalCount
        shape = positionalCount == 0 ? rule.pointee.first : rule.pointee.second
        skipped = 0
        positionalCount &+= 1
      } else {
        let key = rules.keys.find(word.pointee.start, equals)
        let bit: UInt64 = 1 &<< UInt64(key)
        guard rule.pointee.allowed & ~present & bit != 0 else {
          throw Refusal.keyNotTaken(key, rule.pointee.verb, word.pointee)
        }
        value = values + Int(key)
        shape = rules.keyShapes[Int(key)]
        skipped = equals &+ 1
        present |= bit
      }
      value.initialize(
        to: Request.Value(start: word.pointee.start + skipped, count: word.pointee.count &- skipped, number: 0))
      guard shape.accepts(value, classes) else {
        throw Refusal.wrong(rule.pointee.verb, skipped > 0 ? -1 : positionalCount - 1, word.pointee)
      }
    }
    guard rule.pointee.isMet(present, positionalCount) else {
      throw Refusal.incomplete(rule.pointee, present, positionalCount)
    }
    let limit = values + Int(Key.limit.rawValue)
    guard present & RequestParser.limitBit == 0 || limit.pointee.number <= rule.pointee.mostRecords else {
      throw Refusal.tooManyRecords(rule.pointee.verb, limit.pointee.bytes)
    }
    request.verb = rule.pointee.verb
    request.positionalCount = positionalCount
    request.keys = KeySet(bits: present)
  }

  private static var limitBit: UInt64 { 1 << UInt64(Key.limit.rawValue) }

  /// The verb of a family such as `MEMBER`, and how many words named it.
  @inline(never) private mutating func secondWord(_ code: UInt8, _ count: Int) throws(Refusal) -> (UInt8, Int) {
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
}
