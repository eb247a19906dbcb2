/// One command of the program: a row of its table.
public struct CommandEntry: Sendable {
  /// One word or two: `status`, `alarm list`.
  public let name: String
  /// Other names, which `tally help` does not list.
  let aliases: [String]
  /// One line for `tally help`.
  public let summary: String
  /// What `tally help NAME` prints.
  public let usage: String
  /// What may be said behind it, for completion.
  let flags: [Flag]
  /// What its first word may be, where that is one of a few.
  let choices: [String]
  /// Runs with the arguments behind the name; gives the exit code.
  public let run: @Sendable ([String]) -> Int32

  public init(
    name: String, aliases: [String] = [], summary: String, usage: String, flags: [Flag] = [],
    choices: [String] = [], run: @escaping @Sendable ([String]) -> Int32
  ) {
    self.name = name
    self.aliases = aliases
    self.summary = summary
    self.usage = usage
    self.flags = flags
    self.choices = choices
    self.run = run
  }
}

/// The executable's commands, and how a line of arguments finds its command.
public struct CommandTable: Sendable {
  let entries: [CommandEntry]
  /// Of which commit the program is; empty: that is not known.
  private let commit: String
  public init(_ entries: [CommandEntry], commit: String = "") {
    self.entries = entries
    self.commit = commit
  }

  /// Runs what the arguments (without the program's own name) ask for; gives the exit code.
  public func run(_ arguments: [String]) -> Int32 {
    guard let name = arguments.first else {
      Console.write(overview(), to: 2)
      return 1
    }
    if ["help", "--help", "-h"].contains(name) { return help(Array(arguments.dropFirst())) }
    if ["version", "--version", "-V"].contains(name) {
      Console.print("tally \(Version.text) (commit \(commit.isEmpty ? "unknown" : commit))")
      return 0
    }
    // For packages: made of the table, so they name every command and flag.
    if name == "man" { return print(arguments, usage: "tally man") { _ in Manual.page(entries) } }
    if name == "completion" {
      return print(arguments, usage: "tally completion bash|zsh|fish", words: 1) { Completions.script($0, entries) }
    }
    guard let (entry, rest) = find(arguments) else { return unknown(arguments) }
    let flags = rest.prefix { $0 != "--" }
    if flags.contains("--help") || ["help", "-h"].contains(rest.first) { return help([entry.name]) }
    return entry.run(rest)
  }

  /// Prints a text that is made of the table; nil: there is none by that word.
  private func print(_ arguments: [String], usage: String, words: Int = 0, _ text: (String) -> String?) -> Int32 {
    guard arguments.count == words + 1, let text = text(arguments.last ?? "") else {
      Console.report("tally: wanted: \(usage)")
      return 1
    }
    Console.print(text)
    return 0
  }

  /// The command that the first words name, and the arguments behind its name.
  private func find(_ arguments: [String]) -> (CommandEntry, [String])? {
    for count in [3, 2, 1] where arguments.count >= count {
      let name = arguments.prefix(count).joined(separator: " ")
      if let entry = entries.first(where: { $0.name == name || $0.aliases.contains(name) }) {
        return (entry, Array(arguments.dropFirst(count)))
      }
    }
    return nil
  }

  private func unknown(_ words: [String]) -> Int32 {
    let name = words.first ?? ""
    guard !name.hasPrefix("-") else {
      Console.report("tally: '\(name)' stands before any command: say it behind it, as in tally status --to HOST:PORT")
      return 1
    }
    let family = entries.flatMap { [$0.name] + $0.aliases }.filter { $0.hasPrefix("\(name) ") }
    let there = family.isEmpty ? "tally help lists them" : "there is \(family.joined(separator: ", "))"
    let said = family.isEmpty ? name : words.prefix(2).joined(separator: " ")
    Console.report("tally: no command '\(said)' (\(there))")
    return 1
  }

  private func help(_ words: [String]) -> Int32 {
    guard !words.isEmpty else {
      Console.write(overview())
      return 0
    }
    let name = words.flatMap { $0.split(separator: " ").map(String.init) }
    let found = find(name).map { [$0.0] } ?? entries.filter { $0.name.hasPrefix("\(name[0]) ") }
    guard !found.isEmpty else { return unknown(name) }
    let texts = found.map { "tally \($0.name): \($0.summary)\n\n\($0.usage)" }
    Console.print(texts.joined(separator: "\n\n"))
    return 0
  }

  private func overview() -> String {
    let width = entries.map(\.name.count).max() ?? 0
    let lines = entries.flatMap { entry in
      Page.wrapped(entry.summary, width: Style.width - width - 4).enumerated().map { i, text in
        let head = i == 0 ? entry.name : ""
        return "  \(head)\(String(repeating: " ", count: width - head.count))  \(text)"
      }
    }
    return """
      tally \(Version.text): a replicated ledger for loyalty points

      \(lines.joined(separator: "\n"))

      tally help COMMAND tells more; tally version, man and completion bash|zsh|fish
      print what they say. Most commands take --to HOST:PORT[,HOST:PORT…]
      (or TALLY_TO), tried in order; the default is 127.0.0.1:7401. Exit code:
      0 done, 1 wrong arguments, 2 refused, 3 unknown or timed out, 4 the cluster is
      unhealthy, 5 nobody reachable.

      """
  }
}

/// The version of the program.
public enum Version {
  public static let text = "0.1.0"
}
