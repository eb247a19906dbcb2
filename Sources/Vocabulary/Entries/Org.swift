extension EntryKind {
  public static let org = EntryKind(
    3, "ORG", key: "id",
    [
      .init(2, "tree", .shape(.identifier), standard: .init(text: "main")),
      .init(3, "parent", .reference("ORG", isList: false), [.tree, .shards], toldSince: EntryField.policies),
      .text(4, "kind"),
      .text(5, "title"),
      .text(6, "contact"),
      .init(7, "region", .shape(.identifier)),
      .state(["active", "stopped"], .shards, toldSince: EntryField.settled),
    ],
    most: (100_000, mostEntries),
    summary: "a part of an organisation, below parent=; without one it is a root", example: "north title=\"The North\"")
}
