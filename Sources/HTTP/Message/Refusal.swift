/// Statuses that this server gives, with their standard words.
public enum Status: Int, Sendable {
  case ok = 200
  case notModified = 304
  case badRequest = 400
  case unauthorized = 401
  case forbidden = 403
  case notFound = 404
  case methodNotAllowed = 405
  case requestTimeout = 408
  case lengthRequired = 411
  case contentTooLarge = 413
  case uriTooLong = 414
  case unsupportedMediaType = 415
  case expectationFailed = 417
  case headersTooLarge = 431
  case internalError = 500
  case notImplemented = 501
  case unavailable = 503
  case versionNotSupported = 505

  public var words: StaticString {
    switch self {
    case .ok: "OK"
    case .notModified: "Not Modified"
    case .badRequest: "Bad Request"
    case .unauthorized: "Unauthorized"
    case .forbidden: "Forbidden"
    case .notFound: "Not Found"
    case .methodNotAllowed: "Method Not Allowed"
    case .requestTimeout: "Request Timeout"
    case .lengthRequired: "Length Required"
    case .contentTooLarge: "Content Too Large"
    case .uriTooLong: "URI Too Long"
    case .unsupportedMediaType: "Unsupported Media Type"
    case .expectationFailed: "Expectation Failed"
    case .headersTooLarge: "Request Header Fields Too Large"
    case .internalError: "Internal Server Error"
    case .notImplemented: "Not Implemented"
    case .unavailable: "Service Unavailable"
    case .versionNotSupported: "HTTP Version Not Supported"
    }
  }
}

/// Why a request is not served: the status, and one line for a person.
public struct Refusal: Error, Equatable, Sendable {
  public var status: Status
  public var text: String
  init(_ status: Status, _ text: String) {
    self.status = status
    self.text = text
  }
}

/// What a request may have, at most, in bytes unless it says otherwise. Beyond, it is refused and the connection closed.
public struct Limits: Sendable {
  public var requestLine = 8 << 10
  /// The request line and all header lines together.
  public var head = 32 << 10
  /// Header lines.
  public var headers = 100
  public var body = 256 << 10
  /// The line with a chunk's size.
  var chunkLine = 256
  /// All lines behind the last chunk.
  var trailers = 4 << 10
  public init() {}
}
