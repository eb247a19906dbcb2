/// Whether a version's condition is true. Records go by their place, and `work` is lent: so neither is copied.
extension RuleSet {
  /// With the facts that `work` has loaded, those of a line included.
  func holds(_ record: Int, _ facts: Facts, _ work: inout RuleWork) -> Bool {
    let run = records[record].tests
    guard run.count > 0 else { return true }
    let start = Int(run.start)
    var at = 0
    while true {
      let test = tests[start &+ at]
      let next = passes(test, facts, &work) ? test.jump.whenTrue : test.jump.whenFalse
      if next >= Condition.Jump.isTrue { return next == Condition.Jump.isTrue }
      at = Int(next)
    }
  }
  /// Of a whole request: with the facts of one of its lines, if it compares any (A14).
  func holdsForAnyLine(_ record: Int, _ facts: Facts, _ work: inout RuleWork) -> Bool {
    guard records[record].usesLines, !facts.lines.isEmpty, case .purchase = facts.request else {
      return holds(record, facts, &work)
    }
    for line in facts.lines {
      work.load(line)
      if holds(record, facts, &work) { return true }
    }
    return false
  }

  @inline(__always) private func passes(_ test: Test, _ facts: Facts, _ work: inout RuleWork) -> Bool {
    switch test.kind {
    case .wordIs: return work.words[Int(test.subject)].stored == test.value
    case .wordIsNot:
      let word = work.words[Int(test.subject)]
      return word != .unknown && word.stored != test.value
    case .wordIn: return isListed(work.words[Int(test.subject)].stored, test)
    case .number:
      let number = work.numbers[Int(test.subject)]
      return number != Facts.unknown && Test.compare(number, test.comparator, test.value)
    case .numberIn: return isListed(work.numbers[Int(test.subject)], test)
    case .setHas, .setLacks, .setHasAny: return passesOfSet(test, test.subject == 0 ? facts.orgs : facts.tags)
    case .attributeIs, .attributeIsNot, .attributeIn, .attributeNumber, .attributeDate:
      return passesOfAttribute(test, facts.attribute(test.subject))
    }
  }
  private func isListed(_ value: Int64, _ test: Test) -> Bool { list(test).contains(value) }

  private func passesOfSet(_ test: Test, _ words: [Word]) -> Bool {
    switch test.kind {
    case .setHas: words.contains { $0.stored == test.value }
    case .setLacks: !words.isEmpty && !words.contains { $0.stored == test.value }
    default: words.contains { isListed($0.stored, test) }
    }
  }
  private func passesOfAttribute(_ test: Test, _ attribute: Facts.Attribute) -> Bool {
    switch test.kind {
    case .attributeIs: return attribute.word.stored == test.value
    case .attributeIsNot: return attribute.word != .unknown && attribute.word.stored != test.value
    case .attributeIn: return isListed(attribute.word.stored, test)
    default:
      let number = test.kind == .attributeNumber ? attribute.number : attribute.date
      return number != Facts.unknown && Test.compare(number, test.comparator, test.value)
    }
  }
}
