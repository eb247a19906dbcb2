import Replies

/// The lines `<` behind one command: what its reply must be.
struct Expectation {
  let lines: [Story.Line]

  /// Compares a reply with them. A name with `$` takes the value that it meets first and must equal it from then on.
  func check(_ answer: Value, _ kept: inout Variables) throws(StoryError) {
    guard let first = lines.first else {
      if case .error = answer { throw StoryError("expected: anything but an error\n    got:      \(answer.shown)") }
      return
    }
    let words = first.text.split(separator: " ")
    if words.count == 2, let count = Int(words[0]), words[1] == "records" || words[1] == "record" {
      return try check(first, count, answer, &kept)
    }
    guard lines.count == 1 else {
      throw StoryError("line \(lines[1].number): one reply is one line `<`, unless it is `< N records`")
    }
    try check(first, answer, &kept)
  }

  /// `< N records`, and a line for each, or for the first ones.
  private func check(_ head: Story.Line, _ count: Int, _ answer: Value, _ kept: inout Variables) throws(StoryError) {
    let hasMore = lines.count > 1 && ["…", "..."].contains(lines[lines.count - 1].text)
    let listed = lines.dropFirst().dropLast(hasMore ? 1 : 0)
    guard listed.isEmpty || listed.count == count else {
      throw StoryError("line \(head.number): says \(count) records and lists \(listed.count)")
    }
    guard case .array(let records) = answer, hasMore ? records.count >= count : records.count == count else {
      throw StoryError("expected: \(count) records\(hasMore ? " or more" : "")\n    got:      \(answer.shown)")
    }
    for (line, record) in zip(listed, records) { try check(line, record, &kept) }
  }

  private func check(_ line: Story.Line, _ answer: Value, _ kept: inout Variables) throws(StoryError) {
    func wrong(_ why: String) -> StoryError {
      StoryError("line \(line.number): \(why)\n    expected: \(line.text)\n    got:      \(answer.shown)")
    }
    guard var wanted = Words.split(line.text), let first = wanted.first else {
      throw StoryError("line \(line.number): no words, or a quote is left open")
    }
    let got: [String: String]
    if first.hasPrefix("-") {
      guard case .error(let code, let text) = answer else { throw wrong("not an error") }
      guard code == first.dropFirst() else { throw wrong("another error") }
      got = Expectation.fields(text)
      wanted.removeFirst()
    } else {
      guard let text = answer.line else { throw wrong("not such a reply") }
      if wanted.count == 1, !first.contains("="), !first.hasPrefix("!") {
        guard text == first else { throw wrong("another reply") }
        return
      }
      got = Expectation.fields(text)
    }
    for word in wanted {
      if word.hasPrefix("!") {
        if got[String(word.dropFirst())] != nil { throw wrong("\(word.dropFirst()) is there") }
        continue
      }
      guard let equals = word.firstIndex(of: "=") else {
        throw StoryError("line \(line.number): neither key=value nor !key: \(word)")
      }
      let key = String(word[..<equals])
      let value = String(word[word.index(after: equals)...])
      guard let there = got[key] else { throw wrong("\(key) is missing") }
      if let name = Variables.name(value) {
        let meant = kept.keep(there, as: name)
        if meant != there { throw wrong("\(key) is not $\(name)=\(meant)") }
      } else if value != "*", there != (try kept.filled(value)) {
        throw wrong("\(key) differs")
      }
    }
  }

  /// The `key=value` words of a record, or of an error's text. That is prose, which may have an apostrophe.
  private static func fields(_ text: String) -> [String: String] {
    let prose = { text.split { " '\"".contains($0) }.map(String.init) }
    var fields: [String: String] = [:]
    for word in Words.split(text) ?? prose() {
      guard let equals = word.firstIndex(of: "=") else { continue }
      fields[String(word[..<equals])] = String(word[word.index(after: equals)...])
    }
    return fields
  }
}

/// The values that a story keeps under names.
struct Variables {
  private var values: [String: String] = [:]

  /// The value of a name: this one, if it has none yet.
  mutating func keep(_ value: String, as name: String) -> String {
    if let meant = values[name] { return meant }
    values[name] = value
    return value
  }

  /// The name, if a text is `$NAME` and nothing else.
  static func name(_ text: String) -> String? {
    guard text.hasPrefix("$"), let first = text.dropFirst().first, isLetter(first) else { return nil }
    let name = text.dropFirst()
    return name.allSatisfy { isLetter($0) || $0.isASCII && $0.isNumber } ? String(name) : nil
  }
  private static func isLetter(_ character: Character) -> Bool { character.isASCII && character.isLetter }

  /// The text with each `$NAME` replaced by its value.
  func filled(_ text: String) throws(StoryError) -> String {
    var filled = ""
    var rest = text[...]
    while let dollar = rest.firstIndex(of: "$") {
      filled += rest[..<dollar]
      let tail = rest[rest.index(after: dollar)...]
      let name = tail.prefix { Variables.name("$a\($0)") != nil }
      guard Variables.name("$\(name)") != nil else {
        filled += "$"
        rest = tail
        continue
      }
      guard let value = values[String(name)] else { throw StoryError("$\(name) was not kept") }
      filled += value
      rest = tail.dropFirst(name.count)
    }
    return filled + rest
  }
}

extension Value {
  /// A reply that is one line.
  fileprivate var line: String? {
    switch self {
    case .text(let text), .bulk(let text?): text
    case .integer(let number): String(number)
    case .error, .array, .bulk(nil): nil
    }
  }
  /// For a person.
  var shown: String {
    switch self {
    case .error(let code, let text): "-\(code) \(text)"
    case .array(let values):
      values.isEmpty ? "no records" : values.map(\.shown).joined(separator: "\n              ")
    case .bulk(nil): "nothing"
    case .text, .bulk, .integer: line ?? ""
    }
  }
}
