import Vocabulary

/// What the tab key offers: verbs and their keys, from the rows of the vocabulary.
struct Completion {
  /// Verbs of one or two words, with the keys that each takes.
  private let keysOfVerb: [(verb: String, keys: [String])]

  init() {
    let rows = VerbSpec.all.map { (verb: $0.words.joined(separator: " "), keys: $0.keys.map(\.name)) }
    keysOfVerb = rows + [("EXIT", [])]
  }

  static func lastWord(of head: String) -> String {
    head.split(separator: " ", omittingEmptySubsequences: false).last.map(String.init) ?? ""
  }

  /// The words that may stand where the last word of `head` is being typed.
  func candidates(for head: String) -> [String] {
    let words = head.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    let before = words.dropLast().filter { !$0.isEmpty }
    let word = words.last ?? ""
    let typed = before.map { $0.uppercased() }
    if typed.isEmpty || typed == ["HELP"] {
      let firsts = keysOfVerb.compactMap { $0.verb.split(separator: " ").first.map(String.init) }
      return matching(firsts, word)
    }
    let seconds = keysOfVerb.compactMap { entry -> String? in
      let parts = entry.verb.split(separator: " ").map(String.init)
      return parts.count == 2 && [parts[0]] == (typed.first == "HELP" ? Array(typed.dropFirst()) : typed)
        ? parts[1] : nil
    }
    if !seconds.isEmpty { return matching(seconds, word) }
    let joined = typed.prefix(2).joined(separator: " ")
    let entry = keysOfVerb.first { $0.verb == joined } ?? keysOfVerb.first { $0.verb == typed[0] }
    let used = Set(before.compactMap { $0.split(separator: "=").first.map { $0.lowercased() } })
    return matching((entry?.keys ?? []).filter { !used.contains($0) }.map { $0 + "=" }, word)
  }

  private func matching(_ words: [String], _ start: String) -> [String] {
    var seen: Set<String> = []
    return words.filter { $0.lowercased().hasPrefix(start.lowercased()) && seen.insert($0).inserted }.sorted()
  }
}
