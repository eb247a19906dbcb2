import Base

/// What a node knows about a client's connection.
public struct Session: Sendable {
  /// Its number, never reused in a process.
  public let id: UInt64
  /// `host:port` of the other end.
  public let address: String
  /// When it was opened.
  public let since: Stamp
  /// The connection said `HELLO 3`: records are maps.
  public var isRESP3 = false
  public var principal = PrincipalID.anonymous
  public var tenant = TenantID.first
  /// At most 64 bytes, printable and without spaces; empty if none was given. The library's name and version too.
  public var name = ""
  public var libraryName = ""
  public var libraryVersion = ""

  public init(id: UInt64, address: String, since: Stamp) {
    self.id = id
    self.address = address
    self.since = since
  }

  /// The connection in one line of `key=value`, as `CLIENT LIST` has it in Redis.
  public func line(now: Stamp) -> String {
    let age = max(0, (now.microseconds - since.microseconds) / 1_000_000)
    return "id=\(id) addr=\(address) name=\(name) age=\(age) db=0 resp=\(isRESP3 ? 3 : 2) "
      + "user=\(principal == .anonymous ? "default" : String(principal.rawValue)) "
      + "lib-name=\(libraryName) lib-ver=\(libraryVersion)"
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
  /// All sessions of the node in a steady order, for `CLIENT LIST`.
  var sessions: [Session] { get }
  /// Sections for `INFO`, beside the section `server` that is answered here.
  func infoSections() -> [InfoSection]
}

/// A section of `INFO`.
public struct InfoSection: Sendable {
  /// In lower case, as a person asks for it.
  public var name: String
  public var lines: [(name: String, value: String)]
  public init(_ name: String, _ lines: [(name: String, value: String)]) {
    self.name = name
    self.lines = lines
  }
}
