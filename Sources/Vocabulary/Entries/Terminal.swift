extension EntryKind {
  static let terminal = EntryKind(
    4, "TERMINAL", key: "id",
    [
      .init(2, "merchant", .reference("MERCHANT", isList: false), .required),
      .init(3, "channel", .shape(.identifier)),
      .init(4, "region", .shape(.identifier)),
      .init(5, "recharge", .choice(["no", "yes"])),
    ],
    summary: "a terminal of a merchant", example: "till-7 merchant=shop channel=pos")
}
