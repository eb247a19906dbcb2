/// Parses a condition by the precedence of its operators, with a stack of its own: as deep as the text is long, and no deeper.
struct ConditionParser {
  private enum Operator { case not, and, or, open }
  private var tokens: ConditionTokens
  private var token = ConditionTokens.Token.end
  private var operators: [(Operator, start: Int)] = []
  private(set) var nodes: [Condition.Node] = []
  private var comparisons = 0

  init(_ bytes: UnsafeRawBufferPointer) { tokens = ConditionTokens(bytes) }

  mutating func parse() throws(ConditionError) {
    try advance()
    guard token != .end else { throw tokens.error("the condition is empty: say for instance tier = gold") }
    while true {
      try operand()
      guard try isContinued() else { break }
    }
    while let (top, start) = operators.popLast() {
      guard top != .open else { throw tokens.error("the parenthesis that opens here is not closed", at: start) }
      reduce(top)
    }
  }
  private mutating func advance() throws(ConditionError) { token = try tokens.next() }

  /// Up to the end of the next comparison.
  private mutating func operand() throws(ConditionError) {
    while true {
      switch token {
      case .open: operators.append((.open, tokens.start))
      case .word(let word) where word.elementsEqual("not".utf8): operators.append((.not, tokens.start))
      case .word(let word):
        try comparison(word)
        reduceNots()
        return
      default: throw tokens.error("expected a fact, 'not' or '('" + (token == .end ? ", but the condition ends" : ""))
      }
      try advance()
    }
  }
  /// Whether another operand follows what has been read: after the parentheses that close here.
  private mutating func isContinued() throws(ConditionError) -> Bool {
    while true {
      switch token {
      case .end: return false
      case .close:
        while let (top, _) = operators.last, top != .open {
          operators.removeLast()
          reduce(top)
        }
        guard operators.popLast() != nil else { throw tokens.error("no parenthesis is open that this one closes") }
        reduceNots()
      case .word(let word) where word.elementsEqual("and".utf8):
        reduce(while: { $0 == .and })
        operators.append((.and, tokens.start))
        try advance()
        return true
      case .word(let word) where word.elementsEqual("or".utf8):
        reduce(while: { $0 == .and || $0 == .or })
        operators.append((.or, tokens.start))
        try advance()
        return true
      default:
        throw tokens.error("expected 'and', 'or' or " + (operators.contains { $0.0 == .open } ? "')'" : "the end"))
      }
      try advance()
    }
  }
  private mutating func reduceNots() { reduce(while: { $0 == .not }) }
  private mutating func reduce(while belongs: (Operator) -> Bool) {
    while let (top, _) = operators.last, belongs(top) {
      operators.removeLast()
      reduce(top)
    }
  }
  private mutating func reduce(_ operation: Operator) {
    switch operation {
    case .not: nodes.append(.not)
    case .and: nodes.append(.and)
    case .or: nodes.append(.or)
    case .open: break
    }
  }

  // MARK: Comparisons

  private mutating func comparison(_ word: [UInt8]) throws(ConditionError) {
    let start = tokens.start
    guard let subject = word.withUnsafeBytes({ Subject(named: $0) }) else {
      throw tokens.error("there is no fact \(String(decoding: word, as: UTF8.self)): facts are \(Subject.names)")
    }
    comparisons += 1
    guard comparisons <= Condition.mostComparisons else {
      throw tokens.error("a condition has at most \(Condition.mostComparisons) comparisons")
    }
    if case .attribute(let name) = subject, name.count > Condition.longestName {
      throw tokens.error("a name has at most \(Condition.longestName) bytes")
    }
    try advance()
    let comparator = try comparator(of: subject, start)
    try advance()
    let values = comparator == .among ? try list(subject) : [try value(subject, comparator)]
    nodes.append(.comparison(Comparison(subject: subject, comparator: comparator, values: values)))
  }
  private func comparator(of subject: Subject, _ start: Int) throws(ConditionError) -> Comparison.Comparator {
    switch token {
    case .comparator(let comparator):
      if let objection = Comparison.objection(to: comparator, of: subject) { throw tokens.error(objection) }
      return comparator
    case .word(let word) where word.elementsEqual("in".utf8): return .among
    default: throw tokens.error("expected =, !=, <, <=, >, >= or in after \(subject.name)")
    }
  }
  /// The value that the token is; then goes on.
  private mutating func value(
    _ subject: Subject, _ comparator: Comparison.Comparator
  ) throws(ConditionError) -> Comparison.Value {
    let text: [UInt8]
    switch token {
    case .word(let word), .quoted(let word): text = word
    default: throw tokens.error("expected a value for \(subject.name)")
    }
    guard text.count <= Condition.longestValue else {
      throw tokens.error("a value has at most \(Condition.longestValue) bytes")
    }
    guard let value = Comparison.value(text, of: subject, comparator) else {
      throw tokens.error("\(subject.name) is compared with \(Comparison.requirement(subject))")
    }
    try advance()
    return value
  }
  private mutating func list(_ subject: Subject) throws(ConditionError) -> [Comparison.Value] {
    guard token == .open else { throw tokens.error("expected '(' after in, as in (a, b)") }
    var values: [Comparison.Value] = []
    repeat {
      try advance()
      values.append(try value(subject, .among))
    } while token == .comma
    guard token == .close else { throw tokens.error("expected ',' or ')' in the list of \(subject.name)") }
    try advance()
    return values
  }
}
