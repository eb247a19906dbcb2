import Foundation

/// A whole screen that is drawn over and over, beside what was there before.
extension Terminal {
  var rowCount: Int {
    var size = winsize()
    let isKnown = ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0
    return isKnown ? Int(size.ws_row) : 24
  }

  /// Has the other screen, without a cursor, while `body` runs.
  func onScreen(_ body: () throws(ClientError) -> Void) throws(ClientError) {
    enterRaw()
    Console.write("\u{1B}[?1049h\u{1B}[?25l")
    defer {
      Console.write("\u{1B}[?25h\u{1B}[?1049l")
      leaveRaw()
    }
    try body()
  }
  /// Draws lines from the top, as many as there is room for; what was there is gone.
  func draw(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).prefix(max(1, rowCount))
    Console.write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
  }
  /// The next key, if one is pressed within so long.
  func key(within milliseconds: Int32) -> Key? {
    if keys.isEmpty {
      var wanted = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
      guard poll(&wanted, 1, milliseconds) > 0 else { return nil }
      guard readKeys() else { return .endOfInput }
    }
    return keys.isEmpty ? nil : keys.removeFirst()
  }
}
