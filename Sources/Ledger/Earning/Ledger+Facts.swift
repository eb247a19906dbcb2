import Base
import Rules
import Vocabulary

// What rules compare: the request's own facts first, by which candidates are found, then the costly ones that these ask for.
extension Ledger {
  /// The request, its merchant and its lines. Throws if lines are not those of the purchase.
  func fillRequest(_ ask: EarningRequest, at moment: Stamp, into worked: inout EarningWork) throws(Stop) {
    let call = ask.call
    let uses = catalogue.ruleSets[ask.program.place].uses
    worked.facts.request = ask.request
    worked.facts.setMoment(moment, offset: catalogue.programRows[ask.program.place].offset)
    func put(_ fact: WordFact, _ text: Bytes) {
      if uses.contains(FactSet(fact)) || fact == .event, !text.isEmpty {
        worked.facts[fact] = catalogue.ruleSets[ask.program.place].word(text)
      }
    }
    ask.event.withUnsafeBytes { put(.event, $0) }
    ask.channel.withUnsafeBytes { put(.channel, $0) }
    let terminal = try? TerminalWord(decoding: call.terminal)
    if !ask.merchant.isNone {
      put(.merchant, call.merchant)
      if uses.contains(FactSet(.region)) {
        let own = terminal?.region ?? []
        (own.isEmpty ? catalogue.value(.merchant, ask.merchant.place, MerchantField.region) ?? [] : own)
          .withUnsafeBytes { put(.region, $0) }
      }
      if uses.contains(.org) { fillOrgs(ask, into: &worked) }
    }
    put(.channel, call.text(.channel))
    if call.text(.channel).isEmpty, let terminal { terminal.channel.withUnsafeBytes { put(.channel, $0) } }
    put(.type, call.text(.type))
    put(.terminal, call.text(.terminal))
    try fillLines(ask, uses, into: &worked)
  }
  /// The merchant's orgs, and all that are above these.
  private func fillOrgs(_ ask: EarningRequest, into worked: inout EarningWork) {
    var orgs =
      catalogue.value(.merchant, ask.merchant.place, MerchantField.org)?.withUnsafeBytes { Entries.references($0) }
      ?? []
    var place = 0
    while place < orgs.count, orgs.count <= EntryField.mostReferences * (EntryKind.deepest + 1) {
      let parent = catalogue.value(.org, orgs[place], OrgField.parent)?.withUnsafeBytes { Entries.references($0).first }
      if let above = parent.flatMap({ $0 }), !orgs.contains(above) { orgs.append(above) }
      place += 1
    }
    for org in orgs where org < catalogue.records[.org].count && isMatched(org) {
      let word = catalogue.records[.org][org].name.withUnsafeBytes {
        catalogue.ruleSets[ask.program.place].word($0)
      }
      worked.facts.orgs.append(word)
    }
  }
  /// Whether rules that name an org may mean it: it is in force. What is above it goes on by its `parent=`.
  private func isMatched(_ org: Int) -> Bool {
    core.semantics < Semantics.settled || catalogue.isActive(.org, org)
  }
  private func fillLines(_ ask: EarningRequest, _ uses: FactSet, into worked: inout EarningWork) throws(Stop) {
    guard ask.call.has(.lines) else { return }
    guard case .purchase(let spend) = ask.request else {
      throw .malformed("lines: they need spend=, which is the sum of their amounts")
    }
    var sum: Int64 = 0
    let program = ask.program.place
    SaleLine.parse(ask.call.text(.lines)) { line in
      sum = min(sum + line.amount, Shape.maximumAmount + 1)
      worked.detail.lines.append(
        .init(sku: Array(line.sku), quantity: line.quantity, amount: line.amount, points: 0))
      var fact = FactLine(
        sku: catalogue.ruleSets[program].word(line.sku), quantity: line.quantity, amount: line.amount)
      if uses.contains(FactSet(.category)) || uses.contains(FactSet(.brand)),
        let product = catalogue.find(.product, line.sku, ask.tenant)
      {
        fact.category = word(value(ofProduct: product, ProductField.category), ofProgram: program)
        fact.brand = word(value(ofProduct: product, ProductField.brand), ofProgram: program)
      }
      worked.facts.lines.append(fact)
    }
    guard sum == spend else { throw .malformed("lines: their amounts come to \(sum), and spend= is \(spend)") }
  }
  /// Nil: it says nothing, or has yet to begin.
  private func value(ofProduct number: Int, _ field: Int) -> [UInt8]? {
    core.semantics >= Semantics.checked
      ? catalogue.valuesInForce(.product, number)?[field] : catalogue.value(.product, number, field)
  }
  private func word(_ text: [UInt8]?, ofProgram program: Int) -> Word {
    guard let text, !text.isEmpty else { return .unknown }
    return text.withUnsafeBytes { catalogue.ruleSets[program].word($0) }
  }

