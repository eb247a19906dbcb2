extension EntryKind {
  public static let program = EntryKind(
    1, "PROGRAM", key: "name",
    [
      .init(2, "kind", .choice(["points", "money"]), [.shards, .fixed], standard: .init(text: "points")),
      // Nobody means to give money away: that has to be said.
      .init(
        3, "earn", .shape(.rate), [.shards, .backdated],
        standard: .init(text: "1/100", exception: ("kind", "money", "0/1"))),
      policyFields[0],
      .text(5, "title"),
      .init(6, "backdate", .shape(.backdate), .shards, standard: .init(text: "3d")),
      .init(7, "utc-offset", .shape(.utcOffset), [.shards, .zone], standard: .init(text: "+00:00")),
      .init(8, "refund-window", .shape(.days), .shards, standard: .init(text: "180d")),
      .init(11, "value", .shape(.fraction), since: EntryField.policies),
    ] + policyFields[1...2] + [
      .init(14, "transfer-limit", .shape(.points), .shards, since: EntryField.policies)
    ] + policyFields[3...6] + [
      .init(19, "redeem-window", .shape(.yearWindows), .shards, since: EntryField.policies),
      policyFields[9],
      .init(
        21, "refund-policy", .choice(["debt", "reject", "absorb"]), .shards, standard: .init(text: "debt"),
        since: EntryField.policies),
      .init(22, "refund-grace", .shape(.days), .shards, standard: .init(text: "7d"), since: EntryField.policies),
      .init(
        23, "combine", .choice(["max", "product"]), .shards, standard: .init(text: "max"),
        since: EntryField.policies),
      policyFields[7],
      .init(25, "cashout-min", .shape(.points), since: EntryField.policies),
      .init(26, "cashout-fee", .shape(.basisPoints), since: EntryField.policies),
      policyFields[8],
      .init(9, "default", .choice(["no", "yes"]), [.shards, .exclusive], standard: .init(text: "no")),
      .init(28, "approval", .choice(["none", "rules"]), standard: .init(text: "none"), since: EntryField.policies),
      .state(["active", "stopped"], .shards),
    ],
    most: (1_000, 1_000),
    summary: "a program: default=yes makes it the one that is meant where none is named (until then the first is);"
      + " state=stopped ends earning and spending, while expiry, refunds and reads go on",
    example: "gold earn=1/100 expire=12m")
}
