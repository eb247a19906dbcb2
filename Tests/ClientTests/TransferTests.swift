import Base
import Foundation
import Replies
import Testing

@testable import Client

@Suite struct CSVTests {
  /// Reads a text in pieces of so many bytes.
  private func rows(_ text: [UInt8], piece: Int = 7, at offset: Int = 0, line: Int = 1) throws -> [CSVReader.Row] {
    var rest = text[offset...]
    var reader = CSVReader(at: offset, line: line) { buffer in
      let next = rest.prefix(min(piece, buffer.count))
      next.withUnsafeBytes { buffer.copyMemory(from: $0) }
      rest = rest.dropFirst(next.count)
      return next.count
    }
    var all: [CSVReader.Row] = []
    while let row = try reader.next() {
      all.append(row)
      reader.trim()
    }
    return all
  }
  private func fields(_ text: String) throws -> [[String]] { try rows(Array(text.utf8)).map(\.fields) }

  @Test func readsWhatTheStandardSays() throws {
    #expect(try fields("a,b\r\n1,2\r\n") == [["a", "b"], ["1", "2"]])
    #expect(try fields("a,b\n1,2") == [["a", "b"], ["1", "2"]])
    #expect(try fields("\"a,1\",\"b \"\"x\"\"\"\n\"two\r\nlines\",\n") == [["a,1", "b \"x\""], ["two\r\nlines", ""]])
    #expect(try fields("\u{FEFF}name\nann") == [["name"], ["ann"]])
    #expect(try fields("") == [] && fields("\n") == [[""]] && fields("\"\",") == [["", ""]])
    #expect(try fields("a\rb,c\n") == [["a\rb", "c"]])
  }
  /// Lines are counted as an editor counts them, and reading may begin at any row.
  @Test func knowsWhereRowsBegin() throws {
    let text = Array("h,i\n\"x\ny\",1\nz,2\n".utf8)
    let all = try rows(text)
    #expect(all.map(\.line) == [1, 2, 4] && all.map(\.offset) == [0, 4, 12])
    for (place, row) in all.enumerated() {
      #expect(try rows(text, at: row.offset, line: row.line) == Array(all[place...]))
    }
  }
  @Test func namesWhatIsWrongAndGoesOnWithTheNextRow() throws {
    func faults(_ text: [UInt8]) throws -> [String?] { try rows(text).map(\.fault) }
    #expect(try faults(Array("a\"b,c\nd\n".utf8)) == ["a quote stands in the midst of a field", nil])
    #expect(try faults(Array("\"a\"b\nd\n".utf8)) == ["a quote stands in the midst of a field", nil])
    #expect(try faults(Array("a\n\"b\n".utf8)) == [nil, "a quote is left open"])
    #expect(try faults([97, 0xFF, 10, 98, 10]) == ["it is no UTF-8", nil])
    let many = String(repeating: ",", count: CSVReader.mostFields) + "\nb\n"
    #expect(try faults(Array(many.utf8)) == ["it has more than 256 fields", nil])
    let long = String(repeating: "x", count: CSVReader.mostBytes + 5) + "\nb\n"
    #expect(try rows(Array(long.utf8), piece: 4_096).map(\.fault) == ["it is longer than 65536 bytes", nil])
  }
  @Test func readsWhatItWrites() throws {
    var random = SeededGenerator(seed: 11)
    let pieces = ["a", ",", "\"", "\r\n", "\n", "", "ä", " ", "x1"]
    for _ in 0..<300 {
      let written = (0...random.next() % 5).map { _ in
        (0...random.next() % 4).map { _ in
          (0..<random.next() % 5).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }.joined()
        }
      }
      let text = Array(written.map(CSV.line).joined().utf8)
      #expect(try rows(text, piece: 1 + Int(random.next() % 9)).map(\.fields) == written)
    }
  }
}

