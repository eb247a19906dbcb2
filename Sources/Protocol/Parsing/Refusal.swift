import Vocabulary

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

  static func unknownVerb(_ word: UnsafeRawBufferPointer, _ language: Language) -> Refusal {
    let near = word.count <= 64 ? VerbWords.nearest(to: String(decoding: word, as: UTF8.self), in: language) : nil
    return Refusal("unknown command \(quoted(word)); \(near.map { "did you mean \($0)? " } ?? "")HELP lists them")
  }
  static func unknownSecondWord(_ family: VerbWords.Family, _ word: UnsafeRawBufferPointer?) -> Refusal {
    let choices = family.words.joined(separator: ", ")
    guard let word else { return Refusal("\(family.word) needs one of \(choices)") }
    return Refusal("unknown subcommand \(quoted(word)) of \(family.word); it has \(choices)")
  }
  /// A key that the verb does not know, or one that was there before.
  @inline(never) static func keyNotTaken(_ code: UInt16, _ spec: VerbSpec, _ word: RequestParser.Word) -> Refusal {
    if let key = Key(rawValue: code), spec.argument(key) != nil { return Refusal("\(key.word)= is given twice") }
    return unknownKey(spec, quoted(UnsafeRawBufferPointer(start: word.start, count: word.equals)))
  }
  static func unknownKey(_ spec: VerbSpec, _ name: String) -> Refusal {
    let keys = spec.keys
    let known = keys.isEmpty ? "it takes none" : "it takes \(list(keys, "and"))"
    return Refusal("\(spec.words.joined(separator: " ")) does not know the key \(name); \(known)")
  }
  /// A value that has not the shape of its place.
  @inline(never) static func wrong(_ spec: VerbSpec, _ place: Int, _ word: RequestParser.Word) -> Refusal {
    let argument = spec.arguments[place]
    guard let key = argument.key else {
      return Refusal(
        "\(argument.name) of \(spec.words.joined(separator: " ")) must be \(argument.shape.requirement), not \(quoted(word.bytes))"
      )
    }
    let value = UnsafeRawBufferPointer(rebasing: word.bytes[(word.equals + 1)...])
    return Refusal("\(key.word)= must be \(argument.shape.requirement), not \(quoted(value))")
  }
  @inline(never) static func unexpected(_ spec: VerbSpec, _ word: UnsafeRawBufferPointer) -> Refusal {
    guard spec.route != .connection else {
      // In Redis's words, as what is asked.
      let name = spec.words.joined(separator: "|").lowercased()
      return Refusal("wrong number of arguments for '\(name)' command; usage: \(spec.usage)")
    }
    return Refusal("\(spec.words.joined(separator: " ")) does not expect \(quoted(word)); usage: \(spec.usage)")
  }
  /// What `VerbRule.isMet` denied.
  @inline(never) static func incomplete(
    _ rule: VerbRule, _ spec: VerbSpec, _ present: UInt64, _ positionalCount: Int
  ) -> Refusal {
    let verb = spec.words.joined(separator: " ")
    if positionalCount < spec.requiredPositionals {
      return Refusal("\(verb) needs \(spec.positionals[positionalCount].name); usage: \(spec.usage)")
    }
    let missing = spec.arguments.indices.filter { rule.required & ~present & 1 << UInt64($0) != 0 }
    if !missing.isEmpty {
      return Refusal("\(verb) needs \(list(missing.map { spec.arguments[$0] }, "and")); usage: \(spec.usage)")
    }
    if rule.oneOf != 0 && present & rule.oneOf == 0 {
      return Refusal("\(verb) needs \(list(spec.keys(.oneOf), "or")); usage: \(spec.usage)")
    }
    let choice = spec.keys(.oneOf) + spec.keys(.atMostOne)
    return Refusal(
      choice.count > 2
        ? "\(verb) takes one of \(list(choice, "or"))"
        : "\(verb) takes either \(list(choice, "or")), not both")
  }

  private static func list(_ keys: [Argument], _ joint: String) -> String {
    let words = keys.map { "\($0.name)=" }
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
