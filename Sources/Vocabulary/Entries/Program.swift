extension EntryKind {
  public static let program = EntryKind(
    1, "PROGRAM", key: "name",
    [
      .init(2, "kind", .choice(["points", "money"]), [.shards, .fixed], standard: .init(text: "points")),
      // Nobody means to give money away: that has to be said.
      .init(
        3, "earn", .shape(.rate), [.shards, .backdated],
        standard: .init(text: "1/100", exception: ("kind", "money", "0/1"))),
      .init(4, "expire", .shape(.expiry), [.shards, .backdated], standard: .init(text: "never")),
      .text(5, "title"),
      .init(6, "backdate", .shape(.backdate), .shards, standard: .init(text: "3d")),
      .init(7, "utc-offset", .shape(.utcOffset), [.shards, .zone], standard: .init(text: "+00:00")),
      .init(8, "refund-window", .shape(.days), .shards, standard: .init(text: "180d")),
      .init(9, "default", .choice(["no", "yes"]), [.shards, .exclusive], standard: .init(text: "no")),
      .state(["active", "stopped"], .shards),
    ],
    most: (1_000, 1_000),
    summary: "a program: default=yes makes it the one that is meant where none is named (until then the first is);"
      + " state=stopped ends earning and spending, while expiry, refunds and reads go on",
    example: "gold earn=1/100 expire=12m")
}
