import Base

/// `HELP` and `HELP VERB`: the whole language for a person who typed `telnet`.
public enum HelpText {
  /// The lines that `HELP` with these words gives; nil if no verb begins with them.
  public static func lines(for words: [String]) -> [String]? {
    guard !words.isEmpty else { return overview() }
    let wanted = words.map { $0.uppercased() }
    let specs = VerbSpec.all.filter { $0.words.starts(with: wanted) }
    guard !specs.isEmpty else { return nil }
    return specs.count == 1 ? detail(specs[0]) : specs.map { "\($0.usage) - \($0.summary)" }
  }

  /// The whole of `HELP`, rendered once: making it costs over a millisecond.
  private static let renderedOverview: [UInt8] = {
    var buffer = ByteBuffer(capacity: 8192)
    render(overview(), &buffer)
    return buffer.array
  }()

  static func respond(_ words: [UnsafeRawBufferPointer], _ output: inout ByteBuffer) {
    guard !words.isEmpty else { return output.append(renderedOverview) }
    guard let lines = lines(for: words.map { ConnectionCommands.text($0) }) else {
      return ReplyRenderer.error(
        .malformed, "no command \(Refusal.quoted(words[0])); HELP lists them all", into: &output)
    }
    render(lines, &output)
  }
  private static func render(_ lines: [String], _ output: inout ByteBuffer) {
    ReplyRenderer.array(count: lines.count, into: &output)
    for line in lines { ReplyRenderer.simple(line, into: &output) }
  }

  private static func overview() -> [String] {
    var lines = [
      "A request is one line: VERB arg key=value ... Verbs and keys in any case; \"quotes\" keep spaces together.",
      "WHO is a member's id or card:NUMBER. Points and MINOR units of money are whole numbers. TX is SLOT-SEQUENCE.",
      "id= names a request: the same id again gives the same answer and moves nothing twice.",
      "[...] may be left out, a|b is a choice. HELP VERB tells more. Errors begin with - and a code.",
    ]
    for group in VerbSpec.Group.allCases {
      lines.append("\(group.rawValue):")
      for spec in VerbSpec.all where spec.group == group { lines.append("  \(spec.usage) - \(spec.summary)") }
    }
    return lines
  }

  private static func detail(_ spec: VerbSpec) -> [String] {
    var lines = [spec.usage, spec.summary]
    for positional in spec.positionals where positional.shape != .free {
      lines.append("  \(positional.name): \(positional.shape.requirement)")
    }
    for key in spec.required + spec.oneOf + spec.atMostOne + spec.optional {
      let use =
        spec.required.contains(key) ? "required" : spec.oneOf.contains(key) ? "one of these" : "optional"
      lines.append("  \(key.word)= \(spec.requirement(of: key)) (\(use))")
    }
    lines.append("Example: \(spec.example)")
    return lines
  }
}

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
    let fewest = specs.map { $0.words.count + $0.requiredPositionals + $0.required.count }.min() ?? 1
    ReplyRenderer.array(count: 6, into: &output)
    ReplyRenderer.bulk(name.lowercased(), into: &output)
    ReplyRenderer.integer(Int64(-fewest), into: &output)
    ReplyRenderer.array(count: 1, into: &output)
    ReplyRenderer.simple(specs.allSatisfy(\.verb.isRead) ? "readonly" : "write", into: &output)
    for _ in 0..<3 { ReplyRenderer.integer(0, into: &output) }
  }

  private static func docs(_ name: String, _ specs: [VerbSpec], _ resp3: Bool, _ output: inout ByteBuffer) {
    ReplyRenderer.bulk(name.lowercased(), into: &output)
    let own = specs.first { $0.words.count == 1 }
    let parts = specs.filter { $0.words.count == 2 }
    summary(own ?? parts[0], parts.isEmpty ? 0 : 1, isContainer: own == nil, resp3, &output)
    guard !parts.isEmpty else { return }
    ReplyRenderer.bulk("subcommands", into: &output)
    ReplyRenderer.map(count: parts.count, resp3: resp3, into: &output)
    for spec in parts {
      ReplyRenderer.bulk(spec.words.joined(separator: "|").lowercased(), into: &output)
      summary(spec, 0, isContainer: false, resp3, &output)
    }
  }

  /// Opens a map of summary, since and group, and `more` pairs that follow.
  private static func summary(
    _ spec: VerbSpec, _ more: Int, isContainer: Bool, _ resp3: Bool, _ output: inout ByteBuffer
  ) {
    let text = isContainer ? "\(spec.words[0]) has subcommands." : "\(spec.summary) \(spec.usage)"
    ReplyRenderer.map(count: 3 + more, resp3: resp3, into: &output)
    for (key, value) in [("summary", text), ("since", "0.1.0"), ("group", spec.group.rawValue)] {
      ReplyRenderer.bulk(key, into: &output)
      ReplyRenderer.bulk(value, into: &output)
    }
  }
}
