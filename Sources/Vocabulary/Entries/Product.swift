extension EntryKind {
  public static let product = EntryKind(
    5, "PRODUCT", key: "sku",
    [
      .text(2, "title"),
      .init(3, "category", .shape(.text), .shards, toldSince: EntryField.policies),
      .init(4, "brand", .shape(.text), .shards, toldSince: EntryField.policies),
      .init(5, "price", .shape(.spend)),
      .init(6, "wholesale", .shape(.spend)),
    ],
    takesAttributes: true, summary: "a product; prices are minor units of money",
    example: "tea title=Tea category=drinks price=1990")
}
