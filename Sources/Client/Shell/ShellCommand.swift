import Foundation
import Replies
import System

/// `tally shell`: the protocol for people.
enum ShellCommand {
  static let command = Command(
    "shell", summary: "an interactive shell for the line protocol; also -c 'LINE', or lines on standard input",
    flags: [.value("c", "'LINE'", "sends the line, or several, prints the replies and ends")],
    notes: """
      On a terminal: arrows and Ctrl-A/E/B/F/K/U/W edit, up and down recall (~/.tally_history) and Ctrl-R searches, tab \
      completes verbs, keys, and names that are set up, and what a request lacks stands faint behind it. Ctrl-C drops the line, or gives up \
      waiting for an answer; Ctrl-D leaves. Records are shown as lists and tables, long ones a screen at a time; # begins a comment. Lines that are piped in are sent one by one, and each \
      reply is printed as it came, errors with their '-'; so with -c, which may hold several lines.

      Exit code of -c and of piped lines: that of the first error reply (1 ERR, 3 UNKNOWN, 4 BUSY or UNAVAILABLE, 2 any \
      other), or 5 where nobody is reachable.
      """, hasJSON: false,
    body: { invocation throws(ClientError) in
      let target = invocation.target
      if let line = invocation.flags["c"] {
        return CommandResult(exitCode: try script(target, lines: line.split(separator: "\n").map(String.init)))
      }
      guard Console.isInputTerminal, Console.isOutputTerminal else { return CommandResult(exitCode: try pipe(target)) }
      var shell = try Shell(target)
      return CommandResult(exitCode: shell.run())
    })

  private static func script(_ target: Target, lines: [String]) throws(ClientError) -> Int32 {
    let connection = try target.connect()
    var code: Int32 = 0
    for line in lines where !isBlank(line) { try send(line, connection, &code) }
    return code
  }

  private static func pipe(_ target: Target) throws(ClientError) -> Int32 {
    let connection = try target.connect()
    var code: Int32 = 0
    while let line = readLine() {
      if !isBlank(line) { try send(line, connection, &code) }
    }
    return code
  }

  private static func send(_ line: String, _ connection: Connection, _ code: inout Int32) throws(ClientError) {
    let reply = try connection.request(line)
    for text in Pretty.plain(reply) { Console.print(text) }
    if case .error(let word, _) = reply, code == 0 { code = ClientError.exitCode(ofReply: word) }
  }

  /// Empty, or a comment.
  private static func isBlank(_ line: String) -> Bool {
    let text = line.trimmingCharacters(in: .whitespaces)
    return text.isEmpty || text.hasPrefix("#")
  }
}

/// The conversation with a person at a terminal.
private struct Shell {
  private let target: Target
  private var connection: Connection?
  private let completion: Completion
  private let history = HistoryFile()
  private let terminal = Terminal()

  init(_ target: Target) throws(ClientError) {
    self.target = target
    let names = EntryNames(target)
    completion = Completion { names.names(of: $0) }
    connection = try target.connect()
  }

  mutating func run() -> Int32 {
    Console.print("tally \(Version.text): HELP lists all requests, HELP VERB explains one, Ctrl-D leaves")
    var editor = LineEditor(history: history.load())
    while true {
      let prompt = connection.map { "\($0.endpoint)> " } ?? "not connected> "
      let completion = completion
      guard
        let line = terminal.readLine(prompt: prompt, editor: &editor, completion: completion)
      else { return 0 }
      let text = line.trimmingCharacters(in: .whitespaces)
      if text.isEmpty || text.hasPrefix("#") { continue }
      if !HistoryFile.isSecret(text) {
        editor.remember(text)
        history.append(text)
      }
      if ["exit", "quit"].contains(text.lowercased()) { return 0 }
      answer(text)
    }
  }

  /// Ctrl-C gives up waiting, and the connection with it: what comes late must not be taken for the next answer.
  private func ask(_ text: String, _ connection: Connection) throws(ClientError) -> Value {
    let terminal = terminal
    terminal.enterRaw()
    defer { terminal.leaveRaw() }
    connection.isInterrupted = { terminal.isInterrupted() }
    return try connection.request(text)
  }

  private mutating func answer(_ text: String) {
    do throws(ClientError) {
      if connection == nil { connection = try target.connect() }
      guard let connection else { return }
      let start = Clock.monotonicNanoseconds()
      let reply = try ask(text, connection)
      let time = Format.duration(Clock.monotonicNanoseconds() - start)
      var style = Style(descriptor: 1, isWide: false)
      style.limit = terminal.columnCount
      terminal.show(Pretty.rich(reply, style) + "  " + style.paint(time, .faint))
    } catch {
      Console.report("\(error)")
      if case .usage = error { return }
      connection = nil
      if error.exitCode == 3 {
        Console.report("it may have happened: the same line with the same id= gives the answer and moves nothing twice")
      }
    }
  }
}

/// The lines typed before, in the user's home, readable by that user alone.
private struct HistoryFile {
  private static let kept = 1000
  private let path: String?

  init() { path = Console.environment("HOME").map { $0 + "/.tally_history" } }

  /// What holds a secret is not kept.
  static func isSecret(_ line: String) -> Bool {
    let words = line.uppercased().split(separator: " ")
    return words.contains("AUTH") || words.contains { $0.hasPrefix("SECRET=") || $0.hasPrefix("PASSWORD=") }
  }

  func load() -> [String] {
    guard let path, let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
    return Array(text.split(separator: "\n").map(String.init).suffix(HistoryFile.kept))
  }

  func append(_ line: String) {
    guard let path else { return }
    var lines = load()
    if lines.count >= HistoryFile.kept {
      lines = Array(lines.suffix(HistoryFile.kept / 2)) + [line]
      try? (lines.joined(separator: "\n") + "\n").write(toFile: path, atomically: true, encoding: .utf8)
      chmod(path, 0o600)
      return
    }
    let file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { return }
    Console.write(line + "\n", to: file)
    close(file)
  }
}
