extension Condition {
  /// As it would be written, with one blank between words and no needless parenthesis.
  public var text: String { whole { $0.text } }
  /// The same as people say it.
  public var sentence: String { whole { $0.sentence } }

  /// What is joined by `and` at the top: each part's text, and what it compares if it is one comparison.
  typealias Part = (text: String, comparison: Comparison?)
  private enum Rank { case or, and, not }

  private func whole(_ said: (Comparison) -> String) -> String {
    parts(said).map(\.text).joined(separator: " and ")
  }
  func parts(_ said: (Comparison) -> String) -> [Part] {
    var stack: [(parts: [Part], rank: Rank)] = []
    func text(_ some: (parts: [Part], rank: Rank), _ isBare: Bool) -> String {
      let joined = some.parts.map(\.text).joined(separator: " and ")
      return isBare ? joined : "(\(joined))"
    }
    for node in nodes {
      if case .comparison(let comparison) = node {
        stack.append(([(said(comparison), comparison)], .not))
        continue
      }
      guard let last = stack.popLast() else { break }
      guard node != .not else {
        stack.append(([("not " + text(last, last.rank == .not), nil)], .not))
        continue
      }
      guard let first = stack.popLast() else { break }
      if node == .and {
        // An `or` among what `and` joins stands in parentheses.
        let both = [first, last].flatMap { $0.rank == .or ? [(text($0, false), nil)] : $0.parts }
        stack.append((both, .and))
      } else {
        stack.append(([(text(first, true) + " or " + text(last, true), nil)], .or))
      }
    }
    return stack.last?.parts ?? []
  }
}
