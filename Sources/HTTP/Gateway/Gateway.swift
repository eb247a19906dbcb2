import Base

/// One connection that speaks HTTP, between its socket and the node: a value in all but name, which takes what arrives on
/// either side and says what is to be done. To the node it is a terminal that speaks RESP3: so users, rights, ids, errors and
/// limits are those of every terminal. It answers one request after another, and takes no bytes of the next meanwhile.
///
/// Cost: some 400 bytes a connection while it is idle.
public final class Gateway {
  /// What only the node itself can answer.
  public enum Question: Equatable, Sendable {
    /// A commit in every shard that is led here: the answer comes as a reply, by `answered`; so do the next three.
    case readiness
    case openSession
    /// Signs in by a session's token.
    case useSession([UInt8])
    case closeSession([UInt8])
    /// All figures: by `rendered`.
    case figures
  }
  /// What the operator has said of HTTP.
  public struct Settings: Sendable {
    /// Who alone may see the figures; nil: everybody.
    public var metricsUser: String?
    public var limits: Limits
    public init(metricsUser: String? = nil, limits: Limits = Limits()) {
      self.metricsUser = metricsUser
      self.limits = limits
    }
  }
  /// What is to be done: to be taken after each call.
  public struct Actions {
    /// To the socket.
    public var output: [UInt8] = []
    /// To the node, as a terminal's bytes.
    public var requests: [UInt8] = []
    public var question: Question?
    /// The connection ends, once its output is sent.
    public var closes = false
  }
  /// What the request that is being served waits for.
  enum Waiting {
    case nothing
    /// The replies of signing in; then the request goes on.
    case signIn(rest: Int)
    /// Whether the session's token that was said is one.
    case session
    /// A session that is opened, or closed: its reply is the answer.
    case sessionChange
    case commands
    /// A page of the feed.
    case feed
    /// The page before it is on its way to the socket.
    case feedRoom
    case readiness
    case figures
  }

  var actions = Actions()
  /// Requests that have arrived whole.
  public private(set) var requestCount = 0
  let settings: Settings
  var reader: RequestReader
  var waiting = Waiting.nothing
  /// As which the node knows the connection.
  var signedIn = Identity.unknown
  var wanted = Identity.anonymous
  var commands = CommandAnswers()
  /// The page that is asked for.
  var page = Page.live
  /// What is told of the feed, while it is.
  var feed = FeedStream()
  /// Bytes of a reply that is not there as a whole.
  private var unread: [UInt8] = []

  /// Who a request says it comes from.
  enum Identity: Equatable {
    /// Nothing has been asked of the node yet.
    case unknown
    case anonymous
    /// By the digest of what was said: a secret does not stay in memory.
    case user(String, SHA256.Digest)
    /// By a session's token, which is asked about with each request: it may have ended.
    case session
  }

  public init(_ settings: Settings) {
    self.settings = settings
    reader = RequestReader(settings.limits)
  }

  /// A request is being served: bytes are not wanted.
  public var isBusy: Bool { if case .nothing = waiting { actions.closes } else { true } }
  /// Bytes kept of a body that has not arrived whole.
  public var keptByteCount: Int { reader.isInBody ? max(1, reader.body.count) : 0 }

  /// Takes bytes of the socket, beginning with those that the call before did not consume.
  /// - Returns: how many are done with.
  public func received(_ bytes: UnsafeRawBufferPointer) -> Int {
    var offset = 0
    while offset < bytes.count, !isBusy {
      switch reader.next(UnsafeRawBufferPointer(rebasing: bytes[offset...])) {
      case .incomplete(let consumed): return offset + consumed
      case .continueIsAwaited(let consumed):
        offset += consumed
        actions.output += Response.continueLine
      case .request(let consumed):
        offset += consumed
        requestCount += 1
        serve()
      case .refused(let refusal):
        refuse(refusal)
        return bytes.count
      }
    }
    return actions.closes ? bytes.count : offset
  }
  /// What is to be done since it was last asked.
  public func takeActions() -> Actions {
    defer {
      // A connection that ends takes no more.
      let closes = actions.closes
      actions = Actions()
      actions.closes = closes
    }
    return actions
  }
  /// The request was too slow to arrive: it is told so, and the connection ends.
  public func isOverdue(_ text: String) { refuse(Refusal(.requestTimeout, "\(text); nothing of it was done")) }
  /// For a connection that there is no room for.
  public static func refusal(_ text: String) -> [UInt8] {
    var output: [UInt8] = []
    Response(.unavailable, text).write(isBodyWanted: true, closes: true, isOld: false, into: &output)
    return output
  }

  /// Takes replies of the node.
  public func answered(_ bytes: [UInt8]) {
    unread += bytes
    let taken = unread.withUnsafeBytes { unread -> Int? in
      var replies = ReplyReader(unread)
      do throws(ReplyReader.Malformed) {
        while try takeReply(&replies) {}
      } catch { return nil }
      return replies.offset
    }
    guard let taken else { return fail("the node's answer could not be read") }
    if taken == unread.count {
      unread.removeAll(keepingCapacity: unread.count < 4096)
    } else {
      unread.removeFirst(taken)
    }
  }
  /// The figures that were asked for, as they are shown.
  public func rendered(_ figures: [UInt8]) {
    guard case .figures = waiting else { return }
    respond(Response(.ok, .metrics, figures))
  }
  /// All output has gone to the socket.
  public func drained() { if case .feedRoom = waiting { askFeed() } }
  /// More is said once all output has gone.
  public var awaitsRoom: Bool { if case .feedRoom = waiting { true } else { false } }
  /// The node has closed its side.
  public func nodeClosed() {
    guard !actions.closes else { return }
    if feed.isBegun { return endFeed() }
    if case .nothing = waiting { actions.closes = true } else { fail("the node closed the connection") }
  }

  // MARK: Answers

  /// False: no reply is there as a whole, or none is waited for.
  private func takeReply(_ replies: inout ReplyReader) throws(ReplyReader.Malformed) -> Bool {
    switch waiting {
    case .nothing, .figures, .feedRoom: return false
    case .feed: return try takeFeedPage(&replies)
    case .session, .sessionChange:
      var text: [UInt8] = []
      guard let outcome = try replies.next(into: &text) else { return false }
      sessionAnswered(outcome, text)
    case .signIn(let rest):
      var text: [UInt8] = []
      guard let outcome = try replies.next(into: &text) else { return false }
      signInAnswered(outcome, text, rest: rest - 1)
    case .readiness:
      var text: [UInt8] = []
      guard let outcome = try replies.next(into: &text) else { return false }
      readinessAnswered(outcome, text)
    case .commands:
      guard let outcome = try replies.next(into: &commands.body) else { return false }
      commands.answered(outcome)
      commands.send(into: &actions.requests)
      if commands.isComplete { respond(commands.take()) }
    }
    return true
  }

  /// Ends the request that is being served.
  func respond(_ response: Response) {
    let closes = !reader.head.keepsAlive
    response.write(
      isBodyWanted: reader.head.method != .head, closes: closes, isOld: reader.head.isOld, into: &actions.output)
    waiting = .nothing
    if closes { actions.closes = true }
  }
  /// Answers what cannot be served, and ends the connection.
  func refuse(_ refusal: Refusal) {
    guard !actions.closes else { return }
    if feed.isBegun { return endFeed() }
    Response(refusal.status, refusal.text).write(
      isBodyWanted: true, closes: true, isOld: false, into: &actions.output)
    waiting = .nothing
    actions.closes = true
  }
  private func fail(_ text: String) { refuse(Refusal(.internalError, text)) }
}
