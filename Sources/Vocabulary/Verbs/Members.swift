extension VerbSpec {
  /// What a member's file has beside name and region. What is said empty is taken back.
  private static let file: [Argument] = [
    .optional(.holderClass), .optional(.birthday), .optional(.referrer), .optional(.channel), .optional(.language),
    .optional(.manager), .optional(.rating), .optional(.cardType), .optional(.attributes),
  ]
  static let members: [VerbSpec] = [
    .init(
      .memberAdd, "MEMBER ADD", .members,
      [.newMember, .optional(.name), .optional(.region), .optional(.card, part: .card), .optional(.id)] + file,
      .cardIfGiven,
      .changes, traits: [.barrierWithCard, .grows], reply: "+OK; of * member",
      summary:
        "Makes a member; the same again is OK. * with region= and id= mints an id, in a shard that is led from there.",
      example: "MEMBER ADD ann name=\"Ann Lee\" card=5001"),
    .init(
      .memberSet, "MEMBER SET", .members,
      [.who, .optional(.name), .optional(.region), .optional(.id)] + file + [.optional(.pool)], .member, .changes,
      traits: .grows, reply: "+OK",
      summary:
        "Changes what a member's file has; an empty value takes it back. class= decides which policies hold, pool= whose points it earns and spends.",
      example: "MEMBER SET ann class=employee x.shoe=38"),
    .init(
      .memberTag, "MEMBER TAG", .members, [.who, .tags, .optional(.id)], .member, .changes, traits: .grows,
      reply: "+OK",
      summary: "Gives a member tags: one word each, at most 64.", example: "MEMBER TAG ann vip staff"),
    .init(
      .memberUntag, "MEMBER UNTAG", .members, [.who, .tags, .optional(.id)], .member, .changes, reply: "+OK",
      summary: "Takes tags from a member.", example: "MEMBER UNTAG ann staff"),
    .init(
      .memberShow, "MEMBER SHOW", .members, [.who, .optional(.read)], .member, .read,
      roles: .following,
      reply:
        "member state name region cards [aliases] [cardtypes] since class [tier] [tags birthday …] [x.NAME] [asof]",
      summary: "A member's file.", example: "MEMBER SHOW ann"),
    .init(
      .memberFreeze, "MEMBER FREEZE", .members, [.who, .optional(.id)], .member, .changes, reply: "+OK",
      summary: "Stops a member until THAW.", example: "MEMBER FREEZE ann"),
    .init(
      .memberThaw, "MEMBER THAW", .members, [.who, .optional(.id)], .member, .changes, reply: "+OK",
      summary: "Lets a frozen member go on.", example: "MEMBER THAW ann"),
    .init(
      .memberClose, "MEMBER CLOSE", .members, [.who, .optional(.id)], .member, .changes, reply: "+OK",
      summary: "Ends a membership: holds are released, what is left lapses.", example: "MEMBER CLOSE ann"),
    .init(
      .memberNote, "MEMBER NOTE", .members,
      [.who, .required(.kind), .required(.text), .optional(.id)], .member, .changes,
      traits: .grows, reply: "+OK", summary: "Notes something about a member: a visit, a complaint, a consultation.",
      example: "MEMBER NOTE ann kind=visit text=\"asked for a larger size\""),
    .init(
      .memberNotes, "MEMBER NOTES", .members,
      [.who, .optional(.limit, shape: .historyLimit, standard: 20), .optional(.read)], .member, .read,
      reply: "records, newest first: at kind text [asof]", summary: "What was noted about a member.",
      example: "MEMBER NOTES ann limit=5"),
    .init(
      .memberFind, "MEMBER FIND", .members,
      [
        .optional(.holderClass, shape: .identifier), .optional(.tag), .optional(.region), .optional(.state),
        .optional(.limit, standard: 1_000), .optional(.after, shape: .identifier), .optional(.attributes),
        .optional(.tier), .optional(.cut),
      ], .node, .read, traits: [.barrier, .costly], work: 64,
      reply: "records: member state …, as of MEMBER SHOW; last cursor asof",
      summary:
        "Members of all shards that have all that is said; after= goes on at the cursor of a page; with cut=yes all pages have them as"
        + " they were at one moment, asof.",
      example: "MEMBER FIND tag=vip region=north limit=100"),
    .init(
      .memberTier, "MEMBER TIER", .members, [.who, .optional(.program), .optional(.read)], .member, .read,
      roles: .asking, reply: "member program tier since [until] qualifying [next needed] [asof]",
      summary:
        "A member's tier in a program: since when, until when at least, what qualifies in this period, and what is needed for the next.",
      example: "MEMBER TIER ann"),
    .init(
      .due, "DUE", .members,
      [
        .required(.kind), .required(.on), .optional(.days, standard: 1), .optional(.program),
        .optional(.limit, standard: 1_000), .optional(.after, shape: .identifier),
      ], .node, .read, traits: [.barrier, .costly], work: 64,
      reply: "records: member name date [program points]; where there are more, last cursor asof",
      summary:
        "Members of all shards to write to: of whom it is the birthday, the anniversary of joining, or the day on which points"
        + " end (kind=expiry), on a date or in days= from it on; or who have bought nothing for days= before it (kind=dormant).",
      example: "DUE kind=birthday on=2026-06-07"),
    .init(
      .memberMerge, "MEMBER MERGE", .members, [.from, .into, .required(.id)], .member, .movesPoints,
      traits: [.barrier, .grows], work: 64, roles: .operators, reply: "from into program points balance",
      summary: "Makes one member of two: lots, debt, holds, counters and aliases become INTO's, and FROM is closed.",
      example: "MEMBER MERGE ann-old ann id=n-2"),
    .init(
      .poolAdd, "POOL ADD", .members, [.member, .optional(.title), .optional(.id)], .member, .changes, traits: .grows,
      reply: "+OK",
      summary: "Makes a pool: a member without aliases, whose points up to 64 members earn and spend together.",
      example: "POOL ADD lee-family title=\"The Lees\""),
    .init(
      .memberErase, "MEMBER ERASE", .members, [.who, .optional(.id)], .member, .changes, traits: .barrier, work: 64,
      reply: "+OK",
      summary: "Erases what is personal: name, birthday, notes, x.NAME and every alias; the movements stay.",
      example: "MEMBER ERASE ann"),
    .init(
      .cardAdd, "CARD ADD", .members, [.number, .required(.member, part: .party), .optional(.id), .optional(.type)],
      .card, .changes,
      traits: [.barrier, .grows], reply: "+OK", summary: "Binds a card to a member.",
      example: "CARD ADD 5001 member=ann"),
    .init(
      .cardLost, "CARD LOST", .members, [.number, .optional(.id)], .card, .changes, traits: .barrier, reply: "+OK",
      summary: "Stops a card until FOUND.", example: "CARD LOST 5001"),
    .init(
      .cardFound, "CARD FOUND", .members, [.number, .optional(.id)], .card, .changes, traits: .barrier, reply: "+OK",
      summary: "Lets a lost card work again.", example: "CARD FOUND 5001"),
    .init(
      .cardRemove, "CARD REMOVE", .members, [.number, .optional(.id)], .card, .changes, traits: .barrier, reply: "+OK",
      summary: "Unbinds a card from its member.", example: "CARD REMOVE 5001"),
    .init(
      .cardReplace, "CARD REPLACE", .members, [.old, .new, .required(.id)], .card, .changes,
      traits: [.barrier, .grows], work: 4, reply: "member",
      summary: "Gives a card's member another in its place: the old one is lost for ever, the new one has its type.",
      example: "CARD REPLACE 5001 5002 id=n-1"),
    .init(
      .aliasAdd, "ALIAS ADD", .members, [.alias, .required(.member, part: .party), .optional(.type), .optional(.id)],
      .card, .changes, traits: [.barrier, .grows], reply: "+OK",
      summary: "Has a member known by a card, phone, mail, bank card or login too; of a card, says its type.",
      example: "ALIAS ADD phone:13700000001 member=ann"),
    .init(
      .aliasLost, "ALIAS LOST", .members, [.alias, .optional(.id)], .card, .changes, traits: .barrier, reply: "+OK",
      summary: "Stops an alias until FOUND.", example: "ALIAS LOST bank:622588"),
    .init(
      .aliasFound, "ALIAS FOUND", .members, [.alias, .optional(.id)], .card, .changes, traits: .barrier,
      reply: "+OK", summary: "Lets a lost alias work again.", example: "ALIAS FOUND bank:622588"),
    .init(
      .aliasRemove, "ALIAS REMOVE", .members, [.alias, .optional(.id)], .card, .changes, traits: .barrier,
      reply: "+OK", summary: "Takes an alias from its member.", example: "ALIAS REMOVE phone:13700000001"),
  ]
}
