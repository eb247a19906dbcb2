import Base

/// What a node knows about a client's connection.
public struct Session: Sendable {
  /// Its number, never reused in a process.
  public let id: UInt64
  /// `host:port` of the other end.
  public let address: String
  /// When it was opened.
  public let since: Stamp
  /// The connection said `HELLO 3`.
  public var isRESP3 = false
  public var principal = PrincipalID.anonymous
  public var tenant = TenantID.first
  public var name = ""
  public var libraryName = ""
  public var libraryVersion = ""

  public init(id: UInt64, address: String, since: Stamp) {
    self.id = id
    self.address = address
    self.since = since
  }
}

/// What the node tells connections about itself.
public protocol SessionHost {
  /// The product's version, like `0.1.0`.
  var version: String { get }
  var nodeName: String { get }
  var now: Stamp { get }
  /// Who that is; nil if the secret is wrong or there is no such user. An empty `user` is what `AUTH secret` sends.
  func authenticate(user: UnsafeRawBufferPointer, secret: UnsafeRawBufferPointer) -> PrincipalID?
  /// All sessions, for `CLIENT LIST`.
  var sessions: [Session] { get }
  /// Lines of `name:value` for `INFO`, in sections, beside the section `server` that is answered here.
  func infoSections() -> [(name: String, lines: [(name: String, value: String)])]
}

/// The commands with which client libraries and people begin: everything that the connection alone can answer.
public enum ConnectionCommands {
  public enum Outcome: Sendable {
    /// The reply is written.
    case handled
    /// The reply is written; close once it is sent.
    case quit
    /// Not a verb of the connection: `Verb.isConnection` is false.
    case notMine
  }

  /// Answers a connection verb into `output`, and notes in `session` what it changes. Anything else is `notMine`.
  public static func respond(
    to request: Request, session: inout Session, host: some SessionHost, into output: inout ByteBuffer
  ) -> Outcome { .notMine }
}
