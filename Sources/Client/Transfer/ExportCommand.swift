import Replies
import System

/// `tally export members|transactions`
enum ExportCommand {
  static let command = Command(
    "export", summary: "writes members or transactions of all shards, as CSV or JSON",
    words: "members|transactions|orders|settlement", wordCount: 1...1,
    flags: [
      .toggle("csv", "comma-separated values with a first line of names (what is written without --json)"),
      .toggle("json", "a JSON object a line"),
      .value("kind", "WORD,…", "of transactions: only these kinds"),
      .value("where", "WORDS", "of members: what they are to have, such as \"class=staff region=north\""),
    ],
    notes: """
      Transactions are all movements up to one moment over all shards, each shard's in order; what is booked later is not in it. The moment is \
      an audit's, which adds up the same, and is told on standard error. Who exports them may audit: an operator or an auditor. \
      Members are as they all were at one moment over all shards, which is told on standard error: none is missing, none there twice. They are \
      printed once all are there. If a leader changes meanwhile, or slots move, it says so and begins anew. tally backup members writes the \
      members of a backup.
      """, hasJSON: false, body: run)

  private static func run(_ invocation: Invocation) throws(ClientError) -> CommandResult {
    let flags = invocation.flags
    guard !(flags.has("csv") && flags.has("json")) else { throw .usage("--csv or --json, not both") }
    let isJSON = flags.has("json")
    switch flags.words[0] {
    case "members": try members(invocation, ExportWriter(ExportWriter.members, isJSON: isJSON))
    case "transactions": try transactions(invocation, ExportWriter(ExportWriter.transactions, isJSON: isJSON))
    case "orders", "settlement": throw .declined("export \(flags.words[0]): this build has none yet")
    default: throw .usage("export \(flags.words[0]): one of members, transactions, orders, settlement is wanted")
    }
    return CommandResult()
  }

  private static func transactions(_ invocation: Invocation, _ writer: ExportWriter) throws(ClientError) {
    // All shards have passed that moment, and the audit has what each had booked by then.
    let (_, total) = try invocation.target.audit()
    guard let moment = total.integer("asof") else { throw .malformedReply("AUDIT did not say of which moment it is") }
    let kinds = invocation.flags["kind"].map { " kind=\(Words.quote($0))" } ?? ""
    var reader = FeedReader(invocation.target, words: "until=\(moment)\(kinds)", cursor: nil, patience: 60)
    var count = 0
    writer.begin()
    while true {
      let page = try reader.next(limit: 10_000, wait: 0)
      for record in page.records where record["kind"] != "change" {
        writer.write(record)
        count += 1
      }
      reader.cursor = page.cursor ?? reader.cursor
      writer.flush()
      if page.isEnd { break }
    }
    Console.report("\(Format.grouped(count)) movements as of \(FieldKind.cell("asof", "\(moment)").text)")
  }

  private static func members(_ invocation: Invocation, _ writer: ExportWriter) throws(ClientError) {
    var reader = CutReader(invocation.target, words: invocation.flags["where"].map { " " + $0 } ?? "")
    var pages: [String] = []
    var count = 0
    while !reader.isOver {
      let page = try reader.next {
        // Nothing of another moment is printed.
        (pages, count) = ([], 0)
        Console.report("begins anew: \($0)")
      }
      for record in page { writer.write(record) }
      count += page.count
      pages.append(writer.take())
    }
    writer.begin()
    writer.flush()
    for page in pages { Console.write(page) }
    Console.report("\(Format.grouped(count)) members as of \(FieldKind.cell("asof", "\(reader.moment ?? 0)").text)")
  }
}

/// Writes records to standard output.
final class ExportWriter {
  static let transactions = [
    "shard", "tx", "time", "kind", "member", "points", "balance", "program", "merchant", "spend", "request", "of",
    "held",
    "from", "to", "by", "reason", "event", "active", "expires", "effective",
  ]
  static let members = [
    "member", "state", "name", "region", "cards", "aliases", "cardtypes", "since", "class", "tier", "tags", "birthday",
    "referrer", "channel", "language", "manager", "rating",
  ]

  private let columns: [String]
  private let isJSON: Bool
  private var text = ""

  /// - Parameter columns: of comma-separated values; all other fields of a record stand in a last one, `more`, as words.
  init(_ columns: [String], isJSON: Bool) { (self.columns, self.isJSON) = (columns, isJSON) }

  func begin() { if !isJSON { text += CSV.line(columns + ["more"]) } }
  func write(_ record: Record) {
    let fields = record.fields.filter { $0.key != "cursor" }
    guard !isJSON else {
      text += JSON(Record(fields.map { ($0.key, $0.value) })).compact + "\n"
      return
    }
    text += ExportWriter.row(fields, columns)
  }
  static func row(_ fields: [Record.Field], _ columns: [String]) -> String {
    var rest = fields
    var values: [String] = []
    for column in columns {
      let place = rest.firstIndex { $0.key == column }
      values.append(place.map { rest.remove(at: $0).value } ?? "")
    }
    let more = rest.map { "\($0.key)=\(Words.quote($0.value))" }.joined(separator: " ")
    return CSV.line(values + [more])
  }
  func flush() { Console.write(take()) }
  /// What was written since it was last taken.
  func take() -> String {
    defer { text = "" }
    return text
  }
}
