import Glibc

/// What a system call says when it cannot: `errno`, and what was tried.
public struct SystemError: Error, Equatable, CustomStringConvertible {
  public var code: Int32
  /// What was tried, for people: "listen", "connect to 10.0.0.1:7501".
  public var operation: String

  /// Takes `errno` as the call just before left it.
  public init(_ operation: String, code: Int32 = errno) {
    self.code = code
    self.operation = operation
  }

  /// The system's words for the code: "Address already in use".
  public var reason: String { SystemError.text(of: code) }
  public var description: String { "\(operation): \(reason)" }

  public static func text(of code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let text = buffer.baseAddress, strerror_r(code, text, buffer.count) == 0 else {
        return "error \(code)"
      }
      return String(cString: text)
    }
  }
}
