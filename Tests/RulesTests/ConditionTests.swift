import Base
import Testing

@testable import Rules

#if canImport(Glibc)
  import Glibc
#endif

/// The transcripts are in `Tests/RulesTranscripts`: commands, `----`, and what came of them. `REWRITE=1` writes what comes of
/// them now, for a person to review.
@Suite struct ConditionTests {
  private static let directory =
    "\(#filePath)".split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 } + "/RulesTranscripts/"
  struct Unreadable: Error { var path: String }

  @Test(arguments: ["grammar", "errors", "facts"])
  func aTranscriptReplaysAsWritten(_ name: String) throws {
    let path = Self.directory + name + ".txt"
    let text = try Self.read(path)
    let now = try ConditionTranscript.replay(text)
    if getenv("REWRITE") != nil { return try Self.write(now, path) }
    let (before, after) = (text.split(separator: "\n"), now.split(separator: "\n"))
    if let line = zip(before, after).enumerated().first(where: { $1.0 != $1.1 }) {
      Issue.record(
        "\(name): line \(line.offset + 1) (blank ones not counted) was\n\(line.element.0)\nand is\n\(line.element.1)")
    }
    #expect(before.count == after.count)
  }
  private static func read(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw Unreadable(path: path) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = getc(file), byte != EOF { bytes.append(UInt8(byte)) }
    return String(decoding: bytes, as: UTF8.self)
  }
  private static func write(_ text: String, _ path: String) throws {
    guard let file = fopen(path, "w") else { throw Unreadable(path: path) }
    defer { fclose(file) }
    fputs(text, file)
  }

  // MARK: Limits

  @Test func aConditionHas64ComparisonsAndNoMore() throws {
    func text(_ count: Int) -> String { (0..<count).map { "day=\($0 % 10)" }.joined(separator: " or ") }
    #expect(try Condition(text(64)).comparisons.count == 64)
    let error = #expect(throws: ConditionError.self) { try Condition(text(65)) }
    #expect(error?.column == text(64).utf8.count + " or ".utf8.count + 1)
    #expect(error?.message.contains("64") == true)
  }
  @Test func aConditionHas1024BytesAndNoMore() throws {
    let text = "tag = a"
    let filled = text + String(repeating: " ", count: 1_024 - text.utf8.count)
    #expect(try Condition(filled).text == text)
    let error = #expect(throws: ConditionError.self) { try Condition(filled + " ") }
    #expect(error?.column == 1_025)
  }
  /// As deep as its bytes allow, the parser has no stack to run out of.
  @Test func parenthesesAndNotsNestAsDeepAsTheTextIsLong() throws {
    let deep = String(repeating: "(", count: 500) + "tag=a" + String(repeating: ")", count: 500)
    #expect(try Condition(deep).text == "tag = a")
    let nots = String(repeating: "not ", count: 250) + "tag=a"
    #expect(try Condition(nots).jumps == [Condition.Jump()])
    let open = String(repeating: "(", count: 1_019) + "tag=a"
    #expect(throws: ConditionError.self) { try Condition(open) }
  }
  @Test func bytesThatAreNoTextAreRefused() {
    let bytes: [UInt8] = Array("tag = '".utf8) + [0xFF, 0xFE] + Array("'".utf8)
    #expect(throws: ConditionError.self) {
      try bytes.withUnsafeBytes { bytes in Result { () throws(ConditionError) in try Condition(parsing: bytes) } }.get()
    }
  }

  // MARK: Random texts

  /// Words of the language in any order, and bytes changed in conditions that are sound.
  @Test func noTextTrapsAndErrorsPointIntoIt() throws {
    var world = World(seed: 11)
    let words = [
      "and", "or", "not", "(", ")", "in", "=", "!=", "<", "<=", ">", ">=", ",", "'", "\"", "tier", "spend", "x.n", "x.",
      "gold",
      "5", "date", "2026-02-29", "2026-02-28", "today", "birthday", "first", "yes", "weekday", "sat", "é", "!", "-",
      " ", "  ",
    ]
    var (sound, wrong) = (0, 0)
    for round in 0..<30_000 {
      var text: String
      if round % 2 == 0 {
        text = (0..<1 + world.pick(14)).map { _ in world.pick(words) }.joined(separator: world.pick(["", " "]))
      } else {
        text = world.condition(depth: 4).text(&world.dice)
        for _ in 0..<world.pick(3) {
          var bytes = Array(text.utf8)
          let at = world.pick(bytes.count)
          switch world.pick(3) {
          case 0: bytes.remove(at: at)
          case 1: bytes[at] = UInt8(world.pick(256))
          default: bytes.insert(contentsOf: world.pick(words).utf8, at: at)
          }
          text = String(decoding: bytes, as: UTF8.self)
          if text.isEmpty { text = "x" }
        }
      }
      do throws(ConditionError) {
        let condition = try Condition(text)
        sound += 1
        // What it prints is the same condition.
        guard condition.text.utf8.count <= Condition.longest else { continue }
        let again = try Condition(condition.text)
        #expect(again.text == condition.text && again.jumps == condition.jumps, "\(text)")
      } catch {
        wrong += 1
        #expect((1...text.unicodeScalars.count + 1).contains(error.column) && !error.message.isEmpty, "\(text)")
      }
    }
    #expect(sound > 5_000 && wrong > 5_000, "\(sound) sound, \(wrong) wrong")
  }
}
