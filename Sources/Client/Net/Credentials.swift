import Foundation

/// Who signs in, and by which secret. Neither stands in an argument list, where others on the machine could read it.
public struct Credentials: Sendable {
  public let user: String
  let secret: String

  /// Throws `.usage` where they cannot stand in a request.
  public init(user: String, secret: String) throws(ClientError) {
    guard !user.isEmpty, user.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "\"") }) else {
      throw .usage("--user \(user): a user's name is 1 to 64 of A-Za-z0-9._-")
    }
    guard !secret.isEmpty, secret.utf8.allSatisfy({ $0 >= 32 && $0 != 127 }) else {
      throw .usage("the secret is empty, or has control characters")
    }
    (self.user, self.secret) = (user, secret)
  }

  /// `--user NAME` or `TALLY_USER`, with the secret of `--secret-file`, `TALLY_SECRET_FILE`, `TALLY_SECRET`, or asked for on a
  /// terminal. Nil: nobody is named.
  init?(_ flags: Flags) throws(ClientError) {
    guard let user = flags["user"] ?? Console.environment("TALLY_USER") else { return nil }
    if let path = flags["secret-file"] ?? Console.environment("TALLY_SECRET_FILE") {
      try self.init(user: user, secret: try Credentials.firstLine(of: path))
    } else if let secret = Console.environment("TALLY_SECRET") {
      try self.init(user: user, secret: secret)
    } else if Console.isInputTerminal, Console.isErrorTerminal {
      try self.init(user: user, secret: Credentials.ask(user))
    } else {
      throw .usage("--user \(user) needs a secret: --secret-file FILE, or TALLY_SECRET in the environment")
    }
  }

  private static func firstLine(of path: String) throws(ClientError) -> String {
    guard let data = FileManager.default.contents(atPath: path), data.count <= 65_536 else {
      throw .local("--secret-file \(path): it cannot be read")
    }
    let line = data.prefix { $0 != 10 && $0 != 13 }
    return String(decoding: line, as: UTF8.self)
  }
  /// Asks on the terminal, which shows nothing of what is typed.
  private static func ask(_ user: String) -> String {
    Console.write("secret of \(user): ", to: 2)
    var shown = termios()
    tcgetattr(0, &shown)
    var hidden = shown
    hidden.c_lflag &= ~tcflag_t(ECHO)
    tcsetattr(0, TCSAFLUSH, &hidden)
    defer {
      tcsetattr(0, TCSAFLUSH, &shown)
      Console.report("")
    }
    return readLine() ?? ""
  }

  /// What signs in, as a line of the protocol.
  var line: String { "AUTH \(user) \(Credentials.quoted(secret))" }
  var bytes: [UInt8] { Array((line + "\r\n").utf8) }
  static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }
}
