extension VerbSpec {
  /// Sums over all; a merchant's user has those of its merchant.
  private static let reportRoles: Roles = [.reporting, .merchants]

  static let reading: [VerbSpec] = [
    .init(
      .balance, "BALANCE", .reading,
      [.who, .atMostOne(.program), .optional(.read), .atMostOne(.all), .optional(.expiring)],
      .member, .read,
      roles: .asking,
      reply: "member program balance held available debt pending [expiring expires] [tier qualifying] [asof]",
      summary:
        "A member's points: balance, held, available, debt, pending, and what expires next. all=yes gives a record a program;"
        + " expiring=yes what ends when: records of points and expires.",
      example: "BALANCE ann"),
    .init(
      .history, "HISTORY", .reading,
      [
        .who, .optional(.program), .optional(.limit, shape: .historyLimit, standard: 20), .optional(.before),
        .optional(.read),
      ], .member, .read, traits: .recordsFromDisk,
      roles: .following, reply: "records, newest first: tx time kind points balance [merchant spend request of] [asof]",
      summary: "A member's transactions, newest first.", example: "HISTORY ann limit=10"),
    .init(
      .transactionShow, "TX SHOW", .reading, [.transaction, .optional(.read)], .transaction, .read,
      roles: .asking, reply: "the transaction", summary: "One transaction.", example: "TX SHOW 3-1042"),
    .init(
      .campaignReport, "CAMPAIGN REPORT", .reading, [.word("id")], .node, .read, traits: [.barrier, .costly], work: 64,
      roles: .reporting, reply: "campaign members transactions points spend [left]",
      summary: "What a campaign's rules gave, over all shards at one stamp, less returns; left= is its budget's.",
      example: "CAMPAIGN REPORT spring"),
    .init(
      .jobShow, "JOB SHOW", .reading, [.word("job")], .node, .read, traits: [.barrier, .costly], work: 64,
      roles: .reporting, reply: "job state done total",
      summary: "How far a job has come, over all shards: state is running or done; done and total count members.",
      example: "JOB SHOW x-1"),
    .init(
      .feed, "FEED", .reading,
      [
        .optional(.from, shape: .cursor), .optional(.kind, shape: .text), .optional(.limit, standard: 1_000),
        .optional(.wait, standard: 0), .optional(.part), .optional(.until),
      ], .node, .read, traits: [.barrier, .costly], work: 64,
      reply:
        "records: cursor shard tx time kind member points balance …, as of HISTORY; of entries kind=change entry …",
      summary:
        "Movements, and changes of entries, of all shards, each shard's in its order; from= goes on behind any cursor, wait= waits"
        + " for the first, until= ends it at a moment.",
      example: "FEED kind=earn,redeem limit=100 wait=10"),
    .init(
      .text, "TEXT", .members,
      [
        .alias, .text("words", .optional), .optional(.channel), .optional(.language), .optional(.id),
        .optional(.text, shape: .text),
      ], .node, .changes, traits: [.barrier, .costly, .grows], work: 16,
      roles: [.operators, .supporters, .channels], reply: "text language",
      summary:
        "What a text message or a string of digits asks: BAL, HELP, JOIN, HIST, EXP, or a word of MESSAGE entries; answered in the"
        + " member's language. text= in place of the words may have an =.",
      example: "TEXT phone:13700000001 BAL channel=sms"),
    .init(
      .report, "REPORT", .reading,
      [
        .word("NAME"), .word("program", .optional), .optional(.by), .optional(.from, shape: .dateOrMoment),
        .optional(.until), .optional(.merchant),
      ], .node, .read, traits: [.barrier, .costly], work: 64, roles: reportRoles,
      reply: "records: issued redeemed expired refunded transferred adjusted outstanding asof",
      summary:
        "points, members or campaigns over all shards at one moment; by= divides them by merchant, org, region, tier, class, day or"
        + " month.",
      example: "REPORT points main by=day from=2026-11-01"),
    .init(
      .audit, "AUDIT", .reading, [.optional(.read)], .node, .read, traits: [.barrier, .costly],
      roles: [.reporting, .admins], reply: "a record a shard",
      summary: "The books of every shard at one stamp, then their total with balanced=yes or no.", example: "AUDIT"),
  ]
}
