extension EntryKind {
  public static let quota = EntryKind(
    10, "QUOTA", key: "id",
    [
      .init(2, "limit", .shape(.amount), [.shards, .required]),
      .init(
        3, "per", .choice(["ever", "year", "month", "week", "day"]), .shards, standard: .init(text: "ever")),
      .init(4, "when-empty", .choice(["cut", "refuse"]), .shards, standard: .init(text: "cut")),
      .state(["active", "stopped"], .shards),
    ],
    most: (10_000, mostEntries), since: EntryField.policies,
    summary:
      "a quota: as many points as limit= says in each period of the calendar, over all shards, and no more; an empty one cuts"
      + " points off, or refuses what asks for them; state=stopped gives out nothing",
    example: "spring-budget limit=1000000 per=month")
}
