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
      [.who, .optional(.name), .optional(.region), .optional(.id)] + file, .member, .changes, traits: .grows,
      reply: "+OK",
      summary: "Changes what a member's file has; an empty value takes it back. class= decides which policies hold.",
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
      reply: "member state name region cards since class [tags birthday …] [x.NAME] [asof]",
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
      .cardAdd, "CARD ADD", .members, [.number, .required(.member, part: .party), .optional(.id)], .card, .changes,
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
  ]
}
