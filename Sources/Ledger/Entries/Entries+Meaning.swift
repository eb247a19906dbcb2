import Base
import Rules
import Vocabulary

// What the fields of an entry say together: looked at for each moment at which a `SET` makes it something else.
extension Entries {
  /// Refuses what is none of its kind: see `checkTier`, `checkFunding`, and rules.
  func checkMeaning(
    _ setting: Setting, _ table: Int, _ tenant: TenantID, _ stamp: Stamp, _ semantics: UInt8, key: Bytes
  ) throws(EntryRefusal) {
    switch tables[table].kind.number {
    case EntryKind.rule.number: try checkRule(setting, table, tenant, stamp)
    case EntryKind.tier.number: try checkTier(setting, table, tenant, stamp, semantics, key: key)
    case EntryKind.campaign.number where semantics >= Semantics.checked: try checkFunding(setting, tenant)
    default: return
    }
  }
  /// Refuses `funded=` that does not divide what a campaign costs among parties: an org, a merchant or the operator.
  private func checkFunding(_ setting: Setting, _ tenant: TenantID) throws(EntryRefusal) {
    guard let said = setting.values[CampaignField.funded], !said.isEmpty else { return }
    let wrong = EntryRefusal(
      .malformed,
      "funded= must be one to \(EntryField.mostReferences) of PARTY:BPS, divided by commas, 1 to 10000 each and in sum; a party once"
    )
    var parties: Set<[UInt8]> = []
    var sum: Int64 = 0
    for part in said.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      let words = part.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map { Array($0) }
      guard words.count == 2, parties.insert(words[0]).inserted, parties.count <= EntryField.mostReferences,
        words[1].count <= 5, words[1].allSatisfy({ (0x30...0x39).contains($0) }),
        let share = Int64(String(decoding: words[1], as: UTF8.self)), (1...10_000).contains(share),
        words[0].withUnsafeBytes({ $0.isIdentifier })
      else { throw wrong }
      sum += share
      guard sum <= 10_000 else { throw wrong }
      guard words[0].withUnsafeBytes({ isParty($0, tenant) }) else {
        throw EntryRefusal(
          .notFound, "funded=: no such org or merchant '\(String(decoding: words[0], as: UTF8.self))'")
      }
    }
  }
  private func isParty(_ name: Bytes, _ tenant: TenantID) -> Bool {
    name.elementsEqual("operator".utf8)
      || [EntryKind.org, EntryKind.merchant].contains { kind in
        table(word: kind.word).map { find($0, name, tenant) != nil } ?? false
      }
  }
  /// Refuses more policies of a program than there may be.
  func checkPolicies(_ setting: Setting, _ table: Int, _ tenant: TenantID, key: Bytes) throws(EntryRefusal) {
    guard tables[table].kind.number == EntryKind.policy.number, setting.number == nil,
      let program = key.split(separator: 0, maxSplits: 1).first
    else { return }
    var count = 0
    for number in numbers(table, of: tenant, after: Bytes(rebasing: program)) {
      let other = tables[table].items[Int(number)].key
      guard other.starts(with: program), other.dropFirst(program.count).first == 0 else { break }
      count += 1
    }
    guard count < EntryKind.mostPolicies else {
      throw .limit("policies", "the program has \(count) policies, which is the most: change one of them")
    }
  }
  /// Refuses a rule that is none, and more running rules of a program than there may be.
  private func checkRule(
    _ setting: Setting, _ table: Int, _ tenant: TenantID, _ stamp: Stamp
  ) throws(EntryRefusal) {
    var item = setting.number.map { tables[table].items[$0] } ?? EntryItem(tenant: tenant, key: [])
    item.append(
      EntryItem.Change(
        number: item.newest &+ 1, from: setting.from, until: setting.until, set: stamp, by: [], values: setting.values,
        rest: setting.rest))
    var runs: (moment: Stamp, program: Int)?
    for moment in item.beginnings(from: setting.from) where item.isInForce(at: moment) {
      do throws(RuleError) {
        _ = try Rule(ruleFields(table, item, at: moment))
      } catch {
        throw EntryRefusal(.malformed, error.description)
      }
      if runs == nil, let program = runningProgram(table, item, at: moment) { runs = (moment, program) }
    }
    guard let runs else { return }
    var running = 0
    for number in numbers(table, of: tenant) where Int(number) != setting.number {
      if runningProgram(table, tables[table].items[Int(number)], at: runs.moment) == runs.program { running += 1 }
    }
    guard running < EntryKind.mostRunningRules else {
      throw .limit("running-rules", "\(running) rules of the program are running, which is the most")
    }
  }
  /// The program of which a rule is one that runs at a moment.
  private func runningProgram(_ table: Int, _ item: EntryItem, at moment: Stamp) -> Int? {
    guard item.isInForce(at: moment),
      item.with(EntryField.stateNumber, at: moment, { $0.map { EntryField.number(stored: $0) } }) == RuleState.running
    else { return nil }
    return item.with(RuleField.program, at: moment) { $0.flatMap { Entries.references($0).first } }
  }
  private func ruleFields(_ table: Int, _ item: EntryItem, at moment: Stamp) -> RuleFields {
    RuleFields(
      { effective(table, item, $0, at: moment) },
      name: { word, number in self.table(word: word).map { tables[$0].items[number].key } ?? [] })
  }
}

/// Numbers of a rule's fields: see `EntryKind.rule`.
enum RuleField {
  static let program = 2
}
/// Places among the words of the state of a rule or a campaign.
enum RuleState {
  static let draft: Int64 = 0
  static let running: Int64 = 1
}

extension RuleFields {
  /// The texts of a version of a rule.
  /// - Parameters:
  ///   - value: what is kept of a field; nil: nothing is said.
  ///   - name: the key of an entry, by the word of its kind and its number.
  init(_ value: (EntryField) -> [UInt8]?, name: (String, Int) -> [UInt8]) {
    self.init()
    for field in EntryKind.rule.fields {
      guard let stored = value(field), !stored.isEmpty else { continue }
      var text: [UInt8] = []
      if case .reference(let word, _) = field.form {
        guard let number = stored.withUnsafeBytes({ Entries.references($0) }).first else { continue }
        if field.name == "campaign" { campaign = UInt32(clamping: number) }
        text = name(word, number)
      } else {
        text = Array(stored.withUnsafeBytes { field.text($0) }.utf8)
      }
      switch field.name {
      case "stage": stage = text
      case "when": when = text
      case "priority": priority = text
      case "stop": stop = text
      case "event": event = text
      case "org": org = text
      case "merchant": merchant = text
      case "earn": earn = text
      case "points": points = text
      case "times": times = text
      case "cap": cap = text
      default: break
      }
    }
  }
}