@Suite struct ImportTests {
  private func file(_ text: String) throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("import-\(UUID().uuidString).csv").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }
  private func remove(_ path: String) {
    for end in ["", ".import", ".refused.csv", ".refused.csv.dry-run"] {
      try? FileManager.default.removeItem(atPath: path + end)
    }
  }
  private func plan(_ kind: String, _ header: [String], with: String = "") throws -> ImportPlan {
    try ImportPlan(try #require(ImportPlan.kinds.first { $0.word == kind }), header: header, with: with)
  }
  private func line(_ plan: ImportPlan, _ fields: [String]) -> String {
    var line = ""
    plan.append(CSVReader.Row(fields: fields, line: 9), to: &line)
    return line
  }

  @Test func rowsBecomeRequests() throws {
    var purchases = try plan("purchases", ["id", "member", "spend", "merchant", "at"], with: "program=main")
    purchases.digest = "00ff"
    #expect(
      line(purchases, ["r1", "ann", "1250", "shop", ""]) == "EARN ann spend=1250 merchant=shop program=main id=r1")
    #expect(
      line(purchases, ["", "card:40-17", "1", "s", "2026-01-01"]).hasSuffix("at=2026-01-01 program=main id=imp-00ff-9"))
    var members = try plan("members", ["id", "name", "x.crm"])
    members.digest = "00ff"
    #expect(
      line(members, ["ann", "Ann \"A\" Lee", "7"]) == #"MEMBER ADD ann name="Ann \"A\" Lee" x.crm=7 id=imp-00ff-9"#)
    #expect(try line(plan("products", ["sku", "title"]), ["tea", "Tea"]).hasPrefix("PRODUCT SET tea title=Tea id="))
  }
  @Test func columnsMustBeKnown() throws {
    #expect(throws: ClientError.self) { try plan("purchases", ["spend"]) }
    #expect(throws: ClientError.self) { try plan("purchases", ["who", "colour"]) }
    #expect(throws: ClientError.self) { try plan("members", ["id", "name", "name"]) }
    #expect(
      try plan("purchases", ["who", "spend"]).deepFault(of: .init(fields: ["ann", "1.50"]))?.hasPrefix("spend= must be")
        ?? false)
    #expect(
      try plan("purchases", ["who", "spend"]).fault(of: .init(fields: ["ann"])) == "it has 1 fields, the first line 2")
  }
  /// Said twice it moves nothing twice; what is refused is told with its line.
  @Test func eachRowCountsOnce() throws {
    let cluster = try FakeCluster()
    for member in 0..<20 { _ = cluster.answer("MEMBER ADD m\(member)") }
    cluster.faults = FakeCluster.Faults(
      errorEvery: 7, errorLine: "-UNKNOWN not learnt", appliesAnyway: true, dropAfter: 90)
    let rows = (0..<500).map { "m\($0 % 20),3\n" }.joined()
    let path = try file("member,points\n\(rows)nobody,3\n\"broken\n")
    defer { remove(path) }
    let table = CommandTable(ClientCommands.all)
    let words = [
      "import", "purchases", path, "--with", "merchant=s", "--to", cluster.addresses, "--json", "--pipeline", "8",
    ]
    for _ in 0..<2 {
      #expect(table.run(words) == 2)
      #expect(cluster.totalPoints == 1_500 && cluster.transactionCount == 500)
    }
    let refused = try String(contentsOfFile: path + ".refused.csv", encoding: .utf8).split(separator: "\r\n")
    #expect(refused.count == 3 && refused[0] == "line,reason,member,points", "\(refused)")
    #expect(refused[1].hasPrefix("502,") && refused[1].hasSuffix(",nobody,3"))
    #expect(refused[2] == "503,a quote is left open")
    #expect(!FileManager.default.fileExists(atPath: path + ".import"))
    #expect(table.run(words + ["--dry-run"]) == 2)
    #expect(cluster.transactionCount == 500)
  }
  /// Who is referred to by a row before its own is there for that, however many refer to each other; nobody else is.
  @Test func aReferrerMayBeALaterRow() throws {
    let cluster = try FakeCluster()
    let rows = (0..<40).map { "m\($0),\($0 < 39 ? "m\($0 + 1)" : "")\n" }.joined()
    let path = try file("id,referrer\n\(rows)stray,nobody\n\"broken\n")
    defer { remove(path) }
    let table = CommandTable(ClientCommands.all)
    #expect(table.run(["import", "members", path, "--to", cluster.addresses, "--json", "--pipeline", "64"]) == 2)
    #expect(cluster.memberCount == 40)
    let refused = try String(contentsOfFile: path + ".refused.csv", encoding: .utf8).split(separator: "\r\n")
    #expect(refused.count == 3, "\(refused)")
    #expect(refused[1].hasPrefix("42,\"NOTFOUND referrer=") || refused[1].hasPrefix("42,NOTFOUND referrer="))
  }
  /// Whoever posts signs in on every connection. Signed out meanwhile, no row is taken for refused.
  @Test func whoPostsSignsIn() throws {
    let cluster = try FakeCluster(nodeCount: 1)
    _ = cluster.answer("MEMBER ADD ann")
    let path = try file("member,points\n" + String(repeating: "ann,3\n", count: 100))
    let secret = path + ".secret"
    defer {
      remove(path)
      try? FileManager.default.removeItem(atPath: secret)
    }
    try "s-till\n".write(toFile: secret, atomically: true, encoding: .utf8)
    let words = [
      "import", "purchases", path, "--with", "merchant=s", "--to", cluster.addresses, "--json", "--clients", "4",
      "--user",
      "till", "--secret-file", secret,
    ]
    let table = CommandTable(ClientCommands.all)
    cluster.faults = FakeCluster.Faults(errorEvery: 9, errorLine: "-NOAUTH Authentication required.")
    #expect(table.run(words) == 2)
    #expect((try? String(contentsOfFile: path + ".refused.csv", encoding: .utf8))?.contains("NOAUTH") != true)
    cluster.faults = FakeCluster.Faults()
    #expect(table.run(words) == 0)
    #expect(cluster.transactionCount == 100)
    #expect(cluster.signedIn.count >= 8 && cluster.signedIn.allSatisfy { $0 == "till" }, "\(cluster.signedIn)")
    try "wrong\n".write(toFile: secret, atomically: true, encoding: .utf8)
    #expect(table.run(words + ["--patience", "3"]) == 2)
  }
  /// What was broken off goes on behind what was answered.
  @Test func goesOnWhereItWasBrokenOff() throws {
    let cluster = try FakeCluster(nodeCount: 1)
    let path = try file("member,name\n" + (0..<100).map { "m\($0),n\n" }.joined())
    defer { remove(path) }
    let digest = SHA256.digest(Array(try String(contentsOfFile: path, encoding: .utf8).utf8)).hex
    var state = Import.State()
    (state.offset, state.line, state.accepted) = (12 + 10 * 5, 12, 10)
    try KeptText(path: path + ".import").write(state.text(kind: "members", digest: digest))
    let table = CommandTable(ClientCommands.all)
    #expect(table.run(["import", "members", path, "--to", cluster.addresses, "--json"]) == 0)
    #expect(cluster.memberCount == 90)
    // Of another file it says nothing.
    try KeptText(path: path + ".import").write(state.text(kind: "members", digest: "00"))
    #expect(table.run(["import", "members", path, "--to", cluster.addresses, "--json"]) == 0)
    #expect(cluster.memberCount == 100)
  }
  @Test func whatThisBuildHasNotIsRefused() throws {
    let table = CommandTable(ClientCommands.all)
    #expect(table.run(["import", "codes", "x.csv"]) == 2)
    #expect(table.run(["import", "cats", "x.csv"]) == 1)
    #expect(table.run(["export", "orders"]) == 2)
  }
}

