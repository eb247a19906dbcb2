import Base
import Testing

@testable import Protocol
@testable import Vocabulary

struct TestHost: SessionHost {
  var version: String { "0.1.0" }
  var nodeName: String { "east-1" }
  var now: Stamp { Stamp(microseconds: 1_700_000_000_000_042) }
  var sessions: [Session] = []
  var hasUsers = true
  func authenticate(user: UnsafeRawBufferPointer?, secret: UnsafeRawBufferPointer) -> Authentication {
    guard hasUsers else { return .withoutUsers(user: user) }
    return string(secret) == "secret" ? .accepted(PrincipalID(user == nil ? 1 : 7)) : .refused
  }
  func infoSections() -> [InfoSection] { [InfoSection("cluster", [("nodes", "3")])] }
}

@Suite struct ConnectionCommandsTests {
  /// The answers to some lines of one connection.
  static func talk(_ lines: [String], _ session: inout Session, hasUsers: Bool = true) -> [String] {
    lines.map { line in
      var output = ByteBuffer()
      var copy = session
      let outcome = withRequest(line + "\n") {
        ConnectionCommands.respond(
          to: $0, session: &copy, host: TestHost(sessions: [copy], hasUsers: hasUsers), into: &output)
      }
      session = copy
      return outcome == .notMine ? "not mine" : string(output.bytes) + (outcome == .quit ? "quit" : "")
    }
  }
  static func newSession() -> Session {
    Session(id: 5, address: "10.0.0.9:4000", since: Stamp(microseconds: 1_699_999_990_000_000))
  }

