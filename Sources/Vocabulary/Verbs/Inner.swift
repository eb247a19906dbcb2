extension VerbSpec {
  /// What no terminal says: what shards log for themselves and send each other, and what nodes ask them.
  static let inner: [VerbSpec] = [
    .init(
      .catalogue, "CATALOGUE", work: 64, traits: [.grows, .ofShard], summary: "A versioned delta of the catalogue."),
    .init(
      .tick, "TICK", work: 512, traits: .ofShard,
      summary: "Books what is due: hold timeouts and lot expiries, in bounded steps."),
    .init(
      .marker, "MARKER", work: 256, traits: .ofShard,
      summary: "Its reply is the shard's audit record at this entry."),
    .init(.delivery, "DELIVERY", summary: "From another shard, or this one: do your part of that transaction."),
    .init(.verdict, "VERDICT", summary: "The answer to a delivery."),
    .init(.acknowledged, "ACKNOWLEDGED", summary: "The verdict has been recorded; it need not be kept any more."),
    .init(
      .birth, "BIRTH", traits: .ofShard,
      summary: "The cluster's key, and the slots that the shard owns: the first command of its log."),
    .init(
      .export, "EXPORT", work: 2_048, traits: .ofShard,
      summary: "Slots are to move to another shard, or these go now."),
    .init(
      .import, "IMPORT", work: 2_048, traits: .ofShard,
      summary: "From another shard: a part of what slots of its have that become this shard's."),
    .init(.imported, "IMPORTED", traits: .ofShard, summary: "The slots that were sent are the other shard's."),
    .init(
      .resume, "RESUME", traits: .ofShard,
      summary: "The leader knows which requests wait, up to this stamp: what comes behind them is not put off any more."
    ),
    .init(.jobStart, "JOBSTART", work: 8, traits: [.grows, .ofShard], summary: "A job begins: see EXTEND ALL."),
    .init(
      .memberPage, "MEMBERPAGE", work: 128, traits: .ofShard, summary: "Which of a run of members have what is said."),
    .init(
      .feedPage, "FEEDPAGE", work: 64, traits: .ofShard, summary: "A journal's records from a place on."),
    .init(
      .reportPage, "REPORTPAGE", work: 64, traits: .ofShard,
      summary: "What a journal's records, or a run of members, come to."),
    .init(
      .memberMint, "MEMBERMINT", .members, [.member, .optional(.member), .optional(.id)], .member, .changes,
      traits: .grows,
      reply: "", summary: "Which id a member gets that is to have any: the first that is proposed for the request.",
      example: ""),
    .init(.cardHolders, "CARDHOLDERS", asks: .card, [.number], summary: "Who holds a card, and who did."),
    .init(
      .requestSeen, "REQUESTSEEN", asks: .member, [.who], summary: "Whether a request is known, by its fingerprints."),
    .init(.facts, "FACTS", asks: .transaction, [.transaction], summary: "What is known of a transaction of the past."),
  ]

  private init(_ verb: Verb, _ word: String, work: UInt16 = 2, traits: Traits = [], summary: String) {
    self.init(
      verb, word, .cluster, [.free("body")], .inner, .changes, traits: traits, work: work, reply: "", summary: summary,
      example: "")
  }
  private init(_ verb: Verb, _ word: String, asks route: Route, _ arguments: [Argument], summary: String) {
    self.init(verb, word, .cluster, arguments, route, .read, reply: "", summary: summary, example: "")
  }
}