@Suite struct FeedCommandTests {
  @Test func aURLIsRead() throws {
    let post = try HTTPPost("http://10.0.0.1:8080/in?x=1")
    #expect(post.endpoint == Endpoint(host: "10.0.0.1", port: 8080) && post.path == "/in?x=1")
    #expect(try HTTPPost("http://host").endpoint.port == 80 && HTTPPost("http://host").path == "/")
    let secure = try HTTPPost("https://host/in")
    #expect(secure.endpoint.port == 443 && secure.endpoint.security?.verification == .signed)
    #expect(post.endpoint.security == nil)
    #expect(throws: ClientError.self) { try HTTPPost("https://host/", authorities: "/nowhere") }
    #expect(throws: ClientError.self) { try HTTPPost("http://host/", authorities: "ca.crt") }
    for text in ["ftp://host", "http://", "http://u@host/", "http://host/a b"] {
      #expect(throws: ClientError.self) { try HTTPPost(text) }
    }
  }
  @Test func anAnswerOverHTTPIsRead() throws {
    func status(_ text: String) throws -> Int? { try HTTPPost.status(of: Array(text.utf8)) }
    #expect(try status("HTTP/1.1 204 No Content\r\n") == 204 && status("HTTP/1.1 20") == nil)
    #expect(try status("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n") == 503)
    #expect(throws: ClientError.self) { try status("SSH-2.0-x\r\n") }
    #expect(HTTPPost.outcome(ofStatus: 201) == .accepted)
    #expect(
      HTTPPost.outcome(ofStatus: 429) == .failed("HTTP 429") && HTTPPost.outcome(ofStatus: 500) == .failed("HTTP 500"))
    #expect(HTTPPost.outcome(ofStatus: 404) == .refused("HTTP 404"))
  }
  @Test func aBatchIsAnObject() {
    let records = [Record([("cursor", "c2"), ("shard", "3"), ("points", "12"), ("member", "a\"b")])]
    #expect(
      PostingSink.body(records, from: nil, to: "c2")
        == #"{"from":null,"cursor":"c2","records":[{"cursor":"c2","shard":3,"points":12,"member":"a\"b"}]}"# + "\n")
    #expect(PrintingSink.line(Record([("name", "Ann Lee"), ("by", "")])) == #"name="Ann Lee" by="""#)
  }
  /// It goes on behind the cursor in the file, also when it is said again.
  @Test func theCursorIsKept() throws {
    let cluster = try FakeCluster(nodeCount: 2)
    _ = cluster.answer("MEMBER ADD m1")
    for number in 0..<25 { _ = cluster.answer("EARN m1 merchant=s points=2 id=e\(number)") }
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("cursor-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let table = CommandTable(ClientCommands.all)
    let words = ["feed", "--cursor", path, "--limit", "10", "--to", cluster.addresses]
    #expect(table.run(words) == 0)
    #expect(try KeptText(path: path).read() == "25")
    _ = cluster.answer("EARN m1 merchant=s points=2 id=e25")
    #expect(table.run(words) == 0)
    #expect(try KeptText(path: path).read() == "26")
    #expect(table.run(words + ["--from", "30"]) == 2)
  }
  /// A column a key, quoted as the standard says.
  @Test func aReportIsCSV() throws {
    let records = [
      Record([("merchant", "a, b"), ("issued", "5")]), Record([("merchant", "x"), ("issued", "1"), ("adjusted", "2")]),
    ]
    #expect(ReportCommand.csv(records) == "merchant,issued,adjusted\r\n\"a, b\",5,\r\nx,1,2\r\n")
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let to = ["--to", cluster.addresses]
    for words in [["points", "main"], ["points", "main", "by=merchant", "format=csv"], ["points", "main", "--csv"]] {
      #expect(table.run(["report"] + words + to) == 0)
    }
    #expect(table.run(["report", "points", "main", "--csv", "--json"] + to) == 1)
    #expect(table.run(["report", "points", "main", "format=xml"] + to) == 1)
    #expect(table.run(["report", "cats"] + to) == 1)
  }
  /// What is told ends at an audit's moment.
  @Test func anExportIsOfOneMoment() throws {
    let cluster = try FakeCluster(nodeCount: 1)
    _ = cluster.answer("MEMBER ADD m1")
    for number in 0..<5 { _ = cluster.answer("EARN m1 merchant=s points=2 id=e\(number)") }
    let table = CommandTable(ClientCommands.all)
    #expect(table.run(["export", "transactions", "--to", cluster.addresses]) == 0)
    #expect(cluster.asked.contains { $0.hasPrefix("FEED") && $0.contains("until=1764385200000") }, "\(cluster.asked)")
  }
  @Test func aRowHasAllFields() {
    let fields = Record([("tx", "1-1"), ("new", "a b"), ("shard", "2")]).fields
    #expect(ExportWriter.row(fields, ["shard", "tx", "kind"]) == "2,1-1,,\"new=\"\"a b\"\"\"\r\n")
  }
}
