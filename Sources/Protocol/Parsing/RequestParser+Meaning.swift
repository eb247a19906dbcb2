import Base
import Vocabulary

extension RequestParser {
  /// Finds the verb of the first `count` words, and checks the rest by its rules. `request` is complete then.
  @inline(__always) mutating func interpret(_ count: Int) throws(Refusal) {
    var code = vocabulary.verbs.find(words.pointee.start, words.pointee.count)
    var next = 1
    if code == 0 || code & VerbWords.familyBit != 0 { (code, next) = try secondWord(code, count) }
    let rule = rules + Int(code)
    guard code < VerbRule.firstOfEntries else { return try interpretEntry(rule, from: next, count) }
    let first = next
    var positionalCount = 0
    var present: UInt64 = 0
    while next < count {
      let word = words + next
      let equals = word.pointee.equals
      next &+= 1
      let place: Int
      let skipped: Int
      if equals < 0 || rule.pointee.takesFreeWords {
        guard positionalCount < rule.pointee.maximumPositionals else {
          if rule.pointee.collects { return try interpretCollecting(rule, from: first, count) }
          throw Refusal.unexpected(language.spec(rule.pointee), word.pointee.bytes)
        }
        place = positionalCount
        skipped = 0
        positionalCount &+= 1
      } else {
        let key = vocabulary.keys.find(word.pointee.start, equals)
        place = Int(rule.pointee.places[Int(key)])
        let bit: UInt64 = 1 &<< UInt64(place)
        guard rule.pointee.allowed & ~present & bit != 0 else {
          if rule.pointee.collects { return try interpretCollecting(rule, from: first, count) }
          throw Refusal.keyNotTaken(key, language.spec(rule.pointee), word.pointee)
        }
        skipped = equals &+ 1
        present |= bit
      }
      let value = values + place
      value.initialize(
        to: ArgumentValue(start: word.pointee.start + skipped, count: word.pointee.count &- skipped))
      guard rule.pointee.takesFreeWords || rule.pointee.shapes[place].accepts(value, classes) else {
        if rule.pointee.collects { return try interpretCollecting(rule, from: first, count) }
        throw Refusal.wrong(language.spec(rule.pointee), place, word.pointee)
      }
    }
    guard rule.pointee.isMet(present, positionalCount) else {
      throw Refusal.incomplete(rule.pointee, language.spec(rule.pointee), present, positionalCount)
    }
    request.rule = rule
    request.positionalCount = positionalCount
    request.present = present
  }

  /// The verb of a family such as `MEMBER`, and how many words named it.
  @inline(never) private mutating func secondWord(_ code: UInt16, _ count: Int) throws(Refusal) -> (UInt16, Int) {
    guard code != 0 else { throw RequestParser.stranger(words[0].bytes, language) }
    let at = Int(code & ~VerbWords.familyBit)
    let family = vocabulary.families[at]
    guard count > 1 else {
      guard let bare = family.bare else { throw Refusal.unknownSecondWord(family, nil) }
      return (bare, 1)
    }
    let verb = vocabulary.verbs.find(words[1].start, words[1].count, salt: UInt16(at + 1))
    guard verb != 0 else {
      // The second word may be what the verb of the first alone is about, as in `EXPLAIN 3-1042`.
      if let bare = family.bare, language.rules[Int(bare)].maximumPositionals > 0, words[1].equals < 0,
        !language.rules[Int(bare)].takesFreeWords
      {
        return (bare, 1)
      }
      throw Refusal.unknownSecondWord(family, words[1].bytes)
    }
    return (verb, 2)
  }

  /// A browser that was led here by somebody else's page would have its lines taken for requests: as in Redis, its
  /// first lines end the connection.
  private static func stranger(_ word: UnsafeRawBufferPointer, _ language: Language) -> Refusal {
    let text = String(decoding: word.prefix(8), as: UTF8.self).lowercased()
    guard text == "post" || text == "host:" else { return Refusal.unknownVerb(word, language) }
    return Refusal("this is not a web server", isFatal: true)
  }
}
