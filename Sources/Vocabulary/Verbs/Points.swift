extension VerbSpec {
  /// What an earning by rules may say.
  private static let earning: [Argument] = [
    .who, .required(.merchant), .required(.id), .oneOf(.spend), .oneOf(.points), .optional(.program), .optional(.at),
    .optional(.lines), .optional(.channel, shape: .identifier), .optional(.type), .optional(.terminal),
  ]
  private static let event: [Argument] = [
    .who, .required(.event), .required(.id), .optional(.program), .optional(.merchant), .optional(.value),
    .optional(.attributes),
  ]
  /// The same, where nothing is booked.
  private static func asked(_ arguments: [Argument]) -> [Argument] {
    arguments.map { $0.key == .id ? .optional(.id) : $0 } + [.optional(.read)]
  }
  static let points: [VerbSpec] = [
    .init(
      .earn, "EARN", .points, earning, .member, .movesPoints, traits: .grows, work: 1,
      roles: .selling, reply: "tx member program points balance [capped reason tier]",
      summary: "Gives a member points for a purchase, by the program's rules or as many as said.",
      example: "EARN ann merchant=shop spend=1250 id=r-1"),
    .init(
      .event, "EVENT", .points, event, .member, .movesPoints, traits: .grows,
      roles: .rewarding, reply: "tx member program points balance [capped reason tier]",
      summary: "Gives a member points for something else than a purchase, by the program's rules with that event=.",
      example: "EVENT ann event=checkin merchant=shop id=v-1"),
    .init(
      .simulateEarn, "SIMULATE EARN", .points, asked(earning), .member, .read,
      roles: .simulating, reply: "member program points balance [capped reason tier asof]",
      summary: "What an EARN would give, which books nothing.", example: "SIMULATE EARN ann merchant=shop spend=1250"),
    .init(
      .simulateEvent, "SIMULATE EVENT", .points, asked(event), .member, .read,
      roles: .simulating, reply: "member program points balance [capped reason tier asof]",
      summary: "What an EVENT would give, which books nothing.", example: "SIMULATE EVENT ann event=checkin"),
    .init(
      .explain, "EXPLAIN", .points, [.transaction, .optional(.read)], .transaction, .read,
      roles: .explaining, reply: "records: step rule version points total text [asof]",
      summary: "How the points of a purchase or an event were worked out, step by step.", example: "EXPLAIN 3-1042"),
    .init(
      .explainEarn, "EXPLAIN EARN", .points, asked(earning), .member, .read,
      roles: .simulating, reply: "records: step rule version points total text [asof]",
      summary: "How the points of a purchase that was not made would be worked out.",
      example: "EXPLAIN EARN ann merchant=shop spend=1250"),
    .init(
      .redeem, "REDEEM", .points,
      [
        .who, .required(.merchant), .required(.points), .required(.id), .optional(.program), .optional(.terminal),
      ], .member, .movesPoints,
      work: 1,
      roles: .selling, reply: "tx member program points balance",
      summary: "Spends a member's points.", example: "REDEEM ann merchant=shop points=10 id=r-2"),
    .init(
      .hold, "HOLD", .points,
      [
        .who, .required(.merchant), .required(.points), .required(.id), .optional(.ttl, standard: 900),
        .optional(.program), .optional(.terminal),
      ], .member, .movesPoints, traits: .grows, work: 1, roles: .selling,
      reply: "tx member program points balance available",
      summary: "Sets points aside for 900 seconds, or ttl=, until CAPTURE or RELEASE.",
      example: "HOLD ann merchant=shop points=10 id=r-3 ttl=60"),
    .init(
      .capture, "CAPTURE", .points, [.transaction, .required(.id), .optional(.points)], .transaction, .movesPoints,
      roles: .selling, reply: "tx of member program points balance available",
      summary: "Spends what a hold has set aside, or a part of it.", example: "CAPTURE 3-1042 id=r-4"),
    .init(
      .release, "RELEASE", .points, [.transaction, .required(.id)], .transaction, .movesPoints,
      roles: .selling, reply: "tx of member program points balance available",
      summary: "Gives back what a hold has set aside.", example: "RELEASE 3-1042 id=r-5"),
    // What a refund undoes may have left memory: it then takes effect later than what is sent after it.
    .init(
      .refund, "REFUND", .points,
      [.transaction, .required(.id), .atMostOne(.spend), .atMostOne(.points), .atMostOne(.lines)],
      .transaction, .movesPoints, traits: .barrier, roles: .selling, reply: "tx of member program points balance",
      summary: "Undoes an earn, redeem or capture, in whole or in part.", example: "REFUND 3-1042 id=r-6 spend=500"),
    .init(
      .transfer, "TRANSFER", .points, [.from, .to, .required(.points), .required(.id), .optional(.program)],
      .member, .movesPoints, traits: [.barrier, .grows], roles: [.operators, .channels],
      reply: "tx from to program points balance",
      summary: "Gives points from one member to another.", example: "TRANSFER ann bob points=5 id=r-7"),
    .init(
      .extend, "EXTEND", .points,
      [.who, .required(.until), .required(.reason), .required(.id), .optional(.program)], .member, .movesPoints,
      reply: "tx member program lots points",
      summary: "Lets points of a member that would end before a moment live until then.",
      example: "EXTEND ann until=2030-01-01 reason=complaint id=r-8"),
    .init(
      .adjust, "ADJUST", .points,
      [
        .who, .required(.points), .required(.direction), .required(.reason), .required(.id), .optional(.program),
        .optional(.note),
      ], .member, .movesPoints, traits: [.grows, .namesActor], roles: [.operators, .supporters],
      reply: "tx member program points balance; above the limit case state",
      summary:
        "Gives a member points, or takes some, for a reason: at once as far as the user's adjust-limit goes, else by another's"
        + " CASE APPROVE.",
      example: "ADJUST ann points=50 direction=up reason=goodwill id=j-1"),
    .init(
      .extendAll, "EXTEND ALL", .points, [.required(.until), .required(.reason), .required(.id), .optional(.program)],
      .node, .changes, traits: [.barrier, .costly, .grows], work: 64, reply: "job",
      summary: "The same for all members, in the background: JOB SHOW tells how far it is.",
      example: "EXTEND ALL program=gold until=2030-01-01 reason=goodwill id=x-1"),
  ]
}
