import Base
import Vocabulary

/// `HELP`, `HELP VERB` and `HELP errors|values|ids`: the whole language for a person who typed `telnet`.
public enum HelpText {
  /// The lines that `HELP` with these words gives; nil if no verb begins with them, nor are they a topic.
  public static func lines(for words: [String], in language: Language = .standard) -> [String]? {
    guard !words.isEmpty else { return overview(language) }
    if words.count == 1, let topic = Topic(rawValue: words[0].lowercased()) { return topic.lines }
    let wanted = words.map { $0.uppercased() }
    let specs = language.specs.filter { $0.words.starts(with: wanted) }
    guard !specs.isEmpty else { return nil }
    return specs.count == 1 ? detail(specs[0]) : specs.map { "\($0.usage) - \($0.summary)" }
  }

  /// The whole of `HELP`, rendered once: making it costs over a millisecond.
  private static let renderedOverview: [UInt8] = {
    var buffer = ByteBuffer(capacity: 8192)
    render(overview(.standard), &buffer)
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

  private static func overview(_ language: Language) -> [String] {
    var lines = [
      "A request is one line: VERB arg key=value ... Verbs and keys in any case; \"quotes\" keep spaces together.",
      "WHO is a member's id, or an alias like card:5001 or phone:137. Points and MINOR units of money are whole numbers. TX is SLOT-SEQUENCE.",
      "id= names a request: the same id again gives the same answer and moves nothing twice.",
      "[...] may be left out, a|b is a choice. HELP VERB tells more. Errors begin with - and a code: HELP errors.",
    ]
    for group in VerbSpec.Group.allCases {
      lines.append("\(group.rawValue):")
      for spec in language.specs where spec.group == group { lines.append("  \(spec.usage) - \(spec.summary)") }
    }
    return lines
  }

  private static func detail(_ spec: VerbSpec) -> [String] {
    var lines = [spec.usage, spec.summary]
    for place in spec.positionals where place.shape != .free {
      lines.append("  \(place.name): \(place.requirement)")
    }
    for argument in spec.keys {
      let use =
        switch argument.need {
        case .required: "required"
        case .oneOf: "one of these"
        case .atMostOne, .optional: "optional"
        }
      lines.append("  \(argument.name)= \(argument.requirement) (\(use))")
    }
    lines.append("Example: \(spec.example)")
    return lines
  }

  /// What `HELP` explains beside the verbs.
  enum Topic: String {
    case errors, values, ids

    var lines: [String] {
      switch self {
      case .errors: ErrorCode.advice.map { "\($0.code.word): \($0.means) - \($0.advice)" }
      case .values:
        ["WHO is \(Shape.who.requirement)", "TX is \(Shape.transaction.requirement)"]
          + Key.allCases.map { "\($0.word)= is \($0.shape.requirement)" }
      case .ids:
        [
          "id= names a request. Commands that move points require it; any other write may carry one.",
          "The same id with the same content gives the first answer again and moves nothing, on any node, for 30 days.",
          "The same id with other content is -CONFLICT.",
          "It is scoped to member and merchant; on a TX, to those of that transaction.",
          "Kept under their id too: \(kept.joined(separator: " ")), and NOTFOUND for the recipient of a TRANSFER.",
          "After any other error a later attempt with the same id may succeed.",
          "UNKNOWN and a lost connection leave doubt: send the same request with the same id.",
        ]
      }
    }
    private var kept: [String] { ErrorCode.allCases.filter { $0.isKept() }.map { "\($0.word)" } }
  }
}
