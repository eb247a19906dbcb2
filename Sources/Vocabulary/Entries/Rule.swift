extension EntryKind {
  /// How many rules of one program may run at a time.
  public static let mostRunningRules = 1_000

  public static let rule = EntryKind(
    8, "RULE", key: "id",
    [
      .init(2, "program", .reference("PROGRAM", isList: false), told.union([.required, .zone])),
      .init(3, "stage", .choice(["block", "base", "fixed", "times", "bonus", "cap"]), told.union(.required)),
      .init(4, "when", .shape(.note), told),
      .init(5, "priority", .shape(.priority), told, standard: .init(text: "100")),
      .init(6, "stop", .choice(["no", "yes"]), told, standard: .init(text: "no")),
      .init(7, "event", .shape(.identifier), told),
      .init(8, "earn", .shape(.rate), told),
      .init(9, "points", .shape(.points), told),
      .init(10, "times", .shape(.fraction), told),
      .init(11, "cap", .shape(.text), told),
      .init(12, "campaign", .reference("CAMPAIGN", isList: false), told),
      .init(13, "org", .reference("ORG", isList: false), told),
      .init(14, "merchant", .reference("MERCHANT", isList: false), told),
      .state(["draft", "running", "stopped"], told),
    ],
    hasBounds: true, most: (10_000, mostEntries), since: EntryField.policies,
    summary:
      "a rule of how points are earned: what its stage does for whom its when= is true, once it has state=running",
    example: "milk program=gold stage=base when=\"category = milk\" earn=3/100 state=running")

  /// A late purchase earns by the rules of its own time.
  private static let told: EntryField.Traits = [.shards, .backdated]
}
