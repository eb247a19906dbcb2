import Foundation
import Replies
import Testing

@testable import Simulator

@Suite struct StoryTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Stories")
  static let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
    .filter { $0.hasSuffix(".story") }.sorted()

  @Test func thereAreStories() { #expect(StoryTests.files.count >= 7) }

  @Test(arguments: files) func aStoryGoesAsItSays(file: String) throws {
    let path = StoryTests.folder.appendingPathComponent(file).path
    let run = StoryRun(try Story(parsing: String(contentsOfFile: path, encoding: .utf8), path: file))
    run.run()
    #expect(run.failures == [])
  }

  /// What a page shows indented is a request, and no error comes of it.
  @Test func thePageAboutProgrammesGoesAsItIsWritten() throws {
    let page = StoryTests.folder.deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("docs/programme.md")
    let requests = try String(contentsOf: page, encoding: .utf8).split(separator: "\n").filter {
      $0.hasPrefix("    ") && $0.dropFirst(4).first?.isUppercase == true
    }
    #expect(requests.count > 60)
    let story = "@ time 2026-03-10T10:00:00Z\n" + requests.map { "> \($0.dropFirst(4))\n" }.joined()
    let run = StoryRun(try Story(parsing: story, path: "programme.md"))
    run.run()
    #expect(run.failures == [])
  }

  @Test func aStoryThatGoesOtherwiseTellsTheLineWhatWasExpectedAndWhatCame() throws {
    let story = try Story(
      parsing: """
        @ time 2026-03-01T00:00:00Z
        > PROGRAM SET p earn=1/100
        < OK
        > MERCHANT SET m program=p
        > MEMBER ADD ann
        > EARN ann merchant=m spend=1000 id=e1
        < points=11
        @ node 4
        > EARN ann merchant=m spend=1000 id=e1 tx=$none
        @ time 2026-02-01T00:00:00Z
        """, path: "wrong.story")
    let run = StoryRun(story)
    run.run()
    #expect(run.commandCount == 5)
    try #require(run.failures.count == 4)
    #expect(
      run.failures[0].hasPrefix("wrong.story:6: > EARN ann merchant=m spend=1000 id=e1\n    line 7: points differs"))
    #expect(run.failures[0].contains("expected: points=11\n    got:      tx="))
    #expect(run.failures[1] == "wrong.story:8: @ node 4\n    there are 3 nodes")
    #expect(run.failures[2].hasSuffix("$none was not kept"))
    #expect(run.failures[3].hasSuffix("the clocks are past that, and never go back"))
  }

  @Test(arguments: ["EARN ann", "< OK", "@ moon", "@ node 0", "@ settle now", "@ time noon", ">"])
  func whatIsNotAStoryIsNamedByItsLine(line: String) {
    let error = #expect(throws: StoryError.self) {
      try Story(parsing: "# one\n@ settle\n\(line)\n", path: "s.story")
    }
    #expect(error?.description.hasPrefix("s.story:3: ") == true)
  }

  /// Why a reply is not the expected one; nil if it is.
  private func wrong(_ lines: [String], _ reply: Value, _ kept: inout Variables) -> String? {
    let expected = Expectation(lines: lines.enumerated().map { Story.Line(number: $0 + 1, text: $1) })
    do {
      try expected.check(reply, &kept)
      return nil
    } catch { return error.description.split(separator: "\n").first.map(String.init) }
  }
  private func wrong(_ lines: [String], _ reply: Value) -> String? {
    var kept = Variables()
    return wrong(lines, reply, &kept)
  }

  @Test func aRecordHasAtLeastTheFields() {
    let record = Value.text(#"points=5 name="Ann Lee" capped=0"#)
    #expect(wrong([#"points=5 name="Ann Lee" capped=*"#], record) == nil)
    #expect(wrong(["points=5 !balance"], record) == nil)
    #expect(wrong(["points=6"], record) == "line 1: points differs")
    #expect(wrong(["balance=*"], record) == "line 1: balance is missing")
    #expect(wrong(["!capped"], record) == "line 1: capped is there")
    #expect(wrong(["OK"], record) == "line 1: another reply")
    #expect(wrong(["points=5"], .error(code: "ERR", text: "points=5")) == "line 1: not such a reply")
  }

  @Test func anErrorHasTheCodeAndFields() {
    let error = Value.error(code: "INSUFFICIENT", text: "can't: available=12 needed=100")
    #expect(wrong(["-INSUFFICIENT available=12"], error) == nil)
    #expect(wrong(["-INSUFFICIENT available=13"], error) == "line 1: available differs")
    #expect(wrong(["-INS"], error) == "line 1: another error")
    #expect(wrong(["-INSUFFICIENT"], .text("OK")) == "line 1: not an error")
    #expect(wrong([], error) == "expected: anything but an error")
    #expect(wrong([], .text("OK")) == nil)
  }

  @Test func recordsAreCountedAndInOrder() {
    let rows = Value.array([.text("a=1"), .text("a=2"), .text("a=3")])
    #expect(wrong(["3 records"], rows) == nil)
    #expect(wrong(["2 records", "a=1", "a=2", "…"], rows) == nil)
    #expect(wrong(["2 records"], rows) == "expected: 2 records")
    #expect(wrong(["3 records", "a=1", "a=3", "a=2"], rows) == "line 3: a differs")
    #expect(wrong(["4 records", "a=1"], rows) == "line 1: says 4 records and lists 1")
    #expect(wrong(["OK", "OK"], .text("OK")) == "line 2: one reply is one line `<`, unless it is `< N records`")
  }

  @Test func aNameKeepsTheValueThatItMetFirst() throws {
    var kept = Variables()
    #expect(wrong(["tx=$t1"], .text("tx=7-1"), &kept) == nil)
    #expect(wrong(["tx=$t1"], .text("tx=7-1"), &kept) == nil)
    #expect(wrong(["tx=$t1"], .text("tx=7-2"), &kept) == "line 1: tx is not $t1=7-1")
    #expect(try kept.filled("REFUND $t1 id=$ $") == "REFUND 7-1 id=$ $")
    #expect(throws: StoryError.self) { try kept.filled("REFUND $t2") }
  }
}
