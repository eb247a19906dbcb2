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
  static func unknownKey(_ verb: Verb, _ key: UnsafeRawBufferPointer) -> Refusal {
    let keys = verb.spec.allowed
    let known = keys.isEmpty ? "it takes none" : "it takes \(list(keys.keys, "and"))"
    return Refusal("\(verb.words) does not know the key \(quoted(key)); \(known)")
  }
  static func repeated(_ key: Key) -> Refusal { Refusal("\(key.word)= is given twice") }
  static func wrong(_ key: Key, _ value: UnsafeRawBufferPointer) -> Refusal {
    Refusal("\(key.word)= must be \(key.shape.requirement), not \(quoted(value))")
  }
  static func wrong(_ verb: Verb, positional i: Int, _ value: UnsafeRawBufferPointer) -> Refusal {
    let place = verb.spec.positionals[i]
    return Refusal("\(place.name) of \(verb.words) must be \(place.shape.requirement), not \(quoted(value))")
  }
  static func unexpected(_ verb: Verb, _ word: UnsafeRawBufferPointer) -> Refusal {
    Refusal("\(verb.words) does not expect \(quoted(word)); usage: \(verb.spec.usage)")
  }
  static func missingPositional(_ verb: Verb, _ i: Int) -> Refusal {
    Refusal("\(verb.words) needs \(verb.spec.positionals[i].name); usage: \(verb.spec.usage)")
  }
  static func missing(_ verb: Verb, _ keys: KeySet) -> Refusal {
    Refusal("\(verb.words) needs \(list(keys.keys, "and")); usage: \(verb.spec.usage)")
  }
  static func missingOne(_ verb: Verb) -> Refusal {
    Refusal("\(verb.words) needs \(list(verb.spec.oneOf, "or")); usage: \(verb.spec.usage)")
  }
  static func both(_ verb: Verb, _ keys: [Key]) -> Refusal {
    Refusal("\(verb.words) takes either \(list(keys, "or")), not both")
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
