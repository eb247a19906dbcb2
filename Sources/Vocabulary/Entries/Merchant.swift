extension EntryKind {
  public static let merchant = EntryKind(
    2, "MERCHANT", key: "name",
    [
      .init(2, "program", .reference("PROGRAM", isList: false), [.shards, .zone]),
      .init(3, "earn", .shape(.rate), [.shards, .backdated], clearing: "program"),
      .init(4, "region", .shape(.identifier), .shards, toldSince: EntryField.policies),
      .state(["active", "frozen", "closed", "stopped"], .shards),
      .text(5, "title"),
      .init(6, "parent", .reference("MERCHANT", isList: false), [.tree, .shards], toldSince: EntryField.policies),
      .init(7, "org", .reference("ORG", isList: true), .shards, toldSince: EntryField.policies),
      .init(8, "class", .shape(.identifier), .shards, toldSince: EntryField.policies),
      .init(9, "logistics", .choice(["no", "yes"]), .shards, toldSince: EntryField.policies),
      .init(10, "recharge", .choice(["no", "yes"])),
      .text(11, "contact"),
      .text(12, "rating"),
    ],
    takesAttributes: true,
    summary: "a merchant: it earns by its program's rate, unless it has one of its own; earn=program takes that back",
    example: "shop program=gold")
}
