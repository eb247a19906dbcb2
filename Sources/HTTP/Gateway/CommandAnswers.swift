/// The commands of one request on their way to the node, and their replies as they come, in order.
struct CommandAnswers {
  /// So many are with the node at once.
  static let window = 64
  /// Once the replies have so many bytes, no more commands are sent: what is on its way still comes.
  static let mostBytes = 4 << 20

  private var commands: [CommandList.Command] = []
  /// Commands sent, or answered here; and those whose reply stands in `body`.
  private var sent = 0
  private var answered = 0
  private var outstanding = 0
  private var isAnySignedOut = false
  private var isAnyServed = false
  var body: [UInt8] = []

  init() {}
  init(_ commands: [CommandList.Command]) {
    self.commands = commands
    body = Array("{\"replies\":[".utf8)
  }

  var isComplete: Bool { answered == commands.count }
  /// None is for the node.
  var areRefused: Bool { commands.allSatisfy { if case .refused = $0 { true } else { false } } }

  /// Sends as many as may be with the node now.
  mutating func send(into requests: inout [UInt8]) {
    while sent < commands.count, outstanding < CommandAnswers.window {
      if case .send(let bytes) = commands[sent] {
        if body.count > CommandAnswers.mostBytes {
          commands[sent] = .refused(
            "BUSY",
            "the replies before it have over \(CommandAnswers.mostBytes >> 20) MiB: ask for less at once; nothing was done"
          )
        } else {
          requests += bytes
          outstanding += 1
        }
      }
      sent += 1
    }
    answerOwn()
  }
  /// The node's next reply stands in `body`.
  mutating func answered(_ outcome: ReplyReader.Outcome) {
    if outcome == .error("NOAUTH") { isAnySignedOut = true } else { isAnyServed = true }
    outstanding -= 1
    count()
    answerOwn()
  }
  private mutating func answerOwn() {
    while answered < sent, case .refused(let code, let text) = commands[answered] {
      body.appendError(code, text)
      count()
    }
  }
  private mutating func count() {
    answered += 1
    if !isComplete { body.append(UInt8(ascii: ",")) }
  }

  /// Whether nothing was done since nobody is signed in, and the answer.
  mutating func take() -> Response {
    body += Array("]}".utf8)
    defer { self = CommandAnswers() }
    let isUnauthorized = isAnySignedOut && !isAnyServed
    return Response(
      isUnauthorized ? .unauthorized : .ok, .json, body, headers: isUnauthorized ? Gateway.challenge : "")
  }
}
