/// All that can be said: the verbs and the kinds of entries, with the rules made of them.
public final class Language: Sendable {
  /// Every verb of terminals, in the order in which `HELP` teaches them.
  public let specs: [VerbSpec]
  /// By the numbers of verbs' rows; never freed.
  nonisolated(unsafe) public let rules: UnsafePointer<VerbRule>

  public static let standard = Language(kinds: EntryKind.all)

  public init(kinds: [EntryKind]) {
    specs =
      VerbSpec.points + VerbSpec.reading + VerbSpec.members + kinds.flatMap(\.verbs) + VerbSpec.access
      + VerbSpec.cluster + VerbSpec.connection
    rules = VerbRule.makeTable(specs + VerbSpec.inner)
  }

  /// The row that a rule was made of.
  public func spec(_ rule: VerbRule) -> VerbSpec {
    specs.first { $0.number == rule.number } ?? rule.verb.spec
  }
}
