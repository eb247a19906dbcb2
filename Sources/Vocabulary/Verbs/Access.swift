extension VerbSpec {
  private static let userFields = "user role tenant merchant terminal org adjust-limit rate state last-seen"

  static let access: [VerbSpec] = [
    .init(
      .userSet, "USER SET", .access,
      [
        .name, .optional(.role), .optional(.secret), .optional(.merchant, part: .value),
        .optional(.terminal), .optional(.org), .optional(.adjustLimit), .optional(.rate),
        .optional(.state, shape: .standing), .optional(.id),
      ], .node, .changes, traits: [.barrier, .reserved], roles: [.operators, .admins], reply: "+OK",
      summary:
        "Makes or changes a user. Keys left out keep their value; the first user of a cluster is its admin too. It is answered"
        + " when the change holds at every node.",
      example: "USER SET till-7 role=terminal merchant=shop terminal=till-7 secret=open-sesame"),
    .init(
      .userShow, "USER SHOW", .access, [.name], .node, .read, traits: .reserved,
      roles: [.operators, .auditors, .admins], reply: userFields, summary: "A user, but for the secret.",
      example: "USER SHOW till-7"),
    .init(
      .userList, "USER LIST", .access, [.optional(.limit, standard: 1_000), .optional(.after)], .node, .read,
      traits: [.costly, .reserved], roles: [.operators, .auditors, .admins], reply: "records: \(userFields)",
      summary: "The users, by name: 1000 unless limit= says how many; after= goes on behind a name.",
      example: "USER LIST"),
    .init(
      .whoAmI, "WHOAMI", .access, [], .node, .read, traits: [.reserved, .alone], roles: .users, reply: userFields,
      summary: "Who has signed in on this connection, and as what.", example: "WHOAMI"),
    .init(
      .ruleApprove, "RULE APPROVE", .access, [.word("id"), .optional(.id)], .node, .changes, traits: .barrier,
      roles: [.approvers, .operators], reply: "+OK",
      summary: "Lets a rule run that is a draft: another user than the one who set it last.",
      example: "RULE APPROVE milk"),
    .init(
      .campaignApprove, "CAMPAIGN APPROVE", .access, [.word("id"), .optional(.id)], .node, .changes, traits: .barrier,
      roles: [.approvers, .operators], reply: "+OK",
      summary: "Lets a campaign run that is a draft: another user than the one who set it last.",
      example: "CAMPAIGN APPROVE spring"),
    .init(
      .caseOpen, "CASE OPEN", .access,
      [
        .who, .required(.kind), .required(.reason), .required(.id), .optional(.tx), .optional(.points),
        .optional(.note),
      ], .member, .movesPoints, traits: [.grows, .namesActor], roles: [.operators, .supporters], reply: "case state",
      summary:
        "Opens a case about a member: kind= is dispute, abuse or return. With tx=, what is left of its points is held.",
      example: "CASE OPEN ann kind=return tx=3-1042 reason=goods-came-back id=k-1"),
    .init(
      .caseApprove, "CASE APPROVE", .access, [.ofCase, .required(.id), .optional(.note)], .transaction, .movesPoints,
      traits: [.barrier, .namesActor], roles: [.approvers, .operators],
      reply: "case state [tx points balance] [reason]",
      summary: "Ends a case by doing what it asks for: another user than the one who opened it.",
      example: "CASE APPROVE 3-1043 id=k-2"),
    .init(
      .caseReject, "CASE REJECT", .access, [.ofCase, .required(.id), .optional(.note)], .transaction, .movesPoints,
      traits: [.barrier, .namesActor], roles: [.approvers, .operators], reply: "case state [reason]",
      summary: "Ends a case, and gives back what it held: another user than the one who opened it.",
      example: "CASE REJECT 3-1043 id=k-3"),
    .init(
      .caseNote, "CASE NOTE", .access, [.ofCase, .required(.text), .optional(.id)], .transaction, .changes,
      traits: [.grows, .namesActor], roles: [.operators, .supporters, .approvers], reply: "+OK",
      summary: "Notes something of a case.", example: "CASE NOTE 3-1043 text=\"the shop confirms\""),
    .init(
      .caseShow, "CASE SHOW", .access, [.ofCase, .optional(.read)], .transaction, .read,
      roles: .reading,
      reply: "case kind state member program points direction of reason at by [decided] [notes] [asof]",
      summary: "A case.", example: "CASE SHOW 3-1043"),
    .init(
      .caseList, "CASE LIST", .access,
      [
        .optional(.state, shape: .identifier), .optional(.kind), .optional(.limit, standard: 1_000),
        .optional(.after, shape: .identifier),
      ], .node, .read, traits: [.barrier, .costly], work: 64, roles: .reading,
      reply: "records, as of CASE SHOW; where there are more, last cursor asof",
      summary: "The cases of all shards.", example: "CASE LIST state=waiting"),
    .init(
      .tenantSet, "TENANT SET", .access,
      [.name, .optional(.title), .optional(.state, shape: .standing), .optional(.id)], .node, .changes,
      traits: [.barrier, .reserved], roles: .admins, reply: "+OK",
      summary: "Makes or changes a tenant: an operator's world of its own, of which others see nothing.",
      example: "TENANT SET second title=\"Second operator\""),
    .init(
      .tenantList, "TENANT LIST", .access, [], .node, .read, traits: [.costly, .reserved], roles: .admins,
      reply: "records: tenant title state", summary: "The tenants, by name.", example: "TENANT LIST"),
    .init(
      .tenantUse, "TENANT USE", .access, [.name], .node, .changes, traits: [.barrier, .reserved], roles: .admins,
      reply: "+OK", summary: "Has what this connection asks from here on be about another tenant.",
      example: "TENANT USE second"),
    .init(
      .trail, "TRAIL", .access,
      [
        .optional(.user), .optional(.verb), .optional(.from, shape: .dateOrMoment), .optional(.until),
        .optional(.limit, standard: 1_000), .optional(.after),
      ], .node, .read, traits: [.barrier, .costly], roles: [.operators, .auditors, .admins],
      reply: "records, newest first: at user verb target outcome count address node cursor",
      summary: "Who changed what, when, from where; and what was refused to whom, counted by the minute.",
      example: "TRAIL user=till-7 limit=20"),
  ]
}
