import Base
import Testing

@testable import Rules

/// Which rules are found, what they ask for, and that a set that changes stays what it would be made anew.
@Suite struct RuleSetTests {
  static func set(_ rules: [String]) throws -> RuleSet {
    var set = RuleSet(seed: 3)
    for (number, text) in rules.enumerated() {
      let version = RuleVersion(number: 1, from: .zero, until: .never, rule: try RuleTests.rule(text))
      set.set([version], ofRule: UInt32(number), id: Array("r\(number)".utf8))
    }
    return set
  }
  static func word(_ text: String, _ rules: RuleSet) -> Word { Array(text.utf8).withUnsafeBytes { rules.word($0) } }

  @Test func rulesOfOtherMerchantsEventsAndProductsAreNotLookedAt() throws {
    let rules = try RulesBenchmark.thousand()
    var (facts, work) = (Facts(), RuleWork())
    facts[.merchant] = Self.word("shop", rules)
    _ = rules.find(facts, &work)
    #expect(work.candidates.count == 3)
    facts.lines = [
      FactLine(sku: Self.word("other2", rules), category: Self.word("milk", rules), quantity: 1, amount: 5)
    ]
    _ = rules.find(facts, &work)
    #expect(work.candidates.count == 5)
    facts[.merchant] = Self.word("other5", rules)
    _ = rules.find(facts, &work)
    #expect(work.candidates.count == 6)
    facts.request = .event(value: nil)
    facts[.event] = Self.word("event6", rules)
    _ = rules.find(facts, &work)
    #expect(work.candidates.count == 1)
  }
  /// One of two lines, and under two words of the other: once.
  @Test func aRuleIsFoundOnceHoweverManyLinesAskForIt() throws {
    let rules = try Self.set(["stage=bonus|when=sku in (a, b)|points=5", "stage=bonus|when=category = c|points=5"])
    var (facts, work) = (Facts(), RuleWork())
    for sku in ["a", "b", "a"] {
      facts.lines.append(
        FactLine(sku: Self.word(sku, rules), category: Self.word("c", rules), quantity: 1, amount: 1))
    }
    _ = rules.find(facts, &work)
    #expect(work.candidates.count == 2)
  }
  @Test func candidatesSayWhichFactsTheyNeed() throws {
    let rules = try Self.set([
      "stage=bonus|when=sku = a and visits > 3|points=5", "stage=bonus|event=checkin|when=streak >= 3|points=5",
      "stage=bonus|when=x.city = paris and x.n > 3 or x.city = lyon|points=5",
      "stage=bonus|merchant=m|when=age > 18|points=5",
      "stage=bonus|org=hq|points=5",
    ])
    #expect(
      rules.uses.contains([FactSet(.visits), FactSet(.sku), FactSet(.age), .attributes, .org, FactSet(.merchant)]))
    #expect(!rules.uses.contains(.tag))
    var (facts, work) = (Facts(), RuleWork())
    #expect(rules.find(facts, &work) == .attributes)
    #expect(
      work.attributes.map { rules.withAttributeName($0) { String(decoding: $0, as: UTF8.self) } } == ["city", "n"])
    facts.lines = [FactLine(sku: Self.word("a", rules), quantity: 1, amount: 1)]
    #expect(rules.find(facts, &work) == [.attributes, FactSet(.sku), FactSet(.visits)])
    (facts.request, facts[.event]) = (.event(value: nil), Self.word("checkin", rules))
    #expect(rules.find(facts, &work) == FactSet(.streak))
    #expect(work.attributes.isEmpty)
    facts[.event] = .unknown
    #expect(rules.find(facts, &work) == [] && work.candidates.isEmpty)
  }

  @Test func anEventIsRaisedWhereARuleOfItIsInForce() throws {
    var rules = try Self.set(["stage=bonus|points=5"])
    func has(_ event: String, at moment: Int64) -> Bool {
      Array(event.utf8).withUnsafeBytes { rules.hasRule(ofEvent: $0, at: Stamp(microseconds: moment)) }
    }
    #expect(!has("join", at: 15))
    let rule = try RuleTests.rule("stage=bonus|event=join|merchant=m|when=sku = a|points=5|campaign=4")
    let version = RuleVersion(
      number: 1, from: Stamp(microseconds: 10), until: Stamp(microseconds: 20), rule: rule)
    rules.set([version], ofRule: 7, id: Array("welcome".utf8))
    #expect(!has("join", at: 15))
    rules.set([CampaignWindow(from: .zero, until: Stamp(microseconds: 18), budget: nil)], ofCampaign: 4)
    #expect(has("join", at: 10) && has("join", at: 17) && !has("join", at: 9) && !has("join", at: 18))
    #expect(!has("birthday", at: 15))
    rules.set([], ofRule: 7, id: Array("welcome".utf8))
    #expect(!has("join", at: 15))
  }
  @Test func whatGoesLeavesNothingBehind() throws {
    var world = World(seed: 5)
    var rules = RuleSet(seed: 9)
    for round in 0..<3_000 {
      let number = world.pick(40)
      var program = PlainProgram()
      world.change(number, &program)
      let versions = try (program.rules[number] ?? []).map { plain in
        var rule = try Shop.rule(plain, &world.dice)
        // Words and names that come and go.
        if rule.stage == .bonus {
          rule.condition = try Condition("sku in (s\(round), t\(round)) and x.n\(round % 50) = v\(round)")
        }
        return RuleVersion(
          number: UInt32(plain.version), from: Stamp(microseconds: Int64(plain.from)),
          until: Stamp(microseconds: Int64(plain.until)), rule: rule)
      }
      rules.set(versions, ofRule: UInt32(number), id: Array("rule\(number)".utf8))
    }
    #expect(rules.tests.count < 3_000 && rules.values.count < 6_000 && rules.records.count < 400)
    #expect(rules.words.count < 700)
    for number in 0..<40 { rules.set([], ofRule: UInt32(number), id: Array("rule\(number)".utf8)) }
    #expect(rules.isEmpty && rules.uses == [] && rules.words.count == 0 && rules.attributeNames.count == 0)
    #expect(rules.freeRecords.count == rules.records.count)
    for dimension in Dimension.allCases {
      #expect(!rules.postings.has(dimension, ofMerchant: true) && !rules.postings.has(dimension, ofMerchant: false))
    }
  }
  @Test func wordsAreFoundThroughComingAndGoing() {
    var index = WordIndex(seed: 1)
    var generator = SeededGenerator(seed: 2)
    var uses: [String: Int] = [:]
    for _ in 0..<20_000 {
      let text = "word\(generator.next() % 300)"
      if generator.next() % 2 == 0 || uses[text] == nil {
        _ = index.retain(Array(text.utf8))
        uses[text, default: 0] += 1
      } else {
        index.release(Array(text.utf8).withUnsafeBytes { index.find($0) })
        uses[text] = uses[text] == 1 ? nil : (uses[text] ?? 0) - 1
      }
      #expect(index.count == uses.count)
    }
    for number in 0..<300 {
      let text = "word\(number)"
      let word = Array(text.utf8).withUnsafeBytes { index.find($0) }
      #expect((word == .unnamed) == (uses[text] == nil))
      if word != .unnamed { #expect(index.text(of: word) == Array(text.utf8)) }
    }
  }
  @Test func postingsAreFoundThroughComingAndGoing() {
    var index = PostingIndex(seed: 4)
    var generator = SeededGenerator(seed: 3)
    var known: [UInt64: Set<Int32>] = [:]
    func key(_ number: UInt64) -> PostingIndex.Key {
      PostingIndex.Key(
        event: Word(number: UInt32(number % 3)), merchant: Word(number: UInt32(number / 3 % 4)),
        dimension: number % 2 == 0 ? .sku : .category, word: Word(number: UInt32(number / 12)))
    }
    for _ in 0..<20_000 {
      let number = generator.next() % 240
      let record = Int32(generator.next() % 8)
      if known[number, default: []].contains(record) {
        index.remove(record, key(number))
        known[number]?.remove(record)
      } else {
        index.insert(record, key(number))
        known[number, default: []].insert(record)
      }
      let probe = generator.next() % 240
      var found: Set<Int32> = []
      index.forEach(key(probe)) { found.insert($0) }
      #expect(found == known[probe, default: []])
    }
  }
}
