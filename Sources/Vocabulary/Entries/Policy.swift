extension EntryKind {
  /// Policies of a program.
  public static let mostPolicies = 64
  /// What holds for holders of a class in place of what the program says.
  public static let policy = EntryKind(
    7, "POLICY", keys: [KeyPart("program", reference: "PROGRAM"), KeyPart("class")],
    policyFields.map { $0.withoutStandard() } + [.state(["active", "stopped"], .shards)],
    most: (mostPolicies * 1_000, mostPolicies * 1_000), since: EntryField.policies,
    summary: "what holds for holders of a class in place of what the program says, in the fields that it has",
    example: "gold employee expire=3m transfer=no")

  /// What a program says, and a policy of it may say otherwise. Of both, and with the same numbers.
  static let policyFields: [EntryField] = [
    .init(4, "expire", .shape(.expiry), [.shards, .backdated], standard: .init(text: "never")),
    .init(12, "activate", .shape(.days), [.shards, .backdated], since: EntryField.policies),
    .init(
      13, "transfer", .choice(["yes", "no"]), .shards, standard: .init(text: "yes"), since: EntryField.policies),
    .init(15, "redeem-min", .shape(.points), .shards, since: EntryField.policies),
    .init(16, "redeem-max", .shape(.points), .shards, since: EntryField.policies),
    .init(17, "redeem-step", .shape(.points), .shards, since: EntryField.policies),
    .init(18, "redeem-share", .shape(.basisPoints), .shards, since: EntryField.policies),
    .init(24, "cashout", .choice(["no", "yes"]), .shards, standard: .init(text: "no"), since: EntryField.policies),
    .init(27, "on-close", .shape(.closing), .shards, standard: .init(text: "lapse"), since: EntryField.policies),
    .init(20, "earn-cap", .shape(.caps), [.shards, .backdated], since: EntryField.policies),
  ]
}

extension EntryField {
  /// The same, where nothing stands for what was not said.
  func withoutStandard() -> EntryField {
    EntryField(number, name, form, traits, clearing: clearing, since: since)
  }
}
