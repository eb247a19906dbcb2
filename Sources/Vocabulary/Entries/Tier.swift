extension EntryKind {
  /// The tiers of one program.
  public static let mostTiers = 16

  /// A tier of a program: who reaches it, and what members of it have.
  public static let tier = EntryKind(
    11, "TIER", keys: [KeyPart("program", reference: "PROGRAM"), KeyPart("name", named: "tier")],
    [
      .init(2, "rank", .shape(.priority), told.union(.required)),
      .init(3, "at", .shape(.spend), told.union(.required)),
      .init(4, "by", .choice(["points", "spend", "recharge", "visits"]), told.union([.required, .fixed])),
      .init(5, "period", .choice(["year", "12m", "ever"]), told.union([.required, .fixed])),
      .init(6, "down", .choice(["earned", "one", "never"]), told, standard: .init(text: "earned")),
      .init(7, "earn-times", .shape(.fraction), told),
      .init(8, "discount", .shape(.basisPoints)),
      .init(9, "gift", .shape(.text), told),
      .init(10, "price", .shape(.spend)),
      .init(11, "days", .shape(.points)),
      .state(["active", "stopped"], told),
    ],
    most: (mostTiers * 1_000, mostEntries), since: EntryField.policies,
    summary:
      "a tier of a program: who has at= of what by= says within a period= is in it; all tiers of a program have the same"
      + " by= and period=, which never change; gift= is points:N",
    example: "gold silver rank=2 at=50000 by=spend period=year down=earned earn-times=11/10")

  /// A period's end is decided by what held then, also where that is looked at later.
  private static let told: EntryField.Traits = [.shards, .backdated]
}