  /// What candidates ask of the member.
  func fillMember(_ ask: EarningRequest, _ needs: FactSet, into worked: inout EarningWork) {
    let program = ask.program.place
    fillCounts(ask, needs, into: &worked)
    if catalogue.programRows[program].hasTiers { fillTier(ask, needs, into: &worked) }
    let ofFile: FactSet = [.tag, .attributes, .ofBirthday, FactSet(.class), FactSet(.cardtype)]
    guard !needs.isDisjoint(with: ofFile) || catalogue.hasCardFactors else { return }
    let file = file(ofMember: tables.members.read(ask.member))
    if needs.contains(FactSet(.class)) {
      let own = file[.holderClass]
      worked.facts[.class] =
        own.isEmpty
        ? catalogue.ruleSets[program].word(Ledger.consumer) : word(own, ofProgram: program)
    }
    if needs.contains(.tag) { worked.facts.tags = file.tags.map { word($0, ofProgram: program) } }
    if !needs.isDisjoint(with: .ofBirthday) {
      worked.facts.birthday = file[.birthday].withUnsafeBytes {
        $0.isEmpty ? nil : MomentText.parseDate($0, earliest: 1)
      }
    }
    if needs.contains(.attributes) { fillAttributes(ask, file, into: &worked) }
    let cardType = typeOfCardUsed(ask) ?? file[.cardType]
    worked.facts[.cardtype] = word(cardType, ofProgram: program)
    guard ask.isPurchase, !cardType.isEmpty,
      let number = cardType.withUnsafeBytes({ catalogue.find(.cardType, $0, ask.tenant) }),
      let stored = factor(ofCardType: number)
    else { return }
    let factor = EntryField.number(stored: stored)
    if let factor = Fraction(factor >> 32, factor & 0xFFFF_FFFF) {
      (Array("cardtype:".utf8) + cardType).withUnsafeBytes {
        worked.facts.add(.cardType, factor: factor, id: $0, number: UInt32(number), version: 0)
      }
    }
  }
  /// What is kept of the factor of a card type; nil: it has none, is stopped, or has yet to begin.
  private func factor(ofCardType number: Int) -> [UInt8]? {
    guard core.semantics >= Semantics.checked else {
      return catalogue.value(.cardType, number, CardTypeField.earnTimes)
    }
    guard catalogue.isActive(.cardType, number) else { return nil }
    return catalogue.value(.cardType, number, CardTypeField.earnTimes)
  }
  /// Nil: the request names none, or that has no type.
  private func typeOfCardUsed(_ ask: EarningRequest) -> [UInt8]? {
    guard !ask.call.card.isEmpty, let card = findCard(of: ask.member, ask.call.card) else { return nil }
    let type = Array(type(of: tables.cards.read(card)))
    return type.isEmpty ? nil : type
  }
  private func fillAttributes(_ ask: EarningRequest, _ file: MemberFile, into worked: inout EarningWork) {
    let said = EntryAttributes(Array(ask.call.text(.attributes)))
    let own = file.attributes
    let rules = catalogue.ruleSets[ask.program.place]
    for number in worked.work.attributes {
      let name = rules.withAttributeName(number) { Array($0) }
      guard let value = said[name] ?? own[name] else { continue }
      value.withUnsafeBytes { worked.facts.setAttribute(number, $0, in: rules) }
    }
  }
}

/// Numbers of fields that rules ask for: see the kinds.
enum MerchantField {
  static let region = 4
  static let org = 7
}
enum OrgField { static let parent = 3 }
enum ProductField {
  static let category = 3
  static let brand = 4
}
enum CardTypeField { static let earnTimes = 3 }
