/// Why a request is answered with `-ERR`: the text behind it. Made on the error path only; this file has all texts.
struct Refusal: Error {
  var message: String
  /// The connection is not worth going on with.
  var isFatal = false

  init(_ message: String, isFatal: Bool = false) {
    self.message = message
    self.isFatal = isFatal
  }

  static let tooLong = "request longer than \(RequestParser.maximumLineBytes) bytes"
  static let tooManyWords = "request of more than \(RequestParser.maximumWords) words"

  static func unknownVerb(_ word: UnsafeRawBufferPointer) -> Refusal {
    Refusal("unknown command \(quoted(word)); HELP lists them")
  }
  static func unknownSecondWord(_ family: VerbRules.Family, _ word: UnsafeRawBufferPointer?) -> Refusal {
    let choices = family.verbs.map { $0.spec.words[1] }.joined(separator: ", ")
    guard let word else { return Refusal("\(family.word) needs one of \(choices)") }
    return Refusal("unknown subcommand \(quoted(word)) of \(family.word); it has \(choices)")
  }
  /// A key that the verb does not know, or one that was there before.
  @inline(never) static func keyNotTaken(_ code: UInt8, _ verb: Verb, _ word: RequestParser.Word) -> Refusal {
    let keys = verb.spec.allowed
    if let key = Key(rawValue: code), keys.contains(key) { return Refusal("\(key.word)= is given twice") }
    let name = quoted(UnsafeRawBufferPointer(start: word.start, count: word.equals))
    let known = keys.isEmpty ? "it takes none" : "it takes \(list(keys.keys, "and"))"
    return Refusal("\(verb.words) does not know the key \(name); \(known)")
  }
  /// A value that has not its shape: of the positional `i`, or of a key if that is negative.
  @inline(never) static func wrong(_ verb: Verb, _ i: Int, _ word: RequestParser.Word) -> Refusal {
    if i >= 0 {
      let place = verb.spec.positionals[i]
      return Refusal("\(place.name) of \(verb.words) must be \(place.shape.requirement), not \(quoted(word.bytes))")
    }
    let name = UnsafeRawBufferPointer(start: word.start, count: word.equals)
    let value = UnsafeRawBufferPointer(rebasing: word.bytes[(word.equals + 1)...])
    let typed = String(decoding: name, as: UTF8.self).lowercased()
    let key = verb.spec.allowed.keys.first { $0.word == typed }
    let requirement = key.map { verb.spec.requirement(of: $0) } ?? "something else"
    return Refusal("\(typed)= must be \(requirement), not \(quoted(value))")
  }
  @inline(never) static func unexpected(_ verb: Verb, _ word: UnsafeRawBufferPointer) -> Refusal {
    guard !verb.isConnection else {
      // In Redis's words, as what is asked.
      let name = verb.spec.words.joined(separator: "|").lowercased()
      return Refusal("wrong number of arguments for '\(name)' command; usage: \(verb.spec.usage)")
    }
    return Refusal("\(verb.words) does not expect \(quoted(word)); usage: \(verb.spec.usage)")
  }
  /// More records than the verb gives at once.
  @inline(never) static func tooManyRecords(_ verb: Verb, _ limit: UnsafeRawBufferPointer) -> Refusal {
    Refusal("limit= must be \(verb.spec.requirement(of: .limit)), not \(quoted(limit))")
  }
  /// What `Rule.isMet` denied.
  @inline(never) static func incomplete(_ rule: VerbRules.Rule, _ present: UInt64, _ positionalCount: Int) -> Refusal {
    let spec = rule.verb.spec
    let verb = rule.verb.words
    if positionalCount < spec.requiredPositionals {
      return Refusal("\(verb) needs \(spec.positionals[positionalCount].name); usage: \(spec.usage)")
    }
    let missing = KeySet(bits: rule.required & ~present)
    if !missing.isEmpty { return Refusal("\(verb) needs \(list(missing.keys, "and")); usage: \(spec.usage)") }
    if rule.oneOf != 0 && present & rule.oneOf == 0 {
      return Refusal("\(verb) needs \(list(spec.oneOf, "or")); usage: \(spec.usage)")
    }
    return Refusal("\(verb) takes either \(list(spec.oneOf + spec.atMostOne, "or")), not both")
  }

  private static func list(_ keys: [Key], _ joint: String) -> String {
    let words = keys.map { "\($0.word)=" }
    guard words.count > 1 else { return words.joined() }
    return words.dropLast().joined(separator: ", ") + " \(joint) " + words[words.count - 1]
  }

  /// A stranger's bytes, fit to stand in an error: at most 64 of them, printable.
  static func quoted(_ bytes: UnsafeRawBufferPointer) -> String {
    let cut = UnsafeRawBufferPointer(rebasing: bytes.prefix(64))
    var text = ""
    for scalar in String(decoding: cut, as: UTF8.self).unicodeScalars {
      let isPrintable = scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value)
      text.unicodeScalars.append(isPrintable ? scalar : "?")
    }
    return bytes.count > 64 ? "'\(text)…'" : "'\(text)'"
  }
}
