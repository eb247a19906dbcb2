import Base
import Vocabulary

/// The commands with which client libraries and people begin: everything that the connection alone can answer, in the
/// shapes that Redis clients expect. None of this is on the hot path.
public enum ConnectionCommands {
  public enum Disposition: Sendable {
    /// The reply is written.
    case handled
    /// The reply is written; close once it is sent.
    case quit
    /// Not a verb of the connection: its route is another.
    case notMine
  }

  /// Answers a connection verb into `output`, and notes in `session` what it changes. Anything else is `notMine`, unless
  /// it comes after MULTI: then it is refused here.
  public static func respond(
    to request: Request, session: inout Session, host: some SessionHost, into output: inout ByteBuffer
  ) -> Disposition {
    if session.isAfterMulti { return respondAfterMulti(to: request, session: &session, host: host, into: &output) }
    guard request.rule.pointee.route == .connection else { return .notMine }
    let words = (0..<request.positionalCount).map { request.positional($0) }
    switch request.verb {
    case .hello: hello(words, &session, host, &output)
    case .auth: auth(words, &session, host, &output)
    case .clientSetInfo, .clientSetName, .clientGetName, .clientID, .clientList, .clientInfo, .clientNoEvict,
      .clientNoTouch, .clientReply:
      client(request.verb, words, &session, host, &output)
    case .command, .commandDocs, .commandCount, .commandInfo, .commandList:
      CommandCatalogue.respond(request.verb, words, session.isRESP3, &output)
    case .configGet: ReplyRenderer.map(count: 0, resp3: session.isRESP3, into: &output)
    case .ping:
      guard let text = words.first else {
        ReplyRenderer.simple("PONG", into: &output)
        break
      }
      ReplyRenderer.bulk(text, into: &output)
    case .echo: ReplyRenderer.bulk(words[0], into: &output)
    case .select:
      if text(words[0]) == "0" {
        ReplyRenderer.ok(into: &output)
      } else {
        ReplyRenderer.error(.malformed, "SELECT: there is one database, 0", into: &output)
      }
    case .info: info(words, host, &output)
    case .time: time(host.now, &output)
    case .help, .usage: HelpText.respond(words, &output)
    case .reset:
      session.isRESP3 = false
      session.wantsBulk = false
      session.name = ""
      session.principal = .anonymous
      ReplyRenderer.simple("RESET", into: &output)
    case .multi, .exec, .discard, .watch, .unwatch: transaction(request.verb, &session, &output)
    case .quit:
      ReplyRenderer.ok(into: &output)
      return .quit
    default: return .notMine
    }
    return .handled
  }

