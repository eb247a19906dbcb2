import Replies

/// One command of the command line: what it takes, and what it does. Reading flags, printing for a person or as JSON,
/// `--dry-run`, the usage and the exit code are the same for all, and stand here once.
struct Command: Sendable {
  typealias Body = @Sendable (Invocation) throws(ClientError) -> CommandResult

  /// One word or two: `status`, `alarm list`.
  let name: String
  var aliases: [String] = []
  /// One line for `tally help`.
  let summary: String
  /// The words behind the name, as the usage shows them, and how many there are.
  var words = ""
  var wordCount = 0...0
  var flags: [Flag] = []
  /// What else `tally help NAME` tells.
  var notes = ""
  /// False of a conversation.
  var hasJSON = true
  /// What `--dry-run` does in place of `body`; a command that changes nothing has none.
  var plan: Body?
  let body: Body

  init(
    _ name: String, aliases: [String] = [], summary: String, words: String = "", wordCount: ClosedRange<Int> = 0...0,
    flags: [Flag] = [], notes: String = "", hasJSON: Bool = true, plan: Body? = nil, body: @escaping Body
  ) {
    self.name = name
    self.aliases = aliases
    self.summary = summary
    self.words = words
    self.wordCount = wordCount
    self.flags = flags
    self.notes = notes
    self.hasJSON = hasJSON
    self.plan = plan
    self.body = body
  }

  var allFlags: [Flag] {
    flags + (plan == nil ? [] : [.dryRun])
      + [.to, .user, .secretFile, .timeout, .tlsAuthorities, .tlsCertificate, .tlsKey]
      + (hasJSON ? [.json, .wide] : [])
  }

  /// `members|purchases` of `members|purchases FILE.csv`.
  private var choices: [String] {
    let first = words.split(separator: " ").first?.split(separator: "|").map(String.init) ?? []
    let isWords = first.allSatisfy { $0.allSatisfy { $0.isLowercase || $0 == "-" } }
    return first.count > 1 && isWords ? first : []
  }

  /// What `tally help NAME` prints.
  var usage: String {
    let width = min(24, allFlags.map { $0.spelling.count }.max() ?? 0)
    var lines = ["  " + ["tally \(name)", words, "[flags]"].filter { !$0.isEmpty }.joined(separator: " "), ""]
    for flag in allFlags {
      let spelling = flag.spelling
      let meaning = Page.wrapped(flag.meaning, width: Style.width - width - 6)
      let isLong = spelling.count > width
      if isLong { lines.append("    \(spelling)") }
      for (i, text) in meaning.enumerated() {
        let head = i == 0 && !isLong ? spelling : ""
        lines.append("    " + head + String(repeating: " ", count: width - head.count) + "  " + text)
      }
    }
    if !notes.isEmpty {
      lines += [""] + Page.wrapped(notes, width: Style.width - 2).map { $0.isEmpty ? "" : "  \($0)" }
    }
    return lines.joined(separator: "\n")
  }

  /// Runs it with the arguments behind its name; gives the exit code.
  func run(_ arguments: [String]) -> Int32 {
    let isJSON = hasJSON && arguments.prefix { $0 != "--" }.contains("--json")
    do throws(ClientError) {
      let flags = try Flags(arguments, accepting: allFlags)
      guard wordCount.contains(flags.words.count) else {
        if flags.words.count > wordCount.upperBound {
          throw .usage("unexpected argument '\(flags.words[wordCount.upperBound])'")
        }
        throw .usage("wanted: \(words)")
      }
      let invocation = Invocation(flags: flags, target: try Target(flags), isJSON: isJSON)
      let perform = flags.has("dry-run") ? plan ?? body : body
      let result = try perform(invocation)
      result.print(isJSON: isJSON, style: Style(descriptor: 1, isWide: flags.has("wide")))
      return result.exitCode
    } catch {
      if isJSON {
        Console.print(error.json.rendered())
      } else {
        Console.report("tally \(name): \(error)")
        if case .usage = error { Console.report("see: tally help \(name)") }
      }
      return error.exitCode
    }
  }

  /// Its row in the program's table.
  var entry: CommandEntry {
    let command = self
    return CommandEntry(name: name, aliases: aliases, summary: summary, usage: usage, flags: allFlags, choices: choices)
    {
      command.run($0)
    }
  }
}

/// A command as it was said.
struct Invocation {
  let flags: Flags
  let target: Target
  /// Nothing but one JSON value may be printed to standard output, and no progress.
  let isJSON: Bool
}

/// What a command came to.
struct CommandResult {
  var json: JSON?
  var page = Page()
  var exitCode: Int32 = 0

  func print(isJSON: Bool, style: Style) {
    if isJSON {
      if let json { Console.print(json.rendered()) }
    } else if !page.isEmpty {
      Console.print(page.rendered(style))
    }
  }
}

extension ClientError {
  /// One JSON value, as everything that `--json` prints: `{"error": {"code": …, "text": …, "exit": …}}`.
  var json: JSON {
    .object([("error", .object([("code", .text(code)), ("text", .text(text)), ("exit", .integer(Int64(exitCode)))]))])
  }
}
