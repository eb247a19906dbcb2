import Base
import System
import Vocabulary

/// The words that the tab key offers: verbs, their keys and the words that a key's value may be, from the rows of the vocabulary; and the names
/// of programs, merchants, rules and all else that is set up, from the cluster.
struct Completion {
  /// The names of all entries of a kind, of a key of several words the last; none where the cluster does not tell.
  typealias Names = (_ kind: EntryKind) -> [String]
  private let verbs = VerbSpec.all
  private let names: Names

  init(names: @escaping Names = { _ in [] }) { self.names = names }

  static func lastWord(of head: String) -> String {
    head.split(separator: " ", omittingEmptySubsequences: false).last.map(String.init) ?? ""
  }

  /// The words that may stand where the last word of `head` is being typed.
  func candidates(for head: String) -> [String] {
    let words = head.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    let before = words.dropLast().filter { !$0.isEmpty }
    let word = words.last ?? ""
    let typed = before.map { $0.uppercased() }
    if typed.isEmpty || typed == ["HELP"] { return matching(verbs.map { $0.words[0] } + ["EXIT"], word) }
    let seconds = verbs.compactMap { spec in
      spec.words.count == 2 && [spec.words[0]] == (typed.first == "HELP" ? Array(typed.dropFirst()) : typed)
        ? spec.words[1] : nil
    }
    if !seconds.isEmpty { return matching(seconds, word) }
    let known = verbs.first { $0.words == Array(typed.prefix(2)) } ?? verbs.first { $0.words == [typed[0]] }
    guard let spec = known else { return [] }
    if let sign = word.firstIndex(of: "=") {
      return values(of: String(word[..<sign]).lowercased(), in: spec, String(word[word.index(after: sign)...]))
    }
    let places = before.dropFirst(spec.words.count).filter { !$0.contains("=") }.count
    let used = Set(before.compactMap { $0.split(separator: "=").first.map { $0.lowercased() } })
    let keys = spec.keys.map(\.name).filter { !used.contains($0) }.map { $0 + "=" }
    return matching(keys, word) + matching(keyWords(at: places, of: spec), word)
  }

  /// What the request that is being typed takes beyond what stands there, as `HELP` writes it; empty where that is not known yet.
  func hint(for line: String) -> String {
    let words = line.split(separator: " ").map(String.init)
    let typed = words.prefix(2).map { $0.uppercased() }
    let known = verbs.first { $0.words == typed } ?? verbs.first { $0.words == Array(typed.prefix(1)) }
    guard let spec = known, words.count > spec.words.count || line.hasSuffix(" ") else { return "" }
    let given = words.dropFirst(spec.words.count)
    let used = Set(given.compactMap { $0.contains("=") ? $0.split(separator: "=").first.map { $0.lowercased() } : nil })
    let places = spec.positionals.dropFirst(given.count { !$0.contains("=") })
    let one = spec.keys(.oneOf)
    var parts = places.map { $0.need == .required ? $0.text : "[\($0.text)]" }
    parts += spec.keys(.required).filter { !used.contains($0.name) }.map(\.text)
    if !one.isEmpty, !one.contains(where: { used.contains($0.name) }) {
      parts.append(one.map(\.text).joined(separator: "|"))
    }
    parts += (spec.keys(.atMostOne) + spec.keys(.optional)).filter { !used.contains($0.name) }.map { "[\($0.text)]" }
    return parts.joined(separator: " ")
  }

