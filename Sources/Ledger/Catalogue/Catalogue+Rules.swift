import Base
import Rules
import Vocabulary

// What rules need of the catalogue: the rules of each program, compiled; products and types of cards by their names; merchants' parts
// of organisations.
extension Catalogue {
  /// Has an entry found by its name, where entries of its kind are.
  mutating func index(_ item: CatalogueItem, _ kind: CatalogueKind, _ number: Int) {
    let (records, hashes) = (self.records, self.hashes)
    func key(_ number: Int) -> (hash: UInt64, mark: UInt32) {
      let item = records[kind][number]
      return item.name.withUnsafeBytes { (hashes.merchant($0, item.tenant), NameIndex.mark(of: $0)) }
    }
    switch kind {
    case .product: productIndex.insert(number, key: key)
    case .cardType: cardTypeIndex.insert(number, key: key)
    default: break
    }
  }
  /// A product or a type of cards, be it stopped; nil if there is none of that name.
  func find(_ kind: CatalogueKind, _ name: Bytes, _ tenant: TenantID) -> Int? {
    let index = kind == .product ? productIndex : cardTypeIndex
    func matches(_ number: Int) -> Bool {
      records[kind][number].tenant == tenant && records[kind][number].name.elementsEqual(name)
    }
    if let guess = index.guess(name), matches(guess) { return guess }
    return index.find(hashes.merchant(name, tenant), matches)
  }
  /// What a field of an entry says now.
  func value(_ kind: CatalogueKind, _ number: Int, _ field: Int) -> [UInt8]? {
    guard number < records[kind].count else { return nil }
    return records[kind][number].version(at: records.moment)?.values[field]
  }

  /// What an entry says now; nil: it has yet to begin.
  func valuesInForce(_ kind: CatalogueKind, _ number: Int) -> EntryValues? {
    guard number < records[kind].count, let version = records[kind][number].version(at: records.moment),
      version.from <= records.moment
    else { return nil }
    return version.values
  }

  /// Whether an entry has begun, and is not stopped. Of a kind with the states `active` and `stopped`.
  func isActive(_ kind: CatalogueKind, _ number: Int) -> Bool {
    valuesInForce(kind, number) != nil && !isStopped(kind, number)
  }
  /// Whether it is stopped, of such a kind.
  func isStopped(_ kind: CatalogueKind, _ number: Int) -> Bool {
    value(kind, number, EntryField.stateNumber).map { EntryField.number(stored: $0) } ?? 0 != 0
  }

  // MARK: Rules

  /// Compiles the versions of a rule that were running once or will be.
  mutating func setRule(_ number: Int) {
    let item = records[.rule][number]
    var all: [Int: [RuleVersion]] = [:]
    for (place, version) in item.versions.enumerated() {
      guard version.number > 0, let rule = records.rule(version),
        version.values[EntryField.stateNumber].map({ EntryField.number(stored: $0) }) == RuleState.running,
        let program = version.values[RuleField.program]?.withUnsafeBytes({ Entries.references($0) }).first,
        program < programCount
      else { continue }
      let until = place + 1 < item.versions.count ? item.versions[place + 1].from : Stamp.never
      all[program, default: []].append(
        RuleVersion(number: version.number, from: version.from, until: until, rule: rule))
    }
    for program in ruleSets.indices where !ruleSets[program].isEmpty || all[program] != nil {
      ruleSets[program].set(all[program] ?? [], ofRule: UInt32(number), id: item.name)
      noteRules(ofProgram: program)
    }
  }
  /// Tells all programs when a campaign runs.
  mutating func setCampaign(_ number: Int) {
    let item = records[.campaign][number]
    for program in ruleSets.indices where programRows[program].tenant == item.tenant {
      ruleSets[program].set(windows(ofCampaign: item), ofCampaign: UInt32(number))
    }
  }
  /// Tells a program, which is new, when campaigns run.
  mutating func setCampaigns(ofProgram program: Int) {
    for (number, item) in records[.campaign].enumerated() where item.tenant == programRows[program].tenant {
      ruleSets[program].set(windows(ofCampaign: item), ofCampaign: UInt32(number))
    }
  }
  private func windows(ofCampaign item: CatalogueItem) -> [CampaignWindow] {
    var windows: [CampaignWindow] = []
    for (place, version) in item.versions.enumerated() {
      guard version.number > 0,
        version.values[EntryField.stateNumber].map({ EntryField.number(stored: $0) }) == RuleState.running
      else { continue }
      let until = place + 1 < item.versions.count ? item.versions[place + 1].from : Stamp.never
      let budget = version.values[CampaignField.budget]?.withUnsafeBytes { Entries.references($0).first } ?? nil
      windows.append(CampaignWindow(from: version.from, until: until, budget: budget.map { UInt32(clamping: $0) }))
    }
    return windows
  }
  /// Whether earning in a program takes more than its rate.
  mutating func noteRules(ofProgram number: Int) {
    noteBirthdayRules(ofProgram: number)
    programRows[number].hasRules =
      !ruleSets[number].isEmpty || programDetails[number].mayHaveCaps || hasCardFactors
      || programRows[number].hasTiers
  }
  mutating func noteCardFactors(_ item: CatalogueItem) {
    guard !hasCardFactors, item.versions.contains(where: { $0.values.has(CardTypeField.earnTimes) }) else { return }
    hasCardFactors = true
    for program in programRows.indices { noteRules(ofProgram: program) }
  }
  mutating func noteCaps(_ item: CatalogueItem, ofProgram program: Int) {
    let field = EntryKind.policy.field("earn-cap")?.number ?? 0
    var kinds = Set(programDetails[program].capWindows)
    for version in item.versions {
      let caps = version.values.with(field) { $0.flatMap { Cap.list(parsing: $0) } }
      kinds.formUnion((caps ?? []).map(\.kind))
    }
    programDetails[program].capWindows = CapWindow.Kind.allCases.filter { kinds.contains($0) }
    noteRules(ofProgram: program)
  }
  func hasRules(_ program: ProgramRef) -> Bool { programRows[program.place].hasRules }
}

extension CatalogueRecords {
  /// What a version of a rule says; nil if that is none.
  func rule(_ version: CatalogueItem.Version) -> Rule? {
    try? Rule(
      RuleFields(
        { field in
          version.values[field.number]
            ?? field.standard.flatMap { text in
              Array(text.text { _ in nil }.utf8).withUnsafeBytes { field.stored($0) }
            }
        },
        name: { word, number in
          let kind: CatalogueKind = word == "ORG" ? .org : word == "MERCHANT" ? .merchant : .campaign
          return number < self[kind].count ? self[kind][number].name : []
        }))
  }
  /// A version of a rule that transactions name; nil if it is no longer kept.
  func rule(_ number: UInt32, version: UInt32) -> Rule? {
    guard Int(number) < self[.rule].count else { return nil }
    return self[.rule][Int(number)].versions.first { $0.number == version }.flatMap { rule($0) }
  }
}
