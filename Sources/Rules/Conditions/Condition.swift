/// `when="…"`: comparisons of facts joined by `and`, `or`, `not` and parentheses.
///
///     tier in (gold, vip) and category = milk and weekday in (sat, sun) and not tag = staff
///
/// It is kept in postfix order, for its text, and as jumps: each comparison knows which one comes next if it is true, and
/// which if it is false. So an evaluation goes forward through one array and makes no comparison that it need not.
public struct Condition: Hashable, Sendable {
  /// Bytes.
  public static let longest = 1_024
  public static let mostComparisons = 64
  static let longestValue = 256
  static let longestName = 64

  enum Node: Hashable, Sendable {
    case comparison(Comparison)
    case not, and, or
  }
  /// Where an evaluation goes on: a comparison's place, or one of the two ends.
  struct Jump: Hashable, Sendable, BitwiseCopyable {
    static let isTrue: UInt8 = 254
    static let isFalse: UInt8 = 255
    var whenTrue = Jump.isTrue
    var whenFalse = Jump.isFalse
  }

  let nodes: [Node]
  let comparisons: [Comparison]
  /// Of each comparison, in the order in which they are written.
  let jumps: [Jump]
  /// What it compares.
  public let facts: FactSet

  public init(parsing bytes: UnsafeRawBufferPointer) throws(ConditionError) {
    guard bytes.count <= Condition.longest else {
      throw ConditionError(
        column: Condition.longest + 1, message: "a condition has at most \(Condition.longest) bytes")
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw ConditionError(column: 1, message: "a condition must be UTF-8")
    }
    var parser = ConditionParser(bytes)
    try parser.parse()
    nodes = parser.nodes
    comparisons = nodes.compactMap { if case .comparison(let comparison) = $0 { comparison } else { nil } }
    jumps = Condition.jumps(nodes)
    facts = comparisons.reduce(into: []) { $0.formUnion($1.subject.facts) }
  }
  public init(_ text: String) throws(ConditionError) {
    let bytes = Array(text.utf8)
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(ConditionError) in try Condition(parsing: bytes) }
    }
    self = try result.get()
  }

  // MARK: Jumps

  /// A part of a condition whose ends are not decided yet.
  private struct Fragment {
    var entry: Int
    /// The jumps that are to go where the part is true, and where it is false.
    var exits: (isTrue: [Exit], isFalse: [Exit])
  }
  private struct Exit {
    var comparison: Int
    var when: Bool
  }
  private static func jumps(_ nodes: [Node]) -> [Jump] {
    var jumps: [Jump] = []
    var stack: [Fragment] = []
    func direct(_ exits: [Exit], to target: Int) {
      for exit in exits {
        if exit.when {
          jumps[exit.comparison].whenTrue = UInt8(target)
        } else {
          jumps[exit.comparison].whenFalse = UInt8(target)
        }
      }
    }
    for node in nodes {
      if case .comparison = node {
        let at = jumps.count
        jumps.append(Jump())
        let exits = ([Exit(comparison: at, when: true)], [Exit(comparison: at, when: false)])
        stack.append(Fragment(entry: at, exits: exits))
        continue
      }
      guard var last = stack.popLast() else { break }
      guard node != .not else {
        last.exits = (last.exits.isFalse, last.exits.isTrue)
        stack.append(last)
        continue
      }
      guard var first = stack.popLast() else { break }
      if node == .and {
        direct(first.exits.isTrue, to: last.entry)
        first.exits = (last.exits.isTrue, first.exits.isFalse + last.exits.isFalse)
      } else {
        direct(first.exits.isFalse, to: last.entry)
        first.exits = (first.exits.isTrue + last.exits.isTrue, last.exits.isFalse)
      }
      stack.append(first)
    }
    if let whole = stack.last {
      direct(whole.exits.isTrue, to: Int(Jump.isTrue))
      direct(whole.exits.isFalse, to: Int(Jump.isFalse))
    }
    return jumps
  }

  // MARK: Demands

  /// Of each fact, words one of which it must have: else the condition is false.
  typealias Demands = [(subject: Subject, words: [[UInt8]])]

  /// Of facts that are words. O(nodes × facts).
  var demands: Demands {
    var stack: [Demands] = []
    for node in nodes {
      switch node {
      case .comparison(let comparison): stack.append(Condition.demands(comparison))
      case .not:
        _ = stack.popLast()
        stack.append([])
      case .and:
        guard let last = stack.popLast(), let first = stack.popLast() else { return [] }
        // Of two lists for one fact the shorter one finds less.
        var both = first
        for demand in last {
          guard let at = both.firstIndex(where: { $0.subject == demand.subject }) else {
            both.append(demand)
            continue
          }
          if demand.words.count < both[at].words.count { both[at] = demand }
        }
        stack.append(both)
      case .or:
        guard let last = stack.popLast(), let first = stack.popLast() else { return [] }
        stack.append(
          first.compactMap { demand in
            last.first { $0.subject == demand.subject }.map { (demand.subject, demand.words + $0.words) }
          })
      }
    }
    return stack.last ?? []
  }
  private static func demands(_ comparison: Comparison) -> Demands {
    guard comparison.comparator == .equal || comparison.comparator == .among else { return [] }
    switch comparison.subject {
    case .word, .org: return [(comparison.subject, comparison.values.map(\.text))]
    default: return []
    }
  }
}
