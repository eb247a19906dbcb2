import Foundation

/// Standard output and standard error, and whether a person sits before them.
public enum Console {
  public static var isOutputTerminal: Bool { isatty(1) == 1 }
  public static var isErrorTerminal: Bool { isatty(2) == 1 }
  public static var isInputTerminal: Bool { isatty(0) == 1 }

  /// How wide the terminal behind standard error is.
  public static var errorColumns: Int {
    var size = winsize()
    guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Writes a line to standard output.
  public static func print(_ text: String) { write(text + "\n", to: 1) }
  /// Writes a line to standard error.
  public static func report(_ text: String) { write(text + "\n", to: 2) }
  /// Writes as it stands.
  public static func write(_ text: String, to descriptor: Int32 = 1) {
    let bytes = Array(text.utf8)
    var sent = 0
    while sent < bytes.count {
      let n = bytes.withUnsafeBytes { whole in
        whole.baseAddress.map { Foundation.write(descriptor, $0 + sent, bytes.count - sent) } ?? 0
      }
      if n < 0, errno == EINTR { continue }
      guard n > 0 else { return }
      sent += n
    }
  }

  /// The value of an environment variable that is set and not empty.
  public static func environment(_ name: String) -> String? {
    guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { return nil }
    return value
  }
}
