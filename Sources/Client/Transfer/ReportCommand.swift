import Replies

/// `tally report NAME …`
enum ReportCommand {
  static let command = Command(
    "report", summary: "prints a report: points, members or campaigns, over all shards at one moment",
    words: "points|members|campaigns [PROGRAM] [KEY=VALUE]…", wordCount: 1...8,
    flags: [
      .toggle("csv", "comma-separated values with a first line of names (RFC 4180); format=csv says the same")
    ],
    notes: """
      The words are those of REPORT: by=merchant, org, region, tier, class, day or month; from= and until=, a date or a moment; \
      merchant=, of it and those below it.

      tally report points main by=day from=2026-11-01 until=2026-12-01 --csv

      What a report has no value of is empty in CSV. Moments are milliseconds since 1970 there and in JSON.
      """,
    body: run)

  private static func run(_ invocation: Invocation) throws(ClientError) -> CommandResult {
    var words = invocation.flags.words
    let isCSV = invocation.flags.has("csv") || words.contains("format=csv")
    words.removeAll { $0 == "format=csv" }
    guard !(isCSV && invocation.isJSON) else { throw .usage("--csv or --json, not both") }
    if let format = words.first(where: { $0.hasPrefix("format=") }) {
      throw .usage("\(format): format=csv is the only one; --json gives JSON")
    }
    let records = try invocation.target.askRecords(
      (["REPORT"] + words.map { quoted($0) }).joined(separator: " "))
    guard !isCSV else {
      Console.write(csv(records))
      return CommandResult()
    }
    var page = Page()
    page.table(Table(records.map { without("asof", $0) }))
    if let asof = records.first?["asof"] { page.line("as of \(FieldKind.cell("asof", asof).text)") }
    return CommandResult(json: JSON(records), page: page)
  }
  /// The value behind a key is quoted alone.
  private static func quoted(_ word: String) -> String {
    guard let place = word.firstIndex(of: "=") else { return Words.quote(word) }
    return word[...place] + Words.quote(String(word[word.index(after: place)...]))
  }
  private static func without(_ key: String, _ record: Record) -> Record {
    Record(record.fields.filter { $0.key != key }.map { ($0.key, $0.value) })
  }
  /// A column a key, in the order in which the keys first come.
  static func csv(_ records: [Record]) -> String {
    var keys: [String] = []
    for record in records {
      for field in record.fields where !keys.contains(field.key) { keys.append(field.key) }
    }
    return CSV.line(keys) + records.map { record in CSV.line(keys.map { record[$0] ?? "" }) }.joined()
  }
}
