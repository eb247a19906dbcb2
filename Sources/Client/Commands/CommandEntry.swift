/// One command of the program: a row of its table.
public struct CommandEntry: Sendable {
  public let name: String
  /// One line for `tally help`.
  public let summary: String
  /// What `tally help NAME` prints.
  public let usage: String
  /// Runs with the arguments behind the name; gives the exit code.
  public let run: @Sendable ([String]) -> Int32

  public init(name: String, summary: String, usage: String, run: @escaping @Sendable ([String]) -> Int32) {
    self.name = name
    self.summary = summary
    self.usage = usage
    self.run = run
  }

  /// A command whose errors become one line on standard error and their exit code.
  init(
    name: String, summary: String, usage: String, body: @escaping @Sendable ([String]) throws(ClientError) -> Int32
  ) {
    self.init(name: name, summary: summary, usage: usage) { arguments in
      do throws(ClientError) {
        return try body(arguments)
      } catch {
        Console.report("tally \(name): \(error)")
        if case .usage = error { Console.report("see: tally help \(name)") }
        return error.exitCode
      }
    }
  }
}

/// The executable's commands, and how a line of arguments finds its command.
public struct CommandTable: Sendable {
  private let entries: [CommandEntry]
  public init(_ entries: [CommandEntry]) { self.entries = entries }

  /// Runs what the arguments (without the program's own name) ask for; gives the exit code.
  public func run(_ arguments: [String]) -> Int32 {
    guard let name = arguments.first else {
      Console.write(overview(), to: 2)
      return 1
    }
    let rest = Array(arguments.dropFirst())
    if ["help", "--help", "-h"].contains(name) { return help(rest) }
    if ["version", "--version", "-V"].contains(name) {
      Console.print("tally \(Version.text)")
      return 0
    }
    guard let entry = entries.first(where: { $0.name == name }) else {
      Console.report("tally: no command '\(name)' (tally help lists them)")
      return 1
    }
    let flags = rest.prefix { $0 != "--" }
    if flags.contains("--help") || ["help", "-h"].contains(rest.first) { return help([name]) }
    return entry.run(rest)
  }

  private func help(_ words: [String]) -> Int32 {
    guard let name = words.first else {
      Console.write(overview())
      return 0
    }
    guard let entry = entries.first(where: { $0.name == name }) else {
      Console.report("tally: no command '\(name)' (tally help lists them)")
      return 1
    }
    Console.print("tally \(entry.name): \(entry.summary)\n\n\(entry.usage)")
    return 0
  }

  private func overview() -> String {
    let width = entries.map(\.name.count).max() ?? 0
    let lines = entries.map { entry in
      "  \(entry.name)\(String(repeating: " ", count: width - entry.name.count))  \(entry.summary)"
    }
    return """
      tally \(Version.text): a replicated ledger for loyalty points

      \(lines.joined(separator: "\n"))

      tally help COMMAND tells more. Most commands take --to HOST:PORT[,HOST:PORT…] (or TALLY_TO), tried in order;
      the default is 127.0.0.1:7401. Exit code: 0 done, 1 wrong arguments, 2 refused, 3 unknown or timed out,
      4 the cluster is unhealthy, 5 nobody reachable.

      """
  }
}

/// The version of the program.
public enum Version {
  public static let text = "0.1.0"
}
