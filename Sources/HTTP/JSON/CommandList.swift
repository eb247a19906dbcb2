import Vocabulary

/// `{"commands": […]}` to requests of the protocol. A text is a line as a terminal sends it; an object has the verb, its
/// places by the names that the verb's row gives them (or all of them in `args`), and its keys.
struct CommandList {
  /// One that is to be sent, or why it is answered here.
  enum Command: Equatable {
    case send([UInt8])
    /// With an error's code.
    case refused(String, String)
  }
  static let most = 1_000

  /// In the order sent; each is answered.
  static func parse(_ body: [UInt8]) throws(Refusal) -> [Command] {
    let value: JSONInput
    do { value = try JSONInput.parse(body) } catch {
      throw Refusal(.badRequest, "the body is no JSON: \(error.text) at byte \(error.offset)")
    }
    guard case .object(let members) = value, members.count == 1, members[0].name == "commands",
      case .array(let commands) = members[0].value
    else { throw Refusal(.badRequest, "the body must be {\"commands\": […]}") }
    guard commands.count <= most else {
      throw Refusal(.badRequest, "at most \(most) commands at once; nothing was done")
    }
    return commands.map { command in
      do throws(Reason) {
        switch command {
        case .text(let line): return .send(try bytes(of: line))
        case .object(let members): return .send(array(of: try words(of: members)))
        default: throw Reason("a command is a text or an object")
        }
      } catch {
        return .refused("ERR", error.text)
      }
    }
  }

  /// Why a command is not sent.
  private struct Reason: Error {
    var text: String
    init(_ text: String) { self.text = text }
  }

  /// Verbs about a connection: a request here has none of its own.
  private static let ofConnections: Set<String> = [
    "AUTH", "HELLO", "CLIENT", "RESET", "QUIT", "SELECT", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH",
    // By these a terminal's port knows a browser, and closes.
    "POST", "HOST:",
  ]
  /// - Parameter words: the first, and the second if there is one, in capitals.
  private static func check(_ words: [String]) throws(Reason) {
    let verb = words.prefix(2) == ["TENANT", "USE"] ? "TENANT USE" : words[0]
    guard verb != "TENANT USE", !ofConnections.contains(verb) else {
      throw Reason("\(verb) is about a connection: it is not served by HTTP")
    }
  }

  // MARK: Lines

  private static func bytes(of line: String) throws(Reason) -> [UInt8] {
    let utf8 = Array(line.utf8)
    // A line's end would begin another request, and its answers would be those of others.
    guard !utf8.contains(0x0A), !utf8.contains(0x0D) else { throw Reason("a command is one line") }
    let words = line.split(maxSplits: 2, whereSeparator: { $0 == " " || $0 == "\t" }).prefix(2)
    guard let first = words.first else { throw Reason("a command is empty") }
    // Quotes could spell a verb that is not served.
    let quoted = first.uppercased() == "TENANT" ? words : words.prefix(1)
    guard !quoted.contains(where: { $0.contains { $0 == "\"" || $0 == "'" } }) else {
      throw Reason("a verb does not stand in quotes")
    }
    try check(words.map { $0.uppercased() })
    // The space keeps it a line whatever it begins with.
    return [0x20] + utf8 + [0x0D, 0x0A]
  }

  // MARK: Objects

  private static func words(of members: [JSONInput.Member]) throws(Reason) -> [String] {
    guard let verb = members.first(where: { $0.name == "verb" }), case .text(let text) = verb.value else {
      throw Reason("an object needs a verb: {\"verb\": \"EARN\", …}")
    }
    let said = text.split(separator: " ").map { $0.uppercased() }
    guard !said.isEmpty else { throw Reason("an object needs a verb: {\"verb\": \"EARN\", …}") }
    let spec = Language.standard.specs.filter { said.starts(with: $0.words) }.max { $0.words.count < $1.words.count }
    var words = said
    var rest = members.filter { $0.name != "verb" }
    for place in spec?.positionals ?? [] {
      guard let at = rest.firstIndex(where: { $0.name == name(of: place) }) else { continue }
      words += try free(rest.remove(at: at), spec)
    }
    if let at = rest.firstIndex(where: { $0.name == "args" }) { words += try free(rest.remove(at: at), spec) }
    try check(words.map { $0.uppercased() })
    for member in rest {
      guard !member.name.utf8.contains(UInt8(ascii: "=")) else { throw Reason("a name has no =") }
      guard let value = try scalar(member.value, of: member.name) else { continue }
      words.append("\(key(member.name, spec))=\(value)")
    }
    return words
  }
  /// As an object names what a line has by its place.
  private static func name(of place: Argument) -> String {
    switch place.name {
    case "KIND:VALUE": "alias"
    default: place.name.lowercased().filter { $0 != "…" }
    }
  }
  /// `request` is the request's `id=` where `id` is the verb's own place; words are joined by `-` in a line.
  private static func key(_ name: String, _ spec: VerbSpec?) -> String {
    if name == "request", spec?.argument(.id) != nil, spec?.arguments.contains(where: { $0.name == "request" }) == false
    {
      return "id"
    }
    return name.hasPrefix("x.") ? name : name.replacing("_", with: "-")
  }
  /// The words of a place: a list has several.
  private static func free(_ member: JSONInput.Member, _ spec: VerbSpec?) throws(Reason) -> [String] {
    var values: [JSONInput] = [member.value]
    if case .array(let several) = member.value { values = several }
    var words: [String] = []
    for value in values {
      guard let word = try scalar(value, of: member.name) else { continue }
      // It would be taken for a key, which the sender did not mean.
      guard spec?.takesFreeWords == true || !word.utf8.contains(UInt8(ascii: "=")) else {
        throw Reason("\(member.name) has an =")
      }
      words.append(word)
    }
    return words
  }
  /// Nil: it is as if it were not there.
  private static func scalar(_ value: JSONInput, of name: String) throws(Reason) -> String? {
    switch value {
    case .text(let text): return text
    case .number(let digits): return digits
    case .flag(let flag): return flag ? "yes" : "no"
    case .null: return nil
    case .array, .object: throw Reason("\(name) must be a text, a number, true or false")
    }
  }

  /// A request as RESP has it.
  static func array(of words: [String]) -> [UInt8] {
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    return bytes
  }
}
