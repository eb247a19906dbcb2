import Base
import ConsolePage

// What is at each path.

extension Gateway {
  static let challenge = "WWW-Authenticate: Basic realm=\"tallystick\", charset=\"UTF-8\"\r\n"

  enum Page {
    case metrics
    case live
    case ready
    case commands
    case session
    case feed
    case file(ConsoleFiles.File)

    init?(_ path: String) {
      switch path {
      case "/metrics": self = .metrics
      case "/health/live": self = .live
      case "/health/ready": self = .ready
      case "/v1/commands": self = .commands
      case "/v1/session": self = .session
      case "/v1/feed": self = .feed
      default:
        guard let file = ConsoleFiles.file(path) else { return nil }
        self = .file(file)
      }
    }
    var methods: [(method: RequestHead.Method, word: String)] {
      switch self {
      case .commands: [(.post, "POST")]
      case .session: [(.post, "POST"), (.delete, "DELETE")]
      case .feed: [(.get, "GET")]
      case .metrics, .live, .ready, .file: [(.get, "GET"), (.head, "HEAD")]
      }
    }
  }

  /// Serves the request that has arrived.
  func serve() {
    let head = reader.head
    guard let page = Page(head.path) else { return respond(Response(.notFound, "there is nothing at this path")) }
    guard page.methods.contains(where: { $0.method == head.method }) else {
      let allowed = page.methods.map(\.word).joined(separator: ", ")
      return respond(Response(.methodNotAllowed, "this path takes \(allowed)", headers: "Allow: \(allowed)\r\n"))
    }
    self.page = page
    switch page {
    case .live: respond(Response(.ok, "live"))
    case .ready:
      waiting = .readiness
      actions.question = .readiness
    case .metrics: settings.metricsUser == nil ? askFigures() : signIn()
    case .commands: takeCommands(head)
    case .session: takeSession(head)
    case .feed: beginFeed(head)
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
  static func refused(_ status: Status, _ text: String, code: String = "ERR") -> Response {
    var body: [UInt8] = []
    body.appendError(code, text)
    return Response(status, .json, body, headers: status == .unauthorized ? challenge : "")
  }

  /// A page of another site that has a browser post here is refused: browsers let nobody say JSON without asking first, and
  /// name the page's origin. Programs name none, and some say of any body that it is a form's.
  private func checkSender(_ head: RequestHead) throws(Refusal) {
    let type = head.contentType?.lowercased().split(separator: ";").first?.filter { $0 != " " }
    guard type == "application/json" || head.origin == nil else {
      throw Refusal(.unsupportedMediaType, "say Content-Type: application/json")
    }
    try checkOrigin(head)
  }
  private func checkOrigin(_ head: RequestHead) throws(Refusal) {
    if let origin = head.origin {
      let host = origin.split(separator: "/", omittingEmptySubsequences: true).last.map(String.init)
      guard host == head.host else { throw Refusal(.forbidden, "a page of another site may not ask here") }
    }
  }

  // MARK: Who asks

  /// Has the node know who the request comes from, unless it does; then the request goes on. A connection may carry the
  /// requests of several people, behind a proxy.
  func signIn() {
    var hello = ["HELLO", "3"]
    switch Credentials(reader.head.authorization) {
    case .none: wanted = .anonymous
    case .malformed:
      return turnAway(
        Gateway.refused(.unauthorized, "Authorization must be Basic, of USER:SECRET, or Bearer, of a session's token"))
    case .bearer: wanted = .session
    case .basic(let user, let secret):
      wanted = .user(user, SHA256.digest(Array("\(user)\0\(secret)".utf8)))
      hello += ["AUTH", user, secret]
    }
    guard wanted != signedIn || wanted == .session else { return goOn() }
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
      if case .bearer(let token) = Credentials(reader.head.authorization) {
        waiting = .session
        actions.question = .useSession(token)
        return
      }
      signedIn = wanted
      goOn()
    case .error("BUSY"), .error("UNAVAILABLE"): turnAway(Response(.unavailable, .json, text))
    case .error: turnAway(Response(.unauthorized, .json, text, headers: Gateway.challenge))
    }
  }
  /// Whoever asks is not let in: nothing of the request is done.
  func turnAway(_ response: Response) {
    commands = CommandAnswers()
    if feed.isBegun { return endFeed(response.body) }
    respond(response)
  }

  /// Who asks is known: what is asked for is next.
  private func goOn() {
    switch page {
    case .commands:
      waiting = .commands
      commands.send(into: &actions.requests)
    case .session:
      waiting = .sessionChange
      actions.question = .openSession
    case .feed: askFeedPage()
    case .metrics, .live, .ready, .file:
      guard case .user(let name, _) = wanted, name == settings.metricsUser else {
        return turnAway(Gateway.refused(.unauthorized, "the figures are for the user that metrics-user names"))
      }
      return askFigures()
    }
  }

  // MARK: Sessions

  /// `POST` opens one for who signs in, `DELETE` ends it.
  private func takeSession(_ head: RequestHead) {
    do throws(Refusal) {
      try checkOrigin(head)
    } catch {
      return respond(Gateway.refused(error.status, error.text))
    }
    guard head.method == .delete else { return signIn() }
    guard case .bearer(let token) = Credentials(head.authorization) else {
      return respond(Gateway.refused(.unauthorized, "Authorization must be Bearer, of the session's token"))
    }
    waiting = .sessionChange
    actions.question = .closeSession(token)
  }
  /// - Parameter text: the reply, as JSON.
  func sessionAnswered(_ outcome: ReplyReader.Outcome, _ text: [UInt8]) {
    if case .session = waiting {
      guard outcome == .value else {
        // Browsers ask nobody for a password by that.
        let challenge = "WWW-Authenticate: Bearer realm=\"tallystick\", error=\"invalid_token\"\r\n"
        return turnAway(Response(.unauthorized, .json, text, headers: challenge))
      }
      signedIn = .session
      return goOn()
    }
    respond(
      Response(Gateway.status(of: outcome), .json, text, headers: outcome == .error("NOAUTH") ? Gateway.challenge : ""))
  }
  /// The status by which a reply is told that is the whole answer.
  static func status(of outcome: ReplyReader.Outcome) -> Status {
    switch outcome {
    case .value: .ok
    case .error("NOAUTH"), .error("WRONGPASS"): .unauthorized
    case .error("NOPERM"): .forbidden
    case .error("NOTFOUND"): .notFound
    case .error("BUSY"), .error("UNAVAILABLE"), .error("UNKNOWN"): .unavailable
    case .error: .badRequest
    }
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