  /// What may follow `key=`.
  private func values(of key: String, in spec: VerbSpec, _ value: String) -> [String] {
    // Where several may stand, divided by commas, the last is being typed.
    let start = value.lastIndex(of: ",").map { value[...$0] } ?? ""
    return matching(words(of: key, in: spec), String(value.dropFirst(start.count))).map { "\(key)=\(start)\($0)" }
  }
  private func words(of key: String, in spec: VerbSpec) -> [String] {
    if let field = spec.kind?.field(key) {
      switch field.form {
      case .choice(let words): return words
      case .reference(let kind, _): return entries(kind)
      case .shape(let shape): return shape.choices.isEmpty ? Completion.beginnings[key] ?? [] : shape.choices
      }
    }
    guard let argument = spec.keys.first(where: { $0.name == key }) else { return [] }
    let usual = Completion.usual(key, in: spec.verb)
    if !usual.isEmpty { return usual }
    return argument.shape.choices.isEmpty ? entries(kind(of: key, in: spec)) : argument.shape.choices
  }
  /// How the values of fields begin that are no list of words.
  private static let beginnings = [
    "expire": ["never", "activity:"], "on-close": ["lapse", "transfer:"], "gift": ["points:"],
  ]
  /// The words that a key's value is, or mostly is, where the vocabulary has no list of them.
  private static func usual(_ key: String, in verb: Verb) -> [String] {
    switch (verb, key) {
    case (.due, "kind"): ["birthday", "anniversary", "expiry", "dormant"]
    case (.caseOpen, "kind"): ["dispute", "abuse", "return"]
    case (.caseList, "kind"): ["dispute", "abuse", "return", "adjustment"]
    case (.caseList, "state"): ["open", "waiting", "approved", "rejected"]
    case (.memberNote, "kind"): ["visit", "complaint", "consultation"]
    case (.memberSet, "pool"): ["none"]
    case (.report, "by"): ["merchant", "org", "region", "tier", "class", "day", "month"]
    default: []
    }
  }
  /// The kind of which a key's values are entries.
  private func kind(of key: String, in spec: VerbSpec) -> String {
    switch key {
    case "class": EntryKind.policy.word
    case "type" where spec.verb == .aliasAdd: EntryKind.cardType.word
    default: key.uppercased()
    }
  }
  /// What may stand at a place of a verb that names an entry.
  private func keyWords(at place: Int, of spec: VerbSpec) -> [String] {
    guard spec.positionals.indices.contains(place) else { return [] }
    if let kind = spec.kind {
      return place < kind.key.count ? entries(kind.key[place].reference ?? kind.word) : []
    }
    // `CAMPAIGN REPORT id`, `REPORT NAME program`.
    let named = entries(spec.positionals[place].text.lowercased() == "id" ? spec.words[0] : "")
    return named.isEmpty ? entries(spec.positionals[place].text.uppercased()) : named
  }
  private func entries(_ word: String) -> [String] { EntryKind.all.first { $0.word == word }.map(names) ?? [] }

  private func matching(_ words: [String], _ start: String) -> [String] {
    var seen: Set<String> = []
    return words.filter { $0.lowercased().hasPrefix(start.lowercased()) && seen.insert($0).inserted }.sorted()
  }
}

/// Names of entries, asked of the cluster when the tab key wants them and kept for a moment. A shell that gets no answer soon offers
/// nothing.
final class EntryNames {
  /// Of one kind; who has more of them types a few letters.
  static let most = 1_000
  private static let keptNanoseconds: Int64 = 10_000_000_000
  private let target: Target
  private let timeouts: Connection.Timeouts
  private var connection: Connection?
  private var known: [String: (names: [String], since: Int64)] = [:]

  init(_ target: Target) {
    self.target = target
    timeouts = Connection.Timeouts(connect: 1_000, reply: 2_000)
  }

  func names(of kind: EntryKind) -> [String] {
    let now = Int64(Clock.monotonicNanoseconds())
    if let known = known[kind.word], now - known.since < EntryNames.keptNanoseconds { return known.names }
    var names: [String] = []
    do {
      let open = try connection ?? target.connect(to: target.endpoints, timeouts: timeouts)
      connection = open
      names = try open.request("\(kind.word) LIST limit=\(EntryNames.most) read=local").records.compactMap { record in
        record[kind.name] ?? kind.key.last.flatMap { record[$0.name] }
      }
    } catch {
      connection = nil
    }
    known[kind.word] = (names, now)
    return names
  }
}