  @Test func aSessionBeginsAsClientLibrariesBeginIt() {
    var session = Self.newSession()
    let hello2 =
      "*14\r\n$6\r\nserver\r\n$10\r\ntallystick\r\n$7\r\nversion\r\n$5\r\n0.1.0\r\n$5\r\nproto\r\n:2\r\n"
      + "$2\r\nid\r\n:5\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
    #expect(Self.talk(["HELLO", "HELLO 2"], &session) == [hello2, hello2])
    #expect(!session.isRESP3)
    let hello3 = "%7" + hello2.dropFirst(3).split(separator: ":2\r\n").joined(separator: ":3\r\n")
    #expect(Self.talk(["hello 3 auth u secret setname till-7"], &session) == [hello3])
    #expect(session.isRESP3 && session.name == "till-7" && session.principal == PrincipalID(7))
    #expect(Self.talk(["HELLO AUTH u secret setname till-8"], &session) == [hello3])
    #expect(session.isRESP3 && session.name == "till-8" && session.principal == PrincipalID(7))
    #expect(Self.talk(["HELLO SETNAME till-7"], &session) == [hello3])
    let replies = Self.talk(
      [
        "CLIENT GETNAME", "CLIENT SETINFO lib-name redis-py", "CLIENT SETINFO LIB-VER 5.0", "CLIENT ID", "CLIENT INFO",
        "CLIENT SETNAME \"\"", "CLIENT GETNAME", "RESET", "CLIENT GETNAME",
      ], &session)
    let line =
      "id=5 addr=10.0.0.9:4000 name=till-7 age=10 db=0 resp=3 user=7 lib-name=redis-py lib-ver=5.0\n"
    #expect(
      replies == [
        "$6\r\ntill-7\r\n", "+OK\r\n", "+OK\r\n", ":5\r\n", "$\(line.utf8.count)\r\n\(line)\r\n", "+OK\r\n", "_\r\n",
        "+RESET\r\n", "$-1\r\n",
      ])
  }

  @Test func aHelloThatFailsChangesNothing() {
    var session = Self.newSession()
    let replies = Self.talk(
      ["HELLO 4", "HELLO x", "HELLO 3 AUTH u wrong", "HELLO 3 SETNAME \"a b\"", "HELLO 3 FOO", "HELLO 3 AUTH u"],
      &session)
    #expect(
      replies == [
        "-NOPROTO unsupported protocol version; there are 2 and 3\r\n",
        "-NOPROTO unsupported protocol version; there are 2 and 3\r\n",
        "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        "-ERR SETNAME: a name has at most 64 printable characters and no spaces\r\n",
        "-ERR HELLO does not expect 'FOO'; usage: HELLO [2|3] [AUTH user secret] [SETNAME name]\r\n",
        "-ERR HELLO does not expect 'AUTH'; usage: HELLO [2|3] [AUTH user secret] [SETNAME name]\r\n",
      ])
    #expect(!session.isRESP3 && session.name == "" && session.principal == .anonymous)
  }

  @Test func smallTalk() {
    var session = Self.newSession()
    let dialogue: [(String, String)] = [
      ("PING", "+PONG\r\n"), ("PING \"a b\"", "$3\r\na b\r\n"), ("ECHO hi", "$2\r\nhi\r\n"), ("SELECT 0", "+OK\r\n"),
      ("SELECT 1", "-ERR SELECT: there is one database, 0\r\n"), ("TIME", "*2\r\n$10\r\n1700000000\r\n$2\r\n42\r\n"),
      ("AUTH secret", "+OK\r\n"), ("AUTH u secret", "+OK\r\n"),
      ("AUTH u w", "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
      ("AUTH a b c", "-ERR AUTH takes a user and a secret, or a secret\r\n"), ("CONFIG GET save", "*0\r\n"),
      ("CLIENT NO-EVICT ON", "+OK\r\n"), ("client no-touch off", "+OK\r\n"),
      ("CLIENT NO-EVICT x", "-ERR CLIENT NO-EVICT takes ON or OFF\r\n"), ("CLIENT REPLY on", "+OK\r\n"),
      ("CLIENT REPLY OFF", "-ERR CLIENT REPLY takes BULK or ON: every request is answered here\r\n"),
      ("INFO replication", "$48\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n\r\n"),
      ("CLIENT SETINFO X y", "-ERR CLIENT SETINFO takes LIB-NAME or LIB-VER\r\n"),
      ("INFO cluster", "$20\r\n# Cluster\r\nnodes:3\r\n\r\n"), ("INFO nothing", "$0\r\n\r\n"), ("QUIT", "+OK\r\nquit"),
      ("QUIT now", "+OK\r\nquit"), ("PING a=b", "$3\r\na=b\r\n"),
      ("BALANCE m1", "not mine"), ("AUDIT", "not mine"),
    ]
    #expect(Self.talk(dialogue.map(\.0), &session) == dialogue.map(\.1))
    let info = Self.talk(["INFO"], &session)[0]
    #expect(
      info.contains("# Server\r\ntally_version:0.1.0\r\nnode:east-1\r\n") && info.contains("\r\n\r\n# Cluster\r\n"))
    #expect(Self.talk(["CLIENT LIST"], &session)[0].contains("id=5 addr=10.0.0.9:4000 name= age=10 "))
  }

  @Test func recordsAreBulkStringsWhereThatIsAskedFor() {
    var session = Self.newSession()
    #expect(Self.talk(["CLIENT REPLY BULK"], &session) == ["+OK\r\n"] && session.wantsBulk)
    #expect(Self.talk(["CLIENT REPLY ON"], &session) == ["+OK\r\n"] && !session.wantsBulk)
    _ = Self.talk(["CLIENT REPLY BULK", "RESET"], &session)
    #expect(!session.wantsBulk)
  }

  @Test func withoutUsersAuthIsAnsweredAsRedisDoes() {
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
    var session = Self.newSession()
    let dialogue = [
      (
        "AUTH secret",
        "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration"
          + " is correct?\r\n"
      ),
      ("AUTH default secret", "+OK\r\n"), ("AUTH nobody wrong", wrong), ("AUTH DEFAULT x", wrong),
      ("AUTH \"\" x", wrong), ("HELLO 3 AUTH nobody wrong SETNAME x", wrong),
    ]
    #expect(Self.talk(dialogue.map(\.0), &session, hasUsers: false) == dialogue.map(\.1))
    #expect(session.principal == .anonymous && !session.isRESP3 && session.name == "")
    #expect(Self.talk(["HELLO 3 AUTH default x"], &session, hasUsers: false)[0].hasPrefix("%7"))
  }

  /// Every verb between MULTI and what ends it, and every way to end it.
  @Test(arguments: ["EXEC", "exec now", "DISCARD", "RESET"])
  func allThatFollowsMultiIsRefused(end: String) {
    for spec in VerbSpec.all where ![.exec, .discard, .reset, .quit].contains(spec.verb) {
      for begin in ["MULTI", "multi x y"] {
        var session = Self.newSession()
        let replies = Self.talk(
          [begin, spec.example, "HELLO 3", end, "CLIENT ID", "EARN a merchant=m points=1 id=i"], &session)
        #expect(replies[0] == "-ERR no transactions here: send a pipeline\r\n")
        #expect(replies[1].hasPrefix("-ERR MULTI was refused, and so is all up to EXEC or DISCARD"), "\(spec.words)")
        #expect(replies[2].hasPrefix("-ERR MULTI was refused") && !session.isRESP3)
        let ended =
          switch end {
          case "DISCARD": "+OK\r\n"
          case "RESET": "+RESET\r\n"
          default: "-EXECABORT Transaction discarded because of previous errors.\r\n"
          }
        #expect(replies[3] == ended)
        #expect(replies[4] == ":5\r\n" && replies[5] == "not mine" && session.name == "")
      }
    }
    var session = Self.newSession()
    #expect(
      Self.talk(["EXEC", "DISCARD", "WATCH a", "UNWATCH", "CLIENT ID", "MULTI", "QUIT"], &session) == [
        "-ERR EXEC without MULTI\r\n", "-ERR DISCARD without MULTI\r\n",
        "-ERR no transactions here: send a pipeline\r\n", "+OK\r\n", ":5\r\n",
        "-ERR no transactions here: send a pipeline\r\n", "+OK\r\nquit",
      ])
  }

  @Test func commandDescribesTheVerbsInWellFormedReplies() {
    var session = Self.newSession()
    for hello in ["HELLO 2", "HELLO 3"] {
      let replies = Self.talk(
        [
          hello, "COMMAND", "COMMAND DOCS", "COMMAND DOCS member ping", "COMMAND INFO EARN nope", "COMMAND LIST",
          "HELP",
        ],
        &session)
      for reply in replies { #expect(values(in: reply) == 1, "\(reply.prefix(100))") }
      #expect(replies[3].contains("subcommands") && replies[3].contains("member|add"))
      #expect(replies[4].hasPrefix("*2\r\n*10\r\n$4\r\nearn\r\n:-4\r\n*1\r\n+write\r\n:0\r\n:0\r\n:0\r\n"))
    }
    #expect(Self.talk(["COMMAND COUNT"], &session)[0].hasPrefix(":"))
  }

  /// How many whole values the bytes are; −1 if they are not well-formed.
  private func values(in reply: String) -> Int {
    var lines = reply.components(by: "\r\n")[...]
    func value() -> Bool {
      guard let line = lines.popFirst(), let mark = line.first else { return false }
      let count = Int(line.dropFirst()) ?? 0
      switch mark {
      case "+", "-", ":", "_": return true
      case "$": return count < 0 || lines.popFirst()?.utf8.count == count
      case "*": return (0..<count).allSatisfy { _ in value() }
      case "%": return (0..<count * 2).allSatisfy { _ in value() }
      default: return false
      }
    }
    var count = 0
    while lines.count > 1 || lines.first?.isEmpty == false {
      guard value() else { return -1 }
      count += 1
    }
    return count
  }

  @Test func helpTeachesEveryVerb() {
    let overview = HelpText.lines(for: [])?.joined(separator: "\n") ?? ""
    for spec in VerbSpec.all {
      #expect(overview.contains(spec.usage), "\(spec.usage)")
      let detail = HelpText.lines(for: spec.words.map { $0.lowercased() })?.joined(separator: "\n") ?? ""
      #expect(detail.contains(spec.usage) && detail.contains(spec.summary))
    }
    #expect(
      HelpText.lines(for: ["capture"]) == [
        "CAPTURE TX id=… [points=N]", "Spends what a hold has set aside, or a part of it.",
        "  TX: a transaction's number like 3-1042", "  id= 1 to 64 of A-Za-z0-9._- (required)",
        "  points= a whole number from 1 to 1000000000000000 (optional)", "Example: CAPTURE 3-1042 id=r-4",
      ])
    #expect(HelpText.lines(for: ["card"])?.count == 5)
    var session = Self.newSession()
    #expect(Self.talk(["HELP nope"], &session) == ["-ERR no command 'nope'; HELP lists them all\r\n"])
  }

  @Test func everyVerbsExampleIsThatVerb() {
    for spec in VerbSpec.all {
      #expect(withRequest(spec.example + "\n") { $0.verb } == spec.verb, "\(spec.example)")
    }
  }

  /// What `redis-cli` shows while one types.
  @Test func commandDocsHaveArguments() {
    var session = Self.newSession()
    let docs = Self.talk(["HELLO 3", "COMMAND DOCS earn card"], &session)[1]
    func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }
    func word(_ name: String, isOptional: Bool = false) -> String {
      let flags = isOptional ? bulk("flags") + "*1\r\n+optional\r\n" : ""
      return "%\(isOptional ? 3 : 2)\r\n" + bulk("name") + bulk(name) + bulk("type") + bulk("string") + flags
    }
    let choice =
      "%3\r\n" + bulk("name") + bulk("spend-or-points") + bulk("type") + bulk("oneof") + bulk("arguments") + "*2\r\n"
      + word("spend=MINOR") + word("points=N")
    let earn =
      bulk("arguments") + "*10\r\n" + word("WHO") + word("merchant=m") + word("id=…") + choice
      + ["program=p", "at=TIME", "lines=sku:quantity:amount,…", "channel=WORD", "type=WORD", "terminal=ID"]
      .map { word($0, isOptional: true) }.joined()
    #expect(docs.contains(earn))
    #expect(
      docs.contains(
        bulk("arguments") + "*4\r\n" + word("NUMBER") + word("member=id") + word("id=…", isOptional: true)
          + word("type=WORD", isOptional: true)))
  }

  @Test func usageDoesWhatHelpDoesAndThereAreTopics() {
    var session = Self.newSession()
    let replies = Self.talk(["HELP", "USAGE", "help earn", "usage EARN", "HELP nope", "USAGE nope"], &session)
    #expect(replies[0] == replies[1] && replies[2] == replies[3] && replies[4] == replies[5])
    let errors = HelpText.lines(for: ["errors"]) ?? []
    #expect(errors.count == ErrorCode.allCases.count && errors.contains { $0.hasPrefix("BUSY: overload") })
    let values = HelpText.lines(for: ["VALUES"]) ?? []
    #expect(values.contains("ttl= is a whole number of seconds from 1 to 2592000"))
    #expect(
      HelpText.lines(for: ["ids"])?.contains(
        "Kept under their id too: INSUFFICIENT FROZEN CLOSED LOST LIMIT REVERSED, and NOTFOUND for the recipient of a"
          + " TRANSFER.") == true)
  }
}

extension String {
  /// Split at every CRLF, which Swift counts as one character.
  fileprivate func components(by separator: Character) -> [Substring] {
    split(separator: separator, omittingEmptySubsequences: false)
  }
}
