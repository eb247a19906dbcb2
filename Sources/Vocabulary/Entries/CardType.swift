extension EntryKind {
  public static let cardType = EntryKind(
    6, "CARDTYPE", key: "id",
    [
      .text(2, "title"),
      .init(3, "earn-times", .shape(.fraction), .shards, toldSince: EntryField.policies),
      .init(4, "discount", .shape(.basisPoints)),
      .init(5, "supplementary", .choice(["no", "yes"])),
      .state(["active", "stopped"], .shards, toldSince: EntryField.checked),
    ],
    summary: "a type of cards", example: "gold-card title=\"Gold card\"")
}
