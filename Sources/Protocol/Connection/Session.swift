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
  /// The connection said `CLIENT REPLY BULK`: in RESP2 records are bulk strings.
  public var wantsBulk = false
  public var principal = PrincipalID.anonymous
  public var tenant = TenantID.first
  /// At most 64 bytes, printable and without spaces; empty if none was given. The library's name and version too.
  public var name = ""
  public var libraryName = ""
  public var libraryVersion = ""
  /// MULTI was refused, and neither EXEC nor DISCARD has come: all that comes is refused as well.
  public var isAfterMulti = false

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

/// What becomes of an attempt to sign in.
public enum Authentication: Hashable, Sendable {
  case accepted(PrincipalID)
  /// The secret is wrong, or there is no such user, or it may not sign in.
  case refused
  /// The default user has no secret, and one was given as if it had.
  case hasNoSecret

  /// As a node answers that has no users: whoever is there is the default one, whatever the secret, and there is no other.
  public static func withoutUsers(user: UnsafeRawBufferPointer?) -> Authentication {
    guard let user else { return .hasNoSecret }
    return user.elementsEqual("default".utf8) ? .accepted(.anonymous) : .refused
  }
}

/// What the node tells connections about itself.
public protocol SessionHost {
  /// The product's version, like `0.1.0`.
  var version: String { get }
  var nodeName: String { get }
  var now: Stamp { get }
  /// Who that is. A `user` that is nil is what `AUTH secret` means: the default one.
  func authenticate(user: UnsafeRawBufferPointer?, secret: UnsafeRawBufferPointer) -> Authentication
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
