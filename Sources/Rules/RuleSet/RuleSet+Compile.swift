import Base

/// How a condition becomes tests, and under which keys a version stands.
extension RuleSet {
  /// The most keys of one version.
  private static let mostKeys = 256

  mutating func compile(_ condition: Condition, into record: inout RuleRecord) {
    record.facts = condition.facts
    var made: [Test] = []
    var attributes: [Int64] = []
    for (comparison, jump) in zip(condition.comparisons, condition.jumps) {
      var test = self.test(comparison)
      test.jump = jump
      made.append(test)
      guard case .attribute = comparison.subject, !attributes.contains(Int64(test.subject)) else { continue }
      attributes.append(Int64(test.subject))
    }
    record.attributes = keep(attributes)
    record.tests = Run(start: UInt32(tests.count), count: UInt32(made.count))
    tests += made
  }
  private mutating func keep(_ list: [Int64]) -> Run {
    let run = Run(start: UInt32(values.count), count: UInt32(list.count))
    values += list
    return run
  }
  private mutating func test(_ comparison: Comparison) -> Test {
    let isAmong = comparison.comparator == .among
    let isDiffering = comparison.comparator == .notEqual
    let kind: Test.Kind
    let subject: UInt32
    switch comparison.subject {
    case .word(let fact):
      kind = isAmong ? .wordIn : isDiffering ? .wordIsNot : .wordIs
      subject = UInt32(fact.rawValue)
    case .org, .tag:
      kind = isAmong ? .setHasAny : isDiffering ? .setLacks : .setHas
      subject = comparison.subject == .org ? 0 : 1
    case .number(let fact):
      kind = isAmong ? .numberIn : .number
      subject = UInt32(fact.rawValue)
    case .attribute(let name):
      switch comparison.sort {
      case .word: kind = isAmong ? .attributeIn : isDiffering ? .attributeIsNot : .attributeIs
      case .number: kind = .attributeNumber
      case .date: kind = .attributeDate
      }
      subject = attributeNames.retain(name).number - 2
    }
    let numbers = comparison.values.map {
      comparison.sort == .word ? words.retain($0.text).stored : $0.number
    }
    var test = Test(
      kind: kind, comparator: comparison.comparator, jump: .init(), subject: subject, value: numbers[0])
    if test.isList { test.value = Int64(keep([Int64(numbers.count)] + numbers).start) }
    return test
  }
  /// Gives back what a version used of words and names.
  mutating func release(_ record: RuleRecord) {
    for word in [record.id, record.event, record.merchant, record.org] { words.release(word) }
    for test in tests[record.tests.range] {
      switch test.kind {
      case .attributeIs, .attributeIsNot, .attributeIn, .attributeNumber, .attributeDate:
        attributeNames.release(Word(number: test.subject + 2))
      default: break
      }
      switch test.kind {
      case .wordIs, .wordIsNot, .setHas, .setLacks, .attributeIs, .attributeIsNot:
        words.release(Word(stored: test.value))
      case .wordIn, .setHasAny, .attributeIn:
        for value in list(test) { words.release(Word(stored: value)) }
      case .number, .numberIn, .attributeNumber, .attributeDate: break
      }
    }
  }

  /// Finds what the rule demands of a request, and so where it stands.
  mutating func choosePlace(_ rule: Rule, _ record: inout RuleRecord) {
    var demands = rule.condition?.demands ?? []
    if case .org(let org) = rule.scope { demands.append((.org, [org])) }
    func demanded(_ subject: Subject) -> [Int64] {
      var numbers: [Int64] = []
      // Of two demands for the org both hold; either will do.
      for text in demands.last(where: { $0.subject == subject })?.words ?? [] {
        let number = text.withUnsafeBytes { words.find($0) }.stored
        if !numbers.contains(number) { numbers.append(number) }
      }
      return numbers
    }
    var merchants = demanded(.word(.merchant))
    if record.merchant != .unknown { merchants = [record.merchant.stored] }
    for dimension in Dimension.allCases where dimension != .all {
      let numbers = dimension == .org ? demanded(.org) : dimension.fact.map { demanded(.word($0)) } ?? []
      guard !numbers.isEmpty, numbers.count <= RuleSet.mostKeys else { continue }
      record.dimension = dimension
      record.keyWords = keep(numbers)
      break
    }
    if !merchants.isEmpty, merchants.count * max(1, Int(record.keyWords.count)) <= RuleSet.mostKeys {
      record.keyMerchants = keep(merchants)
    }
  }
}

extension Dimension {
  /// The fact that is one word, if it is one.
  var fact: WordFact? {
    switch self {
    case .all, .org: nil
    case .sku: .sku
    case .terminal: .terminal
    case .category: .category
    case .brand: .brand
    case .channel: .channel
    case .type: .type
    case .region: .region
    }
  }
}
