import Base
import Ledger
import Protocol
import Vocabulary

/// A `TEXT` on its way to its answer: whose number it is, then whatever the answer needs of that member, a question at a time.
struct TextUnderWay {
  enum Step {
    case holder, joined, file, balance, history
  }
  var owner: EdgeItem.Owner
  var tenant: TenantID
  /// The key of the alias from which it came.
  var sender: [UInt8]
  var words: TextWords
  /// What the request says of the language and the channel, and its id.
  var language: String
  var channel: String
  var id: String
  var step = Step.holder
  var member = ""
  /// Somebody else was first to make a member of that number: it was looked up again.
  var isSecondTry = false
  var answer = TextAnswer(key: "", text: "", language: "")
  var facts = TextFacts()
}

/// What a text message is answered, with its placeholders.
struct TextAnswer {
  var key: String
  var text: String
  var language: String
}

/// `TEXT`: what a text message asks, answered by the messages that operators set, or those that stand here. All that it asks
/// of shards are requests that a terminal could make.
extension RequestDesk {
  func startText(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    func said(_ key: Key) -> String { request.text(key).map { String(decoding: $0, as: UTF8.self) } ?? "" }
    let place = request.positionalCount > 1 ? request.positional(1) : nil
    guard (place == nil) != (request.text(.text) == nil), let words = place ?? request.text(.text) else {
      return answerError(owner, .malformed, "TEXT needs what the message says, by its place or as text=")
    }
    let text = TextUnderWay(
      owner: owner, tenant: client.session.tenant, sender: Array(request.bytes(at: request.rule.pointee.card)),
      words: TextWords(String(decoding: words, as: UTF8.self)), language: said(.language), channel: said(.channel),
      id: said(.id))
    lookUpSender(text)
  }
  private func lookUpSender(_ text: TextUnderWay) {
    text.sender.withUnsafeBytes { sender in
      let shard = edge.shard(of: Command.cardSlot(sender, tenant: text.tenant))
      submitInternal(shard, flags: .query, continuation: keep(.text(text))) {
        Query.appendCard(to: &$0, tenant: text.tenant, number: sender)
      }
    }
  }

  func textAnswered(_ text: TextUnderWay, _ reply: Bytes) {
    guard let client = client(of: text.owner) else { return }
    var text = text
    let view = RecordView(reply)
    switch text.step {
    case .holder:
      guard view.tag == .record || view.errorCode == .notFound else { return answer(text.owner, reply) }
      let holders = Holders(reply) ?? Holders()
      text.member = String(decoding: holders.member ?? [], as: UTF8.self)
      guard holders.member != nil, !holders.isRemoved else { return answerStranger(text, client) }
      askMember(&text, .file, "MEMBER SHOW \(text.member)", client)
    case .joined:
      if view.errorCode == .exists, !text.isSecondTry {
        (text.isSecondTry, text.step) = (true, .holder)
        return lookUpSender(text)
      }
      guard view.tag == .ok else { return answer(text.owner, reply) }
      askMember(&text, .file, "MEMBER SHOW \(text.member)", client)
    case .file:
      guard view.tag == .record else { return answer(text.owner, reply) }
      if let language = view.named("language"), !language.isEmpty {
        text.language = String(decoding: language, as: UTF8.self)
      }
      text.facts.name = view.named("name").map { String(decoding: $0, as: UTF8.self) } ?? ""
      text.answer = message(asked(by: text), text)
      goOn(&text, client)
    case .balance:
      // A tenant without a program: nobody has points.
      guard view.tag == .record || view.errorCode == .notFound else { return answer(text.owner, reply) }
      take(balance: view, into: &text)
      answer(text)
    case .history:
      guard let records = RecordView.records(of: reply) else { return answer(text.owner, reply) }
      take(history: records, into: &text)
      goOn(&text, client)
    }
  }
  /// Asks for what the answer still needs.
  private func goOn(_ text: inout TextUnderWay, _ client: Client) {
    if text.answer.text.contains("{history}"), text.step == .file {
      return askMember(&text, .history, "HISTORY \(text.member) limit=\(RequestDesk.movementsOfText)", client)
    }
    let asksExpiry = text.answer.key == TextMessage.expiry.rawValue
    guard asksExpiry || TextFacts.areWanted(by: text.answer.text) else { return answer(text) }
    askMember(&text, .balance, "BALANCE \(text.member)", client)
  }
  private static let movementsOfText = 3

