import Glibc

/// What a system call says when it cannot: `errno`, and what was tried.
package struct SystemError: Error, Equatable, CustomStringConvertible {
  package var code: Int32
  /// What was tried, for people: "listen", "connect to 10.0.0.1:7501".
  package var operation: String

  /// Takes `errno` as the call just before left it.
  package init(_ operation: String, code: Int32 = errno) {
    self.code = code
    self.operation = operation
  }

  /// The system's words for the code: "Address already in use".
  package var reason: String { SystemError.text(of: code) }
  package var description: String { "\(operation): \(reason)" }

  package static func text(of code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let text = buffer.baseAddress, strerror_r(code, text, buffer.count) == 0 else {
        return "error \(code)"
      }
      return String(cString: text)
    }
  }
}
