import Base

/// All rules of one program, compiled, and found by event, merchant and product: a value, changed a rule at a time. Setting a rule
/// costs what its own text costs, however many others there are.
public struct RuleSet: Sendable {
  var words: WordIndex
  /// The names of attributes that rules compare.
  var attributeNames: WordIndex
  var postings: PostingIndex
  /// Versions; those in `freeRecords` are none.
  var records: [RuleRecord] = []
  var freeRecords: [Int32] = []
  /// The first version of each rule, by the rule's number.
  private var rules: [(number: UInt32, first: Int32)] = []
  var campaigns: [(number: UInt32, windows: [CampaignWindow])] = []
  /// The comparisons of all versions, and their lists; versions that went leave holes.
  var tests: [Test] = []
  var values: [Int64] = []
  private var wastedTests = 0
  private var wastedValues = 0
  /// How many versions compare each fact.
  private var users = InlineArray<64, UInt32>(repeating: 0)

  /// - Parameter seed: of the hashes that words are found by.
  public init(seed: UInt64) {
    words = WordIndex(seed: seed)
    attributeNames = WordIndex(seed: seed)
    postings = PostingIndex(seed: seed)
  }

  /// No rule takes part in anything.
  public var isEmpty: Bool { rules.isEmpty }
  /// What any of its rules compares, `org=` and `merchant=` included.
  public private(set) var uses: FactSet = []
  /// A word's number: for each that a request or member has, where `uses` has the fact. O(bytes).
  public func word(_ text: UnsafeRawBufferPointer) -> Word { words.find(text) }
  /// The name of an attribute that `RuleWork.attributes` numbers, without the `x.`.
  public func withAttributeName<R>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    attributeNames.withBytes(of: Word(number: UInt32(number + 2)), body)
  }

  /// What a test has a list of.
  @inline(__always) func list(_ test: Test) -> ArraySlice<Int64> {
    let start = Int(test.value)
    return values[start &+ 1..<start &+ 1 &+ Int(values[start])]
  }

  // MARK: Changes

  /// Puts these in place of all versions of a rule: those that were running once or will be, in any order; none takes the rule away.
  /// One that does not pass `Rule.check` counts as not running. O(bytes of the rule + versions under the same keys).
  public mutating func set(_ versions: [RuleVersion], ofRule number: UInt32, id: [UInt8]) {
    let at = RuleSet.place(of: number, in: rules.count) { rules[$0].number }
    let isKnown = at < rules.count && rules[at].number == number
    var old = isKnown ? rules[at].first : -1
    while old >= 0 {
      let next = records[Int(old)].next
      remove(old)
      old = next
    }
    var first: Int32 = -1
    for version in versions where version.rule.isSound { first = add(version, number, id, before: first) }
    switch (isKnown, first >= 0) {
    case (true, true): rules[at].first = first
    case (true, false): rules.remove(at: at)
    case (false, true): rules.insert((number, first), at: at)
    case (false, false): break
    }
    if wastedTests > 64, wastedTests * 2 > tests.count { compactTests() }
    if wastedValues > 64, wastedValues * 2 > values.count { compactValues() }
    uses = (0..<64).reduce(into: []) { if users[$1] > 0 { $0.insert(FactSet(rawValue: 1 << UInt64($1))) } }
  }
  /// When a campaign runs. Rules of a campaign that was not set are not in force.
  public mutating func set(_ windows: [CampaignWindow], ofCampaign number: UInt32) {
    let at = RuleSet.place(of: number, in: campaigns.count) { campaigns[$0].number }
    if at < campaigns.count, campaigns[at].number == number {
      campaigns[at].windows = windows
    } else {
      campaigns.insert((number, windows), at: at)
    }
  }
  /// A campaign's window at a moment. O(log campaigns + windows).
  func window(ofCampaign number: UInt32, at moment: Stamp) -> CampaignWindow? {
    let at = RuleSet.place(of: number, in: campaigns.count) { campaigns[$0].number }
    guard at < campaigns.count, campaigns[at].number == number else { return nil }
    return campaigns[at].windows.first { $0.from <= moment && moment < $0.until }
  }

  /// The first of so many rising numbers that is not below `number`.
  private static func place(of number: UInt32, in count: Int, _ numbered: (Int) -> UInt32) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if numbered(middle) < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
  private mutating func add(_ version: RuleVersion, _ number: UInt32, _ id: [UInt8], before next: Int32) -> Int32 {
    let rule = version.rule
    let (amount, denominator, window) = RuleSet.figures(rule.action)
    var record = RuleRecord(
      order: id.withUnsafeBytes { RuleRecord.order(rule.stage, rule.priority, $0) }, from: version.from,
      until: version.until, stage: rule.stage, stop: rule.stop, window: window,
      campaign: rule.campaign ?? RuleRecord.noCampaign, amount: amount, denominator: denominator, number: number,
      version: version.number, id: words.retain(id))
    record.next = next
    if let event = rule.event { record.event = words.retain(event) }
    switch rule.scope {
    case .all: break
    case .merchant(let name): record.merchant = words.retain(name)
    case .org(let name): record.org = words.retain(name)
    }
    if let condition = rule.condition { compile(condition, into: &record) }
    choosePlace(rule, &record)
    count(record.uses, 1)
    let place: Int32
    if let free = freeRecords.popLast() {
      place = free
      records[Int(place)] = record
    } else {
      place = Int32(records.count)
      records.append(record)
    }
    forEachKey(record) { $0.insert(place, $1) }
    return place
  }
  private static func figures(_ action: Action) -> (amount: Int64, denominator: Int64, window: CapWindow.Kind) {
    switch action {
    case .none: (0, 1, .sale)
    case .earn(let rate): (rate.numerator, rate.denominator, .sale)
    case .points(let points): (points, 1, .sale)
    case .times(let factor): (factor.numerator, factor.denominator, .sale)
    case .cap(let cap): (cap.limit, 1, cap.kind)
    }
  }
  private mutating func remove(_ place: Int32) {
    let record = records[Int(place)]
    forEachKey(record) { $0.remove(place, $1) }
    release(record)
    count(record.uses, -1)
    wastedTests += Int(record.tests.count)
    wastedValues += Int(record.attributes.count) + Int(record.keyMerchants.count) + Int(record.keyWords.count)
    for test in tests[record.tests.range] where test.isList { wastedValues += 1 + list(test).count }
    freeRecords.append(place)
  }
  private mutating func count(_ facts: FactSet, _ change: Int) {
    for bit in 0..<64 where facts.rawValue & 1 << UInt64(bit) != 0 {
      users[bit] = UInt32(truncatingIfNeeded: Int(users[bit]) + change)
    }
  }
  private mutating func forEachKey(_ record: RuleRecord, _ body: (inout PostingIndex, PostingIndex.Key) -> Void) {
    let merchants = record.keyMerchants.count == 0 ? [0] : values[record.keyMerchants.range]
    let words = record.keyWords.count == 0 ? [0] : values[record.keyWords.range]
    for merchant in merchants {
      for word in words {
        let key = PostingIndex.Key(
          event: record.event, merchant: Word(stored: merchant), dimension: record.dimension, word: Word(stored: word))
        body(&postings, key)
      }
    }
  }

  // MARK: Holes

  /// Where versions are.
  var live: [Int] {
    var isFree = [Bool](repeating: false, count: records.count)
    for place in freeRecords { isFree[Int(place)] = true }
    return records.indices.filter { !isFree[$0] }
  }
  private mutating func compactTests() {
    var kept: [Test] = []
    for place in live {
      let range = records[place].tests.range
      records[place].tests.start = UInt32(kept.count)
      kept += tests[range]
    }
    tests = kept
    wastedTests = 0
  }
  private mutating func compactValues() {
    var kept: [Int64] = []
    func move(_ run: inout Run) {
      let range = run.range
      run.start = UInt32(kept.count)
      kept += values[range]
    }
    for place in live {
      move(&records[place].attributes)
      move(&records[place].keyMerchants)
      move(&records[place].keyWords)
      for at in records[place].tests.range where tests[at].isList {
        var run = Run(start: UInt32(tests[at].value), count: UInt32(1 + list(tests[at]).count))
        move(&run)
        tests[at].value = Int64(run.start)
      }
    }
    values = kept
    wastedValues = 0
  }
}

extension Word {
  /// As `RuleSet.values` has it.
  init(stored: Int64) { self.init(number: UInt32(truncatingIfNeeded: stored)) }
  var stored: Int64 { Int64(number) }
  /// A rule names it.
  @inline(__always) var isNamed: Bool { number > 1 }
}
