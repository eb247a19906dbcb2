import Base
import Vocabulary

/// `COMMAND` and its kin: the same table as client libraries read it.
enum CommandCatalogue {
  /// First words, each with the specs that begin with it, in the order of `HELP`.
  private static func commands() -> [(name: String, specs: [VerbSpec])] {
    var found: [(name: String, specs: [VerbSpec])] = []
    for spec in VerbSpec.all {
      if let at = found.firstIndex(where: { $0.name == spec.words[0] }) {
        found[at].specs.append(spec)
      } else {
        found.append((spec.words[0], [spec]))
      }
    }
    return found
  }

  /// `COMMAND DOCS` of everything in both protocols, rendered once.
  private static let renderedDocs: (resp2: [UInt8], resp3: [UInt8]) = (renderDocs(false), renderDocs(true))
  private static func renderDocs(_ resp3: Bool) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 16_384)
    let all = commands()
    ReplyRenderer.map(count: all.count, resp3: resp3, into: &buffer)
    for command in all { docs(command.name, command.specs, resp3, &buffer) }
    return buffer.array
  }

  static func respond(
    _ verb: Verb, _ words: [UnsafeRawBufferPointer], _ resp3: Bool, _ output: inout ByteBuffer
  ) {
    if verb == .commandDocs && words.isEmpty {
      output.append(resp3 ? renderedDocs.resp3 : renderedDocs.resp2)
      return
    }
    let all = commands()
    let wanted = words.map { ConnectionCommands.text($0).uppercased() }
    switch verb {
    case .commandCount: ReplyRenderer.integer(Int64(all.count), into: &output)
    case .commandList:
      ReplyRenderer.array(count: all.count, into: &output)
      for command in all { ReplyRenderer.bulk(command.name.lowercased(), into: &output) }
    case .commandDocs:
      let chosen = wanted.isEmpty ? all : all.filter { wanted.contains($0.name) }
      ReplyRenderer.map(count: chosen.count, resp3: resp3, into: &output)
      for command in chosen { docs(command.name, command.specs, resp3, &output) }
    default:
      guard !wanted.isEmpty else {
        ReplyRenderer.array(count: all.count, into: &output)
        for command in all { entry(command.name, command.specs, &output) }
        break
      }
      ReplyRenderer.array(count: wanted.count, into: &output)
      for word in wanted {
        if let command = all.first(where: { $0.name == word }) {
          entry(command.name, command.specs, &output)
        } else {
          ReplyRenderer.null(resp3: resp3, into: &output)
        }
      }
    }
  }

  /// Name, arity, flags, and no keys: keys here are names, not places.
  private static func entry(_ name: String, _ specs: [VerbSpec], _ output: inout ByteBuffer) {
    let fewest = specs.map { $0.words.count + $0.arguments.count { $0.need == .required } }.min() ?? 1
    ReplyRenderer.array(count: 10, into: &output)
    ReplyRenderer.bulk(name.lowercased(), into: &output)
    ReplyRenderer.integer(Int64(-fewest), into: &output)
    ReplyRenderer.array(count: 1, into: &output)
    ReplyRenderer.simple(specs.allSatisfy { $0.effect == .read } ? "readonly" : "write", into: &output)
    for _ in 0..<3 { ReplyRenderer.integer(0, into: &output) }
    // Categories, tips, keys and subcommands, as of version 7: libraries go by there being ten.
    for _ in 0..<4 { ReplyRenderer.array(count: 0, into: &output) }
  }

  private static func docs(_ name: String, _ specs: [VerbSpec], _ resp3: Bool, _ output: inout ByteBuffer) {
    ReplyRenderer.bulk(name.lowercased(), into: &output)
    let own = specs.first { $0.words.count == 1 }
    let parts = specs.filter { $0.words.count == 2 }
    if let own {
      summary(own, parts.isEmpty ? 0 : 1, resp3, &output)
    } else {
      head("\(name) has subcommands.", parts[0].group, 1, resp3, &output)
    }
    guard !parts.isEmpty else { return }
    ReplyRenderer.bulk("subcommands", into: &output)
    ReplyRenderer.map(count: parts.count, resp3: resp3, into: &output)
    for spec in parts {
      ReplyRenderer.bulk(spec.words.joined(separator: "|").lowercased(), into: &output)
      summary(spec, 0, resp3, &output)
    }
  }

  /// A verb's map, of which `more` pairs follow.
  private static func summary(_ spec: VerbSpec, _ more: Int, _ resp3: Bool, _ output: inout ByteBuffer) {
    let list = hints(spec)
    head("\(spec.summary) \(spec.usage)", spec.group, (list.isEmpty ? 0 : 1) + more, resp3, &output)
    guard !list.isEmpty else { return }
    ReplyRenderer.bulk("arguments", into: &output)
    ReplyRenderer.array(count: list.count, into: &output)
    for hint in list { write(hint, resp3, &output) }
  }
  /// Opens a map of summary, since and group, and `more` pairs that follow.
  private static func head(
    _ text: String, _ group: VerbSpec.Group, _ more: Int, _ resp3: Bool, _ output: inout ByteBuffer
  ) {
    ReplyRenderer.map(count: 3 + more, resp3: resp3, into: &output)
    for (key, value) in [("summary", text), ("since", "0.1.0"), ("group", group.rawValue)] {
      ReplyRenderer.bulk(key, into: &output)
      ReplyRenderer.bulk(value, into: &output)
    }
  }

  // MARK: Arguments

  /// An argument as `COMMAND DOCS` has it in Redis, where it is what `redis-cli` shows while one types. A key is shown with its
  /// `=`: so it stands in the name, which is all that `redis-cli` 7.0 shows.
  private struct Hint {
    var name: String
    var isOptional: Bool
    /// Of which one is chosen; none: the argument is a word itself.
    var choices: [String] = []
  }
  private static func hints(_ spec: VerbSpec) -> [Hint] {
    func one(_ arguments: [Argument], isOptional: Bool) -> [Hint] {
      guard !arguments.isEmpty else { return [] }
      let names = arguments.map(\.text)
      return [Hint(name: arguments.map(\.name).joined(separator: "-or-"), isOptional: isOptional, choices: names)]
    }
    return spec.positionals.map { Hint(name: $0.text, isOptional: $0.need != .required) }
      + spec.keys(.required).map { Hint(name: $0.text, isOptional: false) }
      + one(spec.keys(.oneOf), isOptional: false) + one(spec.keys(.atMostOne), isOptional: true)
      + spec.keys(.optional).map { Hint(name: $0.text, isOptional: true) }
  }
  private static func write(_ hint: Hint, _ resp3: Bool, _ output: inout ByteBuffer) {
    let pairs = 2 + (hint.isOptional ? 1 : 0) + (hint.choices.isEmpty ? 0 : 1)
    ReplyRenderer.map(count: pairs, resp3: resp3, into: &output)
    for (key, value) in [("name", hint.name), ("type", hint.choices.isEmpty ? "string" : "oneof")] {
      ReplyRenderer.bulk(key, into: &output)
      ReplyRenderer.bulk(value, into: &output)
    }
    if hint.isOptional {
      ReplyRenderer.bulk("flags", into: &output)
      ReplyRenderer.array(count: 1, into: &output)
      ReplyRenderer.simple("optional", into: &output)
    }
    guard !hint.choices.isEmpty else { return }
    ReplyRenderer.bulk("arguments", into: &output)
    ReplyRenderer.array(count: hint.choices.count, into: &output)
    for choice in hint.choices { write(Hint(name: choice, isOptional: false), resp3, &output) }
  }
}
