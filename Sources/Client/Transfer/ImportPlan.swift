import Base
import Replies
import Vocabulary

/// How the rows of a file become requests: which verb, which column is which of its words.
struct ImportPlan: Sendable {
  struct Kind: Sendable {
    let word: String
    let verb: String
    /// The columns that may stand for the verb's first word.
    let places: [String]
    var clientCount = 24
    /// Requests in flight on each connection.
    var pipelineDepth = 64
  }
  static let kinds = [
    // One with a card is decided in two shards, one after the other, which takes thrice as long.
    Kind(word: "members", verb: "MEMBER ADD", places: ["member", "id"], pipelineDepth: 512),
    Kind(word: "purchases", verb: "EARN", places: ["who", "member", "customer"]),
    // Each waits until all shards know it, and a connection has one under way.
    Kind(word: "products", verb: "PRODUCT SET", places: ["sku", "product"], clientCount: 192),
  ]
  /// What there will be.
  static let later = ["codes", "recharges"]

  let kind: Kind
  let spec: VerbSpec
  /// The file's digest in the ids of rows that have none: 16 digits.
  var digest = ""
  /// By column: the word before its value, such as `spend=`; nil: it is left out, or is another part.
  private(set) var words: [String?] = []
  private(set) var place = 0
  private(set) var id: Int?
  /// Stands behind each row's own words.
  private let rest: String

  /// - Parameters:
  ///   - header: the names of the columns.
  ///   - ignored: columns that are left out.
  ///   - with: `key=value` words for each row.
  init(_ kind: Kind, header: [String], ignored: [String] = [], with: String = "") throws(ClientError) {
    guard let spec = VerbSpec.all.first(where: { $0.words.joined(separator: " ") == kind.verb }) else {
      throw .usage("import \(kind.word): this build has no \(kind.verb)")
    }
    (self.kind, self.spec) = (kind, spec)
    let keys = spec.arguments.filter { $0.isKeyed && $0.name != "x.NAME" }.map(\.name)
    guard let name = kind.places.first(where: header.contains), let place = header.firstIndex(of: name) else {
      throw .usage("the first line names the columns: one of \(kind.places.joined(separator: ", ")) must be there")
    }
    guard Set(header).count == header.count else { throw .usage("a column is named twice in the first line") }
    self.place = place
    id = name == "id" ? nil : header.firstIndex(of: "id")
    for (number, column) in header.enumerated() {
      if number == place || number == id || ignored.contains(column) {
        words.append(nil)
      } else if keys.contains(column) || (column.hasPrefix("x.") && spec.arguments.contains { $0.name == "x.NAME" }) {
        words.append("\(column)=")
      } else {
        throw .usage(
          "column '\(column)' is none of \(kind.word): \(kind.places.joined(separator: "|")), \(keys.joined(separator: ", "))"
            + " (--ignore leaves it out)")
      }
    }
    rest = with.isEmpty ? "" : " " + with
    for column in ignored where !header.contains(column) { throw .usage("--ignore \(column): there is no such column") }
  }

  /// Whether a row that was refused so may be taken once others were posted: it names a referrer that is a later row.
  func mayComeLater(_ reason: String) -> Bool { reason.hasPrefix("NOTFOUND referrer=") }

  /// The id of a row's request: the column's, else the file's digest and the line's number.
  private func id(of row: CSVReader.Row) -> String {
    if let id, !row.fields[id].isEmpty { return row.fields[id] }
    return "imp-\(digest)-\(row.line)"
  }
  private var hasID: Bool { spec.argument(.id) != nil }

  /// The request of a row, without its line's end.
  func append(_ row: CSVReader.Row, to line: inout String) {
    line += kind.verb
    line += " "
    line += Words.quote(row.fields[place])
    for (number, word) in words.enumerated() where word != nil && !row.fields[number].isEmpty {
      line += " "
      line += word ?? ""
      line += Words.quote(row.fields[number])
    }
    line += rest
    if hasID { line += " id=\(Words.quote(id(of: row)))" }
  }

  /// What is wrong with a row that no node need be asked about; nil: nothing.
  func fault(of row: CSVReader.Row) -> String? {
    if let fault = row.fault { return fault }
    guard row.fields.count == words.count else {
      return "it has \(row.fields.count) fields, the first line \(words.count)"
    }
    return row.fields[place].isEmpty ? "\(kind.places[0]) is empty" : nil
  }
  /// The same, and whether each value has its shape: what a node would say, for a trial.
  func deepFault(of row: CSVReader.Row) -> String? {
    if let fault = fault(of: row) { return fault }
    if let first = spec.positionals.first, !ImportPlan.accepts(first.shape, row.fields[place]) {
      return "\(first.name) must be \(first.requirement)"
    }
    for (number, word) in words.enumerated() where word != nil && !row.fields[number].isEmpty {
      guard let argument = spec.arguments.first(where: { "\($0.name)=" == word }), argument.key != nil else { continue }
      guard ImportPlan.accepts(argument.shape, row.fields[number]) else {
        return "\(argument.name)= must be \(argument.requirement)"
      }
    }
    return nil
  }
  private static func accepts(_ shape: Shape, _ text: String) -> Bool {
    Array(text.utf8).withUnsafeBytes { shape.accepts($0) }
  }
}
