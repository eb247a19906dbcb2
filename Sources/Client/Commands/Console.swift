import Foundation
import System

/// Standard output and standard error, and whether a person sits before them.
public enum Console {
  public static var isOutputTerminal: Bool { isatty(1) == 1 }
  public static var isErrorTerminal: Bool { isatty(2) == 1 }
  public static var isInputTerminal: Bool { isatty(0) == 1 }

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

/// Numbers for people.
enum Format {
  /// `69659` as `69,659`.
  static func grouped(_ number: some BinaryInteger) -> String {
    let digits = Array(String(number.magnitude))
    var text = number < 0 ? "-" : ""
    for (i, digit) in digits.enumerated() {
      if i > 0, (digits.count - i) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }
  /// With so many decimals.
  static func decimal(_ number: Double, _ places: Int) -> String { String(format: "%.\(places)f", number) }
  /// Nanoseconds as `97 µs`, `1.23 ms`, `2.5 s`.
  static func duration(_ nanoseconds: UInt64) -> String {
    let value = Double(nanoseconds)
    switch value {
    case ..<1e3: return "\(nanoseconds) ns"
    case ..<1e4: return decimal(value / 1e3, 1) + " µs"
    case ..<1e6: return decimal(value / 1e3, 0) + " µs"
    case ..<1e7: return decimal(value / 1e6, 2) + " ms"
    case ..<1e9: return decimal(value / 1e6, 1) + " ms"
    default: return decimal(value / 1e9, 2) + " s"
    }
  }
}

/// A line that shows how far something is: a bar that is drawn over itself on a terminal, else a line every few
/// seconds. It goes to standard error.
final class Progress {
  private let title: String
  private let total: Int
  private let start = Clock.monotonicNanoseconds()
  private var lastDrawn: UInt64 = 0
  private var isBarDrawn = false

  /// `total` 0: only a count.
  init(_ title: String, total: Int) {
    self.title = title
    self.total = total
  }

  func update(_ done: Int, note: String = "") {
    let now = Clock.monotonicNanoseconds()
    let pause: UInt64 = Console.isErrorTerminal ? 100_000_000 : 3_000_000_000
    guard now - max(lastDrawn, Console.isErrorTerminal ? 0 : start) >= pause else { return }
    lastDrawn = now
    draw(done, note: note, at: now)
  }

  /// Draws the last state and ends the line.
  func finish(_ done: Int, note: String = "") {
    if Console.isErrorTerminal {
      draw(done, note: note, at: Clock.monotonicNanoseconds())
      Console.write("\n", to: 2)
    }
  }

  private func draw(_ done: Int, note: String, at now: UInt64) {
    let seconds = Double(now - start) / 1e9
    let rate = seconds > 0 ? Double(done) / seconds : 0
    let left = rate > 0 && total > done ? " · \(Int((Double(total - done) / rate).rounded(.up))) s left" : ""
    let tail = note.isEmpty ? "" : " · \(note)"
    let count = total > 0 ? "\(Format.grouped(done)) of \(Format.grouped(total))" : Format.grouped(done)
    let text = "\(count) · \(Format.grouped(Int(rate)))/s\(left)\(tail)"
    guard Console.isErrorTerminal else { return Console.report("\(title): \(text)") }
    var bar = ""
    if total > 0 {
      let filled = min(24, done * 24 / total)
      bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled) + " "
    }
    Console.write("\r\u{1B}[K\(title) \(bar)\(text)", to: 2)
  }
}