  static func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }
  private static func isWord(_ bytes: UnsafeRawBufferPointer, _ word: String) -> Bool {
    text(bytes).uppercased() == word
  }

  /// `HELLO [2|3] [AUTH user secret] [SETNAME name]`: all of it, or nothing and an error.
  private static func hello(
    _ words: [UnsafeRawBufferPointer], _ session: inout Session, _ host: some SessionHost, _ output: inout ByteBuffer
  ) {
    var changed = session
    var at = 0
    // The version may be left out, also before AUTH and SETNAME: what was chosen before stays.
    if let first = words.first, !isWord(first, "AUTH"), !isWord(first, "SETNAME") {
      guard let version = parseDigits(first), version == 2 || version == 3 else {
        output.append("-NOPROTO unsupported protocol version; there are 2 and 3\r\n")
        return
      }
      changed.isRESP3 = version == 3
      at = 1
    }
    while at < words.count {
      if isWord(words[at], "AUTH"), at + 2 < words.count {
        let answer = host.authenticate(user: words[at + 1], secret: words[at + 2])
        guard let principal = accept(answer, &output) else { return }
        changed.principal = principal
        at += 3
      } else if isWord(words[at], "SETNAME"), at + 1 < words.count {
        guard let name = label(words[at + 1]) else { return badLabel("SETNAME", &output) }
        changed.name = name
        at += 2
      } else {
        let word = Refusal.quoted(words[at])
        return ReplyRenderer.error(
          .malformed, "HELLO does not expect \(word); usage: \(Verb.hello.spec.usage)", into: &output)
      }
    }
    session = changed
    let resp3 = session.isRESP3
    ReplyRenderer.map(count: 7, resp3: resp3, into: &output)
    for (key, value) in [("server", "tallystick"), ("version", host.version)] {
      ReplyRenderer.bulk(key, into: &output)
      ReplyRenderer.bulk(value, into: &output)
    }
    for (key, value) in [("proto", resp3 ? 3 : 2), ("id", Int64(truncatingIfNeeded: session.id))] {
      ReplyRenderer.bulk(key, into: &output)
      ReplyRenderer.integer(value, into: &output)
    }
    for (key, value) in [("mode", "standalone"), ("role", "master")] {
      ReplyRenderer.bulk(key, into: &output)
      ReplyRenderer.bulk(value, into: &output)
    }
    ReplyRenderer.bulk("modules", into: &output)
    ReplyRenderer.array(count: 0, into: &output)
  }

  /// `AUTH secret` or `AUTH user secret`.
  private static func auth(
    _ words: [UnsafeRawBufferPointer], _ session: inout Session, _ host: some SessionHost, _ output: inout ByteBuffer
  ) {
    guard words.count <= 2 else {
      return ReplyRenderer.error(.malformed, "AUTH takes a user and a secret, or a secret", into: &output)
    }
    let answer = host.authenticate(user: words.count == 2 ? words[0] : nil, secret: words[words.count - 1])
    guard let principal = accept(answer, &output) else { return }
    session.principal = principal
    ReplyRenderer.ok(into: &output)
  }

  /// Who has signed in. Else it answers as Redis does, in whose words client libraries look for the reason.
  private static func accept(_ answer: Authentication, _ output: inout ByteBuffer) -> PrincipalID? {
    switch answer {
    case .accepted(let principal): return principal
    case .refused:
      ReplyRenderer.error(.wrongPassword, "invalid username-password pair or user is disabled.", into: &output)
    case .hasNoSecret:
      ReplyRenderer.error(
        .malformed,
        "AUTH <password> called without any password configured for the default user. Are you sure your configuration is"
          + " correct?", into: &output)
    }
    return nil
  }

  private static func client(
    _ verb: Verb, _ words: [UnsafeRawBufferPointer], _ session: inout Session, _ host: some SessionHost,
    _ output: inout ByteBuffer
  ) {
    switch verb {
    case .clientID: ReplyRenderer.integer(Int64(truncatingIfNeeded: session.id), into: &output)
    case .clientGetName:
      if session.name.isEmpty {
        ReplyRenderer.null(resp3: session.isRESP3, into: &output)
      } else {
        ReplyRenderer.bulk(session.name, into: &output)
      }
    case .clientSetName:
      guard let name = label(words[0]) else { return badLabel("CLIENT SETNAME", &output) }
      session.name = name
      ReplyRenderer.ok(into: &output)
    case .clientSetInfo:
      guard let value = label(words[1]) else { return badLabel("CLIENT SETINFO", &output) }
      if isWord(words[0], "LIB-NAME") {
        session.libraryName = value
      } else if isWord(words[0], "LIB-VER") {
        session.libraryVersion = value
      } else {
        return ReplyRenderer.error(.malformed, "CLIENT SETINFO takes LIB-NAME or LIB-VER", into: &output)
      }
      ReplyRenderer.ok(into: &output)
    case .clientNoEvict, .clientNoTouch:
      guard isWord(words[0], "ON") || isWord(words[0], "OFF") else {
        return ReplyRenderer.error(.malformed, "\(verb.words) takes ON or OFF", into: &output)
      }
      ReplyRenderer.ok(into: &output)
    case .clientReply:
      guard isWord(words[0], "BULK") || isWord(words[0], "ON") else {
        return ReplyRenderer.error(
          .malformed, "CLIENT REPLY takes BULK or ON: every request is answered here", into: &output)
      }
      session.wantsBulk = isWord(words[0], "BULK")
      ReplyRenderer.ok(into: &output)
    case .clientInfo: ReplyRenderer.bulk(session.line(now: host.now) + "\n", into: &output)
    default:
      let now = host.now
      ReplyRenderer.bulk(host.sessions.map { $0.line(now: now) + "\n" }.joined(), into: &output)
    }
  }

  /// A name for a connection: at most 64 printable bytes without spaces.
  private static func label(_ bytes: UnsafeRawBufferPointer) -> String? {
    bytes.count <= 64 && bytes.allSatisfy { (0x21...0x7E).contains($0) } ? text(bytes) : nil
  }
  private static func badLabel(_ command: String, _ output: inout ByteBuffer) {
    ReplyRenderer.error(
      .malformed, "\(command): a name has at most 64 printable characters and no spaces", into: &output)
  }

  /// `INFO [section …]`: sections of `name:value` lines.
  private static func info(
    _ words: [UnsafeRawBufferPointer], _ host: some SessionHost, _ output: inout ByteBuffer
  ) {
    let server = InfoSection(
      "server",
      [
        ("tally_version", host.version), ("node", host.nodeName), ("redis_version", "7.0.0"),
        ("redis_mode", "standalone"), ("server_time_usec", String(host.now.microseconds)),
      ])
    // As client libraries ask which node they have reached: every one takes every request.
    let replication = InfoSection("replication", [("role", "master"), ("connected_slaves", "0")])
    let wanted = Set(words.map { text($0).lowercased() })
    let isAll = wanted.isEmpty || !wanted.isDisjoint(with: ["all", "default", "everything"])
    var body = ""
    for section in [server] + host.infoSections() + [replication] where isAll || wanted.contains(section.name) {
      if !body.isEmpty { body += "\r\n" }
      body += "# \(section.name.prefix(1).uppercased())\(section.name.dropFirst())\r\n"
      for line in section.lines { body += "\(line.name):\(line.value)\r\n" }
    }
    ReplyRenderer.bulk(body, into: &output)
  }

  private static func time(_ now: Stamp, _ output: inout ByteBuffer) {
    ReplyRenderer.array(count: 2, into: &output)
    ReplyRenderer.bulk(String(now.microseconds / 1_000_000), into: &output)
    ReplyRenderer.bulk(String(now.microseconds % 1_000_000), into: &output)
  }
}
