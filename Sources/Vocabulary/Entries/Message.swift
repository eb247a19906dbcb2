extension EntryKind {
  /// What text messages are answered.
  public static let message = EntryKind(
    12, "MESSAGE", keys: [KeyPart("key"), KeyPart("language")],
    [.init(2, "text", .shape(.note), .required), .state()],
    bareField: "text", most: (10_000, mostEntries), since: EntryField.service,
    summary:
      "what a text message is answered in a language: key= is a word that may be sent, in small letters, or one of bal, help,"
      + " join, hist, hist-none, exp, exp-none, code, unknown and nobody; word.X says which word X stands for; {points},"
      + " {balance}, {held}, {expiring}, {expires}, {history}, {name} and {program} stand for the member's",
    example: "bal zh text=\"您有{points}积分\"")
}
