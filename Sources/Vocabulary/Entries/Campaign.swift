extension EntryKind {
  public static let campaign = EntryKind(
    9, "CAMPAIGN", key: "id",
    [
      .text(2, "title"),
      .init(3, "budget", .reference("QUOTA", isList: false), [.shards, .backdated]),
      .init(4, "owner", .reference("ORG", isList: false)),
      .text(5, "funded"),
      .state(["draft", "running", "stopped"], [.shards, .backdated]),
    ],
    hasBounds: true, most: (10_000, mostEntries), since: EntryField.policies,
    summary: "a campaign: its rules are in force only while it is", example: "spring title=Spring state=running")
}
