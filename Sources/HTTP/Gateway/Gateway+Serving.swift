import Base
import ConsolePage

// What is at each path.

extension Gateway {
  static let challenge = "WWW-Authenticate: Basic realm=\"tallystick\", charset=\"UTF-8\"\r\n"

  private enum Page {
    case metrics
    case live
    case ready
    case commands
    case file(ConsoleFiles.File)

    init?(_ path: String) {
      switch path {
      case "/metrics": self = .metrics
      case "/health/live": self = .live
      case "/health/ready": self = .ready
      case "/v1/commands": self = .commands
      default:
        guard let file = ConsoleFiles.file(path) else { return nil }
        self = .file(file)
      }
    }
    var isPosted: Bool { if case .commands = self { true } else { false } }
  }

  /// Serves the request that has arrived.
  func serve() {
    let head = reader.head
    guard let page = Page(head.path) else { return respond(Response(.notFound, "there is nothing at this path")) }
    guard page.isPosted ? head.method == .post : head.method == .get || head.method == .head else {
      let allowed = page.isPosted ? "POST" : "GET, HEAD"
      return respond(Response(.methodNotAllowed, "this path takes \(allowed)", headers: "Allow: \(allowed)\r\n"))
    }
    switch page {
    case .live: respond(Response(.ok, "live"))
    case .ready:
      waiting = .readiness
      actions.question = .readiness
    case .metrics: settings.metricsUser == nil ? askFigures() : signIn()
    case .commands: takeCommands(head)
    case .file(let file): respond(Response(file, isKnown: ConsoleFiles.isKnown(file, to: head.ifNoneMatch)))
    }
  }
  private func takeCommands(_ head: RequestHead) {
    do throws(Refusal) {
      try checkSender(head)
      commands = CommandAnswers(try CommandList.parse(reader.body))
      guard commands.areRefused else { return signIn() }
      commands.send(into: &actions.requests)
      respond(commands.take())
    } catch {
      respond(Gateway.refused(error.status, error.text))
    }
  }
  /// A refusal for programs.
  private static func refused(_ status: Status, _ text: String) -> Response {
    var body: [UInt8] = []
    body.appendError("ERR", text)
    return Response(status, .json, body, headers: status == .unauthorized ? challenge : "")
  }

  /// A page of another site that has a browser post here is refused: browsers let nobody say JSON without asking first, and
  /// name the page's origin.
  private func checkSender(_ head: RequestHead) throws(Refusal) {
    let type = head.contentType?.lowercased().split(separator: ";").first?.filter { $0 != " " }
    guard type == "application/json" else {
      throw Refusal(.unsupportedMediaType, "say Content-Type: application/json")
    }
    if let origin = head.origin {
      let host = origin.split(separator: "/", omittingEmptySubsequences: true).last.map(String.init)
      guard host == head.host else { throw Refusal(.forbidden, "a page of another site may not ask here") }
    }
  }

  // MARK: Who asks

  /// Has the node know who the request comes from, unless it does; then the request goes on. A connection may carry the
  /// requests of several people, behind a proxy.
  private func signIn() {
    var hello = ["HELLO", "3"]
    switch Credentials(reader.head.authorization) {
    case .none: wanted = .anonymous
    case .malformed: return turnAway(Gateway.refused(.unauthorized, "Authorization must be Basic, of USER:SECRET"))
    case .basic(let user, let secret):
      wanted = .user(user, SHA256.digest(Array("\(user)\0\(secret)".utf8)))
      hello += ["AUTH", user, secret]
    }
    guard wanted != signedIn else { return goOn() }
    let isAnybody = signedIn != .unknown
    if isAnybody { actions.requests += CommandList.array(of: ["RESET"]) }
    actions.requests += CommandList.array(of: hello)
    signedIn = .unknown
    waiting = .signIn(rest: isAnybody ? 2 : 1)
  }
  /// - Parameters:
  ///   - text: the reply, as JSON.
  ///   - rest: how many replies are still to come.
  func signInAnswered(_ outcome: ReplyReader.Outcome, _ text: [UInt8], rest: Int) {
    waiting = .signIn(rest: rest)
    guard rest == 0 else { return }
    switch outcome {
    case .value:
      signedIn = wanted
      goOn()
    case .error("BUSY"), .error("UNAVAILABLE"): turnAway(Response(.unavailable, .json, text))
    case .error: turnAway(Response(.unauthorized, .json, text, headers: Gateway.challenge))
    }
  }
  /// Whoever asks is not let in: nothing of the request is done.
  private func turnAway(_ response: Response) {
    commands = CommandAnswers()
    respond(response)
  }

  /// Who asks is known: what is asked for is next.
  private func goOn() {
    guard reader.head.method == .post else {
      guard case .user(let name, _) = wanted, name == settings.metricsUser else {
        return turnAway(Gateway.refused(.unauthorized, "the figures are for the user that metrics-user names"))
      }
      return askFigures()
    }
    waiting = .commands
    commands.send(into: &actions.requests)
  }

  // MARK: What the node answers of itself

  private func askFigures() {
    waiting = .figures
    actions.question = .figures
  }
  /// - Parameter text: the reply, as JSON.
  func readinessAnswered(_ outcome: ReplyReader.Outcome, _ text: [UInt8]) {
    let status = outcome == .value ? Status.ok : .unavailable
    guard let value = try? JSONInput.parse(text) else { return respond(Response(status, "\(outcome)")) }
    switch value {
    case .text(let words): respond(Response(status, words))
    case .object(let error):
      guard case .object(let fields) = error.first?.value,
        case .text(let words) = fields.first(where: { $0.name == "text" })?.value
      else { return respond(Response(status, "not ready")) }
      respond(Response(status, words))
    default: respond(Response(status, "ready"))
    }
  }
}
