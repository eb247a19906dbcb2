import System

/// A line that shows how far something is: a bar that is drawn over itself on a terminal, else a line every few
/// seconds. It goes to standard error.
final class Progress {
  private let title: String
  private let total: Int
  private let start = Clock.monotonicNanoseconds()
  private var lastDrawn: UInt64 = 0
  private let isQuiet: Bool

  /// - Parameters:
  ///   - total: 0: only a count is shown.
  ///   - isQuiet: shows nothing: what is printed is for a program.
  init(_ title: String, total: Int, isQuiet: Bool) {
    self.title = title
    self.total = total
    self.isQuiet = isQuiet
  }

  func update(_ done: Int, note: String = "") {
    if isQuiet { return }
    let now = Clock.monotonicNanoseconds()
    let pause: UInt64 = Console.isErrorTerminal ? 100_000_000 : 3_000_000_000
    guard now - max(lastDrawn, Console.isErrorTerminal ? 0 : start) >= pause else { return }
    lastDrawn = now
    draw(done, note: note, at: now)
  }

  /// Of what tells itself how far it is.
  /// - Parameters:
  ///   - percent: of 100.
  ///   - facts: what stands behind it, the most important first: what has no room on a terminal's line is left out.
  func update(percent: Int, _ facts: [String]) {
    if isQuiet { return }
    let now = Clock.monotonicNanoseconds()
    let pause: UInt64 = Console.isErrorTerminal ? 100_000_000 : 3_000_000_000
    guard now - max(lastDrawn, Console.isErrorTerminal ? 0 : start) >= pause else { return }
    lastDrawn = now
    draw(percent: percent, facts)
  }
  func finish(percent: Int, _ facts: [String]) {
    guard Console.isErrorTerminal && !isQuiet else { return }
    draw(percent: percent, facts)
    Console.write("\n", to: 2)
  }
  private func draw(percent: Int, _ facts: [String]) {
    let facts = facts.filter { !$0.isEmpty }
    guard Console.isErrorTerminal else {
      return Console.report("\(title): \(percent) %" + facts.map { " · \($0)" }.joined())
    }
    Console.write("\r\u{1B}[K" + Progress.line(title, percent: percent, facts, columns: Console.errorColumns), to: 2)
  }
  /// The line that a terminal of so many columns shows: it must not break, or it could not be drawn over.
  static func line(_ title: String, percent: Int, _ facts: [String], columns: Int) -> String {
    let filled = min(20, max(0, percent * 20 / 100))
    var line = "\(title) " + String(repeating: "█", count: filled) + String(repeating: "░", count: 20 - filled)
    line += " \(percent) %"
    for fact in facts {
      let room = columns - 1 - DisplayWidth.of(line) - 3
      guard room > 8 else { break }
      guard DisplayWidth.of(fact) > room else {
        line += " · \(fact)"
        continue
      }
      line += " · \(fact.prefix(room - 1))…"
      break
    }
    return line
  }

  /// Draws the last state and ends the line.
  func finish(_ done: Int, note: String = "") {
    if Console.isErrorTerminal && !isQuiet {
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
