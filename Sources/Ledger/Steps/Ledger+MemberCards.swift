import Base
import Vocabulary

// Cards and other aliases in their member's list.

extension Ledger {
  /// The state of one of a member's cards; nil if it has no such card.
  func cardState(_ member: Ref<MemberRecord>, _ number: Bytes) -> CardState? {
    findCard(of: member, number).flatMap { CardState(rawValue: tables.cards.read($0).pointee.state) }
  }
  func findCard(of member: Ref<MemberRecord>, _ number: Bytes) -> Ref<CardRecord>? {
    var next = tables.members.read(member).pointee.firstCard
    while next != .none {
      let card = tables.cards.read(next)
      if isCard(card, number) { return next }
      next = card.pointee.next
    }
    return nil
  }
  /// The member's part of a card step, for a member that is here.
  mutating func attach(_ member: Ref<MemberRecord>, _ step: CardStep) -> Verdict {
    let own = findCard(of: member, step.number)
    switch step.kind {
    case .lost, .found, .remove, .cardAdd:
      if isMerging(member) { return Verdict(.busy) }
      if step.kind == .cardAdd { return attachNew(member, step) }
      guard let own else { return Verdict(.notFound) }
      setCard(own, of: member, step.kind == .lost ? .lost : step.kind == .found ? .active : .removed)
      return .done
    case .memberAdd:
      guard hasContent(member, step.file), let own else { return Verdict(.exists) }
      // Adding the same again does not bind a card again that was removed since: the repeat may be a late one.
      return tables.cards.read(own).pointee.state == CardState.removed.rawValue ? .unchanged : .done
    }
  }
  private mutating func attachNew(_ member: Ref<MemberRecord>, _ step: CardStep) -> Verdict {
    if isBeingErased(member) { return Verdict(.busy) }
    if tables.members.read(member).pointee.state == MemberState.closed.rawValue { return Verdict(.closed) }
    // A pool has none.
    if bond(.pool, of: member) != nil { return Verdict(.limit, which: 6) }
    return addCard(step.number, type: step.file[.cardType], to: member)
  }
  /// Binds a number to a member, anew if it was removed. A type that is not said stays as it was.
  mutating func addCard(_ number: Bytes, type: [UInt8] = [], to member: Ref<MemberRecord>) -> Verdict {
    if let own = findCard(of: member, number) {
      let isRemoved = tables.cards.read(own).pointee.state == CardState.removed.rawValue
      if isRemoved, !AliasKey.isCard(number), !hasRoomForAlias(member) { return Verdict(.limit, which: 6) }
      if isRemoved { setCard(own, of: member, .active) }
      if !type.isEmpty { setType(own, of: member, type) }
      return .done
    }
    let record = tables.members.write(member)
    if AliasKey.isCard(number) {
      let reserved = reservedRoom(UnsafePointer(record))?.cards ?? 0
      guard Int(record.pointee.cardCount) + reserved < min(limits.cardsPerMember, 255) else {
        return Verdict(.limit, which: 3)
      }
      record.pointee.cardCount += 1
    } else {
      guard hasRoomForAlias(member) else { return Verdict(.limit, which: 6) }
    }
    putCard(CardRecord.text(number, type: type), of: member)
    return .done
  }
  /// Puts a card behind a member's others.
  mutating func putCard(_ text: [UInt8], of member: Ref<MemberRecord>) {
    let record = tables.members.write(member)
    let place = text.withUnsafeBytes {
      tables.cards.add(
        CardRecord(
          number: tables.texts.append($0), next: record.pointee.firstCard, state: CardState.active.rawValue))
    }
    record.pointee.firstCard = place
    let key = text.withUnsafeBytes { cardKey(record.pointee.hash, $0) }
    core.digest.add(key, DigestField.card, Int64(CardState.active.rawValue))
  }
  /// Whether a member may have another alias that is no card.
  private func hasRoomForAlias(_ member: Ref<MemberRecord>) -> Bool {
    hasRoomForAliases(member, 1 + (reservedRoom(tables.members.read(member))?.aliases ?? 0))
  }
  func hasRoomForAliases(_ member: Ref<MemberRecord>, _ count: Int) -> Bool {
    var (all, active) = (0, 0)
    var next = tables.members.read(member).pointee.firstCard
    while next != .none {
      let card = tables.cards.read(next)
      if !AliasKey.isCard(key(of: card)) {
        all += 1
        if card.pointee.state != CardState.removed.rawValue { active += 1 }
      }
      next = card.pointee.next
    }
    return active + count <= CardRecord.mostAliases && all + count <= CardRecord.mostAliasesEver
  }
  /// Keeps another type with a card; nothing of the text before is left.
  private mutating func setType(_ card: Ref<CardRecord>, of member: Ref<MemberRecord>, _ type: [UInt8]) {
    let record = tables.cards.write(card)
    guard !self.type(of: UnsafePointer(record)).elementsEqual(type) else { return }
    let hash = hash(ofMember: member)
    let state = Int64(record.pointee.state)
    let text = CardRecord.text(key(of: UnsafePointer(record)), type: type)
    core.digest.add(cardKey(hash, tables.texts.read(record.pointee.number)), DigestField.card, -state)
    tables.texts.erase(record.pointee.number)
    record.pointee.number = text.withUnsafeBytes { tables.texts.append($0) }
    core.digest.add(cardKey(hash, tables.texts.read(record.pointee.number)), DigestField.card, state)
  }
  /// Whether a card in a member's list has a key.
  private func isCard(_ card: UnsafePointer<CardRecord>, _ key: Bytes) -> Bool {
    let text = tables.texts.read(card.pointee.number)
    guard text.count > key.count else { return tables.texts.equals(card.pointee.number, key) }
    return text[key.count] == CardRecord.divider && Bytes(rebasing: text[..<key.count]).elementsEqual(key)
  }
  func key(of card: UnsafePointer<CardRecord>) -> Bytes {
    let text = tables.texts.read(card.pointee.number)
    return Bytes(rebasing: text[..<(text.firstIndex(of: CardRecord.divider) ?? text.count)])
  }
  /// Empty: none was said.
  func type(of card: UnsafePointer<CardRecord>) -> Bytes {
    let text = tables.texts.read(card.pointee.number)
    return text.firstIndex(of: CardRecord.divider).map { Bytes(rebasing: text[($0 + 1)...]) } ?? Command.none
  }
  mutating func setCard(_ card: Ref<CardRecord>, of member: Ref<MemberRecord>, _ state: CardState) {
    let record = tables.cards.write(card)
    let key = cardKey(hash(ofMember: member), tables.texts.read(record.pointee.number))
    core.digest.add(key, DigestField.card, Int64(state.rawValue) - Int64(record.pointee.state))
    record.pointee.state = state.rawValue
  }
  func cardKey(_ member: UInt64, _ number: Bytes) -> UInt64 { DigestSum.mix(member, xxh64(number)) }
}