  private func answer(_ text: TextUnderWay) {
    let words = text.facts.filled(into: text.answer.text)
    answer(text.owner) { reply in
      reply.record()
      reply.field(named: "text", words)
      reply.field(named: "language", text.answer.language)
    }
  }

  // MARK: What shards are asked

  /// Asks the sender's member's shard what a terminal would ask it.
  private func askMember(_ text: inout TextUnderWay, _ step: TextUnderWay.Step, _ line: String, _ client: Client) {
    text.step = step
    let continuation = keep(.text(text))
    let context = CommandContext(tenant: text.tenant, principal: client.session.principal, fingerprint: 0)
    Array("\(line)\n".utf8).withUnsafeBytes { raw in
      guard let request = parseAgain(raw) else { return lost(continuation) }
      let slot = Command.memberSlot(request.who(0).id, tenant: text.tenant)
      text.sender.withUnsafeBytes { sender in
        let party = Command.Party(member: request.who(0).id, card: sender)
        submitInternal(edge.shard(of: slot), flags: .query, continuation: continuation) {
          Command.append(request, to: &$0, slot: slot, context: context, party: party)
        }
      }
    }
  }
  private func lost(_ continuation: UInt64) {
    var writer = ReplyWriter(capacity: 128)
    writer.error(.unavailable, "the request was lost at this node; nothing was done")
    resume(continuation, writer.buffer.bytes)
  }

  /// Makes a member of a number, and binds that to it, in one step: `MEMBER ADD` with an alias where that has a card. Its id is
  /// made of the number and of who had it last, so the same text again, at any node, makes no second one; nobody can foresee it.
  private func join(_ text: TextUnderWay, _ client: Client) {
    // Builds before these take a card there alone.
    guard let directory, directory.semantics >= Semantics.service else {
      return answerError(
        text.owner, .unavailable, "not every node knows this yet: start this build on all of them; nothing was done")
    }
    var text = text
    var hash = SipHash(wide: hashKey)
    hash.absorb(UInt64(Verb.text.rawValue) | UInt64(text.tenant.rawValue) &<< 32)
    text.sender.withUnsafeBytes { hash.absorb($0, tag: 1) }
    Array(text.member.utf8).withUnsafeBytes { hash.absorb($0, tag: 2) }
    let member = "m" + NodeID(hash.finishedWide().low).hex
    let id = text.id.isEmpty ? "text-\(member)" : text.id
    let channel = text.channel.isEmpty ? "" : " channel=\(text.channel)"
    let language = text.language.isEmpty ? "" : " language=\(text.language)"
    (text.member, text.step) = (member, .joined)
    let continuation = keep(.text(text))
    let line = "MEMBER ADD \(member) card=0 id=\(id)\(channel)\(language)\n"
    Array(line.utf8).withUnsafeBytes { raw in
      guard let request = parseAgain(raw) else { return lost(continuation) }
      text.sender.withUnsafeBytes { sender in
        request.replace(.card, by: sender)
        let slot = Command.cardSlot(sender, tenant: text.tenant)
        let context = CommandContext(
          tenant: text.tenant, principal: client.session.principal, fingerprint: request.fingerprint(hashKey))
        let party = Command.Party(member: request.bytes(at: request.rule.pointee.party), card: sender)
        submitInternal(edge.shard(of: slot), flags: .repeatable, continuation: continuation) {
          Command.append(request, to: &$0, slot: slot, context: context, party: party)
        }
      }
    }
  }

  // MARK: What they answer

