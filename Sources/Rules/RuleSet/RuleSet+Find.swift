import Base

/// Which rules may take part in a request.
extension RuleSet {
  /// Finds the versions in force at the effective time whose event, merchant, org and demanded words are the request's.
  /// `facts` has what `uses` asks for of the request, its merchant and its lines: its moment, words, orgs, lines.
  /// - Returns: what their conditions compare; `work.attributes` names the attributes.
  public func find(_ facts: Facts, _ work: inout RuleWork) -> FactSet {
    work.begin(records.count)
    var event = Word.unknown
    if case .event = facts.request { event = facts[.event] == .unknown ? .unnamed : facts[.event] }
    look(facts, PostingIndex.Key(event: event, merchant: .unknown, dimension: .all, word: .unknown), &work)
    let merchant = facts[.merchant]
    if merchant.isNamed {
      look(facts, PostingIndex.Key(event: event, merchant: merchant, dimension: .all, word: .unknown), &work)
    }
    sort(&work.candidates, facts)
    return work.needs
  }
  /// Whether a rule of an event is in force, so that the event need be raised. O(versions).
  public func hasRule(ofEvent name: UnsafeRawBufferPointer, at moment: Stamp) -> Bool {
    let event = word(name)
    guard event.isNamed else { return false }
    return live.contains { records[$0].event == event && isInForce($0, at: moment) }
  }
  /// Whether it has, had, or will have one.
  public func hasRule(ofEvent name: UnsafeRawBufferPointer) -> Bool {
    let event = word(name)
    return event.isNamed && live.contains { records[$0].event == event }
  }
  @inline(__always) private func isInForce(_ record: Int, at moment: Stamp) -> Bool {
    records[record].from <= moment && moment < records[record].until
      && (records[record].campaign == RuleRecord.noCampaign
        || window(ofCampaign: records[record].campaign, at: moment) != nil)
  }
  /// Looks up all keys of an event and a merchant, or none.
  private func look(_ facts: Facts, _ all: PostingIndex.Key, _ work: inout RuleWork) {
    let ofMerchant = all.merchant != .unknown
    if postings.has(.all, ofMerchant: ofMerchant) { take(all, facts, &work) }
    var key = all
    for dimension in [Dimension.terminal, .channel, .type, .region]
    where postings.has(dimension, ofMerchant: ofMerchant) {
      guard let fact = dimension.fact, facts[fact].isNamed else { continue }
      (key.dimension, key.word) = (dimension, facts[fact])
      take(key, facts, &work)
    }
    if postings.has(.org, ofMerchant: ofMerchant) {
      key.dimension = .org
      for org in facts.orgs where org.isNamed {
        key.word = org
        take(key, facts, &work)
      }
    }
    let dimensions = (
      postings.has(.sku, ofMerchant: ofMerchant), postings.has(.category, ofMerchant: ofMerchant),
      postings.has(.brand, ofMerchant: ofMerchant)
    )
    guard dimensions.0 || dimensions.1 || dimensions.2 else { return }
    for line in facts.lines {
      if dimensions.0, line.sku.isNamed {
        (key.dimension, key.word) = (.sku, line.sku)
        take(key, facts, &work)
      }
      if dimensions.1, line.category.isNamed {
        (key.dimension, key.word) = (.category, line.category)
        take(key, facts, &work)
      }
      if dimensions.2, line.brand.isNamed {
        (key.dimension, key.word) = (.brand, line.brand)
        take(key, facts, &work)
      }
    }
  }
  @inline(__always) private func take(_ key: PostingIndex.Key, _ facts: Facts, _ work: inout RuleWork) {
    postings.forEach(key) { place in
      guard !work.isMarked(place) else { return }
      let at = Int(place)
      guard isInForce(at, at: facts.moment),
        records[at].merchant == .unknown || records[at].merchant == facts[.merchant],
        records[at].org == .unknown || facts.orgs.contains(records[at].org)
      else { return }
      work.candidates.append(RuleWork.Candidate(order: records[at].order, place: place))
      work.needs.formUnion(records[at].facts)
      guard records[at].attributes.count > 0 else { return }
      for attribute in values[records[at].attributes.range] { work.need(attribute: attribute) }
    }
  }

  // MARK: Order

  /// By stage, priority and id. Of a few, by insertion: nothing is allocated.
  func sort(_ candidates: inout [RuleWork.Candidate], _ facts: Facts) {
    guard candidates.count <= 32 else {
      candidates.sort { isBefore($0, $1, facts) }
      return
    }
    for at in candidates.indices.dropFirst() {
      let candidate = candidates[at]
      var hole = at
      while hole > 0, isBefore(candidate, candidates[hole - 1], facts) {
        candidates[hole] = candidates[hole - 1]
        hole -= 1
      }
      candidates[hole] = candidate
    }
  }
  @inline(__always) private func isBefore(
    _ a: RuleWork.Candidate, _ b: RuleWork.Candidate, _ facts: Facts
  ) -> Bool {
    a.order != b.order ? a.order < b.order : isBeforeByID(a, b, facts)
  }
  @inline(never) private func isBeforeByID(
    _ a: RuleWork.Candidate, _ b: RuleWork.Candidate, _ facts: Facts
  ) -> Bool {
    withID(a, facts) { first in withID(b, facts) { second in first.lexicographicallyPrecedes(second) } }
  }
  private func withID<R>(
    _ candidate: RuleWork.Candidate, _ facts: Facts, _ body: (UnsafeRawBufferPointer) -> R
  ) -> R {
    if candidate.place >= 0 { return words.withBytes(of: records[Int(candidate.place)].id, body) }
    let range = facts.factors[-1 - Int(candidate.place)].id.range
    return facts.factorIDs.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }
  /// Enters the factors of the facts among the candidates.
  func addFactors(_ facts: Facts, _ work: inout RuleWork) {
    var hasFactors = false
    for at in work.candidates.indices {
      work.candidates[at].verdict = .open
      if work.candidates[at].place < 0 { hasFactors = true }
    }
    // It has been asked before.
    if hasFactors { work.candidates.removeAll { $0.place < 0 } }
    guard case .purchase = facts.request, !facts.factors.isEmpty else { return }
    for (place, factor) in facts.factors.enumerated() {
      let order = facts.factorIDs.withUnsafeBytes {
        RuleRecord.order(.times, Rule.usualPriority, UnsafeRawBufferPointer(rebasing: $0[factor.id.range]))
      }
      work.candidates.append(RuleWork.Candidate(order: order, place: Int32(-1 - place)))
    }
    sort(&work.candidates, facts)
  }
}
