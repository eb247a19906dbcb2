import Replies

/// What the tab key offers: verbs and their keys, taken from the cluster's own `HELP`, else from a short list.
struct Completion {
  /// Verbs of one or two words, with the keys that each takes.
  private var keysOfVerb: [(verb: String, keys: [String])]

  private static let known = [
    "EARN merchant= spend= points= id= program= at=", "REDEEM merchant= points= id= program=",
    "HOLD merchant= points= id= ttl=", "CAPTURE id= points=", "RELEASE id=", "REFUND id= spend= points=",
    "TRANSFER points= id= program=", "BALANCE program= read=", "HISTORY program= limit= before=", "TX SHOW",
    "MEMBER ADD name= region= card=", "MEMBER SHOW", "MEMBER FREEZE", "MEMBER THAW", "MEMBER CLOSE", "CARD ADD member=",
    "CARD LOST", "CARD FOUND", "CARD REMOVE", "PROGRAM SET kind= title= earn= expire= backdate= default=",
    "PROGRAM LIST limit= after=",
    "MERCHANT SET title= program= earn= region= state=", "MERCHANT LIST limit= after=", "AUDIT", "CLUSTER NODES",
    "CLUSTER SHARDS",
    "CLUSTER STATUS", "HELP", "PING",
  ]

  init(help: Value? = nil) {
    keysOfVerb = Completion.parse(Completion.lines(of: help))
    if keysOfVerb.count < 5 { keysOfVerb = Completion.parse(Completion.known) }
    for verb in ["EXIT", "HELP"] where !keysOfVerb.contains(where: { $0.verb == verb }) {
      keysOfVerb.append((verb, []))
    }
  }

  private static func lines(of value: Value?) -> [String] {
    switch value {
    case .array(let values): values.flatMap { lines(of: $0) }
    case .text(let text), .bulk(let text?): text.split(whereSeparator: \.isNewline).map(String.init)
    default: []
    }
  }

  /// A line of help begins with its verb, in capitals; the rest of it names the keys as `key=`.
  private static func parse(_ lines: [String]) -> [(verb: String, keys: [String])] {
    var found: [(verb: String, keys: [String])] = []
    for line in lines {
      let words = line.split(separator: " ").map(String.init)
      let capitals = words.prefix(2).prefix { word in
        word.count > 1 && word.allSatisfy { $0.isASCII && $0.isUppercase }
          && !["WHO", "TX", "NUMBER", "FROM", "TO", "VERB", "TEXT"].contains(word) || word == "TX" && words.count > 1
      }
      let verb = capitals.joined(separator: " ")
      guard !verb.isEmpty, !found.contains(where: { $0.verb == verb }) else { continue }
      found.append((verb, keys(in: line)))
    }
    return found
  }

  private static func keys(in line: String) -> [String] {
    var keys: [String] = []
    for part in line.split(separator: "=", omittingEmptySubsequences: false).dropLast() {
      let key = String(part.reversed().prefix { $0.isASCII && ($0.isLowercase || $0 == "-") }.reversed())
      if !key.isEmpty, !keys.contains(key) { keys.append(key) }
    }
    return keys
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