  private func take(balance view: RecordView, into text: inout TextUnderWay) {
    text.facts.balance = view.number(.balance) ?? 0
    text.facts.available = view.number(.available) ?? 0
    text.facts.held = view.number(.held) ?? 0
    text.facts.expiring = view.number(.expiring) ?? 0
    let program = view.text(.program)
    text.facts.program = program.map { String(decoding: $0, as: UTF8.self) } ?? ""
    if let expires = view.number(.expires), expires < CivilTime.latest.microseconds {
      let last = Stamp(microseconds: expires - 1)
      text.facts.expires = TextFacts.day(last, zone: zone(of: program, text.tenant))
    }
    if text.answer.key == TextMessage.expiry.rawValue, text.facts.expires.isEmpty {
      text.answer = message(TextMessage.noExpiry.rawValue, text)
    }
  }
  private func take(history records: [Bytes], into text: inout TextUnderWay) {
    let language = TextLanguage(of: text.answer.language) ?? .english
    let items = records.compactMap { bytes -> String? in
      let view = RecordView(bytes)
      guard let kind = view.text(.kind), let points = view.number(.points), let time = view.number(.time) else {
        return nil
      }
      let day = TextFacts.day(Stamp(microseconds: time), zone: zone(of: view.text(.program), text.tenant))
      let name = language.name(ofKind: String(decoding: kind, as: UTF8.self))
      return "\(day.dropFirst(5)) \(name) \(points > 0 ? "+" : "")\(points)"
    }
    text.facts.history = items.joined(separator: language.listMark)
    if text.answer.key == TextMessage.history.rawValue, items.isEmpty {
      text.answer = message(TextMessage.noHistory.rawValue, text)
    }
  }
  private func zone(of program: Bytes?, _ tenant: TenantID) -> Int64 {
    guard let program, let directory else { return 0 }
    return directory.entries.zone(ofProgram: program, tenant: tenant, at: now.wall)
  }

  // MARK: Which message

  /// Of a number that is nobody's, what is for all is answered.
  private func answerStranger(_ text: TextUnderWay, _ client: Client) {
    var text = text
    let key = asked(by: text)
    if key == TextMessage.join.rawValue { return join(text, client) }
    let own = message(key, text)
    let isForAll = key != TextMessage.unknown.rawValue && TextFacts.areNone(in: own.text)
    text.answer = isForAll ? own : message(TextMessage.nobody.rawValue, text)
    answer(text)
  }
  /// The key of the message that is asked for: an operator's words go before those of all tenants.
  private func asked(by text: TextUnderWay) -> String {
    var word = text.words.word
    if let other = said("word.\(word)", text)?.text { word = TextWords(other).word }
    if let asked = TextWords.asked(by: word) { return asked.rawValue }
    if said(word, text) != nil { return word }
    return (text.words.isCode ? TextMessage.code : .unknown).rawValue
  }
  /// The message of a key: as the operator says it in the language, as it stands here in that, then the same in English.
  private func message(_ key: String, _ text: TextUnderWay) -> TextAnswer {
    if let own = said(key, text, in: [text.language, TextLanguage.short(text.language)]) { return own }
    let built = TextMessage(rawValue: key)
    if let built, let language = TextLanguage(of: text.language), language != .english {
      return TextAnswer(key: key, text: built.text(language), language: language.rawValue)
    }
    if let own = said(key, text, in: ["en"]) { return own }
    return TextAnswer(
      key: key, text: (built ?? .unknown).text(.english), language: TextLanguage.english.rawValue)
  }
  /// What an operator says under a key in any language that will do.
  private func said(_ key: String, _ text: TextUnderWay) -> TextAnswer? {
    said(key, text, in: [text.language, TextLanguage.short(text.language), "en"])
  }
  private func said(_ key: String, _ text: TextUnderWay, in languages: [String]) -> TextAnswer? {
    guard let directory else { return nil }
    for language in languages {
      if let said = directory.entries.message(key, language, tenant: text.tenant, at: now.wall) {
        return TextAnswer(key: key, text: said, language: language)
      }
    }
    return nil
  }
}
