extension Condition {
  /// As it would be written, with one blank between words and no needless parenthesis.
  public var text: String { whole { $1 ? "not \($0.text)" : $0.text } }
  /// The same as people say it.
  public var sentence: String { whole(Condition.sentence) }

  /// What is joined by `and` at the top: each part's text, and what it compares if it is one comparison.
  typealias Part = (text: String, comparison: Comparison?)
  private enum Rank { case or, and, not }

  static func sentence(_ comparison: Comparison, isNegated: Bool) -> String {
    guard isNegated else { return comparison.sentence }
    let isEquality = comparison.comparator == .equal || comparison.comparator == .among
    return isEquality ? "\(comparison.subject.name) is not \(comparison.list)" : "not \(comparison.sentence)"
  }
  private func whole(_ said: (Comparison, _ isNegated: Bool) -> String) -> String {
    parts(said).map(\.text).joined(separator: " and ")
  }
  func parts(_ said: (Comparison, _ isNegated: Bool) -> String) -> [Part] {
    var stack: [(parts: [Part], rank: Rank)] = []
    func text(_ some: (parts: [Part], rank: Rank), _ isBare: Bool) -> String {
      let joined = some.parts.map(\.text).joined(separator: " and ")
      return isBare ? joined : "(\(joined))"
    }
    for node in nodes {
      if case .comparison(let comparison) = node {
        stack.append(([(said(comparison, false), comparison)], .not))
        continue
      }
      guard let last = stack.popLast() else { break }
      guard node != .not else {
        let only = last.parts.count == 1 ? last.parts[0].comparison : nil
        let negated = only.map { said($0, true) } ?? "not " + text(last, last.rank == .not)
        stack.append(([(negated, nil)], .not))
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
