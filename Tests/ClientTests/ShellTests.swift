import Replies
import Testing

@testable import Client

@Suite struct ShellTests {
  private func type(_ text: String, into editor: inout LineEditor) -> [LineEditor.Event] {
    var decoder = KeyDecoder()
    return text.utf8.flatMap { decoder.feed($0) }.map { editor.handle($0) }
  }

  @Test(
    arguments: [
      ("balance ann\u{1}x", "xbalance ann"), ("abc\u{2}\u{2}x", "axbc"), ("abc\u{1}\u{6}\u{B}", "a"),
      ("abc def\u{17}", "abc "), ("abc def\u{15}x", "x"), ("abc\u{7F}\u{8}", "a"), ("abc\u{1B}[D\u{1B}[3~", "ab"),
      ("abc\u{1B}[H\u{4}", "bc"), ("abc\u{1B}OHx\u{1B}OFy", "xabcy"), ("a b c\u{1B}[1;5D\u{1B}[1;5Dx", "a xb c"),
      ("a\u{1B}[99~b\u{1B}xc", "abc"), ("积分\u{7F}卡", "积卡"), ("é✓", "é✓"),
    ])
  func keysEditTheLine(typed: String, line: String) {
    var editor = LineEditor()
    _ = type(typed, into: &editor)
    #expect(editor.line == line)
  }

  @Test func arrowsRecallLinesAndTheDraftIsNotLost() {
    var editor = LineEditor(history: ["one", "two"])
    _ = type("dra\u{1B}[A", into: &editor)
    #expect(editor.line == "two")
    _ = type("\u{1B}[A\u{1B}[A\u{1B}[A", into: &editor)
    #expect(editor.line == "one")
    _ = type("\u{1B}[B\u{1B}[B", into: &editor)
    #expect(editor.line == "dra")
    #expect(type("\r", into: &editor) == [.submitted("dra")])
    editor.remember("dra")
    editor.remember("dra")
    _ = type("\u{10}\u{10}", into: &editor)
    #expect(editor.line == "two")
  }

  /// Ctrl-R, letters, and again: from the newest line to older ones.
  @Test func ctrlRFindsALineThatWasTypedBefore() {
    let history = ["earn ann merchant=shop", "balance ann", "EARN bob merchant=cafe", "balance bob"]
    var editor = LineEditor(history: history)
    _ = type("dra\u{12}ea", into: &editor)
    #expect(editor.line == history[2] && editor.search?.isMissing == false)
    _ = type("\u{12}", into: &editor)
    #expect(editor.line == history[0])
    _ = type("\u{12}", into: &editor)
    #expect(editor.line == history[0] && editor.search?.isMissing == true)
    _ = type("\u{7F}\u{7F}bal", into: &editor)
    #expect(editor.line == history[3])
    // Ctrl-C goes back to what was typed, and enter sends what is found; any other key goes on with it.
    #expect(type("\u{3}", into: &editor) == [.edited])
    #expect(editor.line == "dra" && editor.search == nil)
    _ = type("\u{12}cafe\u{5}!", into: &editor)
    #expect(editor.line == history[2] + "!" && editor.search == nil)
    _ = type("\u{12}zz", into: &editor)
    #expect(editor.search?.isMissing == true)
    #expect(type("\r", into: &editor) == [.submitted(history[2] + "!")])
  }

  @Test func whatARequestLacksIsHinted() {
    let completion = Completion()
    #expect(completion.hint(for: "earn").isEmpty && completion.hint(for: "nonsense x").isEmpty)
    #expect(completion.hint(for: "earn ").hasPrefix("WHO merchant="))
    let rest = completion.hint(for: "earn ann merchant=shop id=1 spend=500")
    #expect(
      !rest.contains("WHO") && !rest.contains("merchant=") && !rest.contains("points=") && rest.contains("[program="))
    #expect(completion.hint(for: "member show ") == "WHO" || completion.hint(for: "member show ").hasPrefix("WHO "))
    #expect(completion.hint(for: "tx show 1-1") == "[read=local|leader]")
  }

  @Test func ctrlDLeavesOnlyAnEmptyLineAndCtrlCDropsWhatIsTyped() {
    var editor = LineEditor()
    #expect(type("a\u{4}", into: &editor) == [.edited, .edited])
    #expect(type("\u{3}", into: &editor) == [.interrupted])
    #expect(type("\u{4}", into: &editor) == [.endOfInput])
  }

  @Test func tabOffersVerbsTheirSecondWordsAndTheKeysNotYetGiven() {
    let completion = Completion()
    #expect(completion.candidates(for: "me") == ["MEMBER", "MERCHANT", "MESSAGE"])
    #expect(completion.candidates(for: "member s") == ["SET", "SHOW"])
    #expect(completion.candidates(for: "tx ") == ["SHOW"])
    #expect(completion.candidates(for: "earn ann m") == ["merchant="])
    let keys = completion.candidates(for: "earn ann merchant=m id=1 ")
    #expect(keys.contains("points=") && keys.contains("spend=") && !keys.contains("merchant=") && !keys.contains("id="))
    #expect(completion.candidates(for: "help a").contains("AUDIT"))
    #expect(completion.candidates(for: "member add x n") == ["name="])
    #expect(completion.candidates(for: "tran") == ["TRANSFER"])
    #expect(completion.candidates(for: "exi").contains("EXIT"))
  }

  @Test func tabOffersWhatAValueMayBeAndWhatIsSetUp() {
    let completion = Completion { kind in
      switch kind.word {
      case "MERCHANT": ["shop", "shoes", "cafe"]
      case "PROGRAM": ["gold"]
      case "RULE": ["milk", "mild"]
      case "ORG": ["north", "south"]
      case "TIER": ["base", "silver"]
      case "POLICY": ["staff", "kids", "staff"]
      case "CARDTYPE": ["black"]
      case "CAMPAIGN": ["spring"]
      default: []
      }
    }
    #expect(completion.candidates(for: "earn ann merchant=") == ["merchant=cafe", "merchant=shoes", "merchant=shop"])
    #expect(completion.candidates(for: "EARN ann MERCHANT=sho") == ["merchant=shoes", "merchant=shop"])
    #expect(completion.candidates(for: "balance ann read=") == ["read=leader", "read=local"])
    #expect(completion.candidates(for: "rule set milk stage=b") == ["stage=base", "stage=block", "stage=bonus"])
    #expect(completion.candidates(for: "rule set milk program=") == ["program=gold"])
    #expect(completion.candidates(for: "tier set ").contains("gold"))
    #expect(completion.candidates(for: "tier set gold s") == ["state=", "silver"])
    #expect(completion.candidates(for: "policy show gold s") == ["staff"])
    #expect(completion.candidates(for: "member find tier=") == ["tier=base", "tier=silver"])
    #expect(completion.candidates(for: "member set ann class=s") == ["class=staff"])
    #expect(completion.candidates(for: "alias add card:1 member=ann type=") == ["type=black"])
    #expect(completion.candidates(for: "earn ann type=").isEmpty)
    #expect(completion.candidates(for: "campaign report ") == ["spring"])
    #expect(completion.candidates(for: "rule approve mil") == ["mild", "milk"])
    #expect(completion.candidates(for: "report points g").contains("gold"))
    #expect(completion.candidates(for: "merchant set shop org=north,s") == ["org=north,south"])
    #expect(completion.candidates(for: "rule show mil") == ["mild", "milk"])
    #expect(
      completion.candidates(for: "rule set milk st").contains("stop=")
        && !completion.candidates(for: "rule list ").contains("milk"))
    #expect(
      completion.candidates(for: "policy set ").contains("gold")
        && !completion.candidates(for: "policy set gold ").contains("gold"))
    #expect(
      completion.candidates(for: "due kind=") == ["anniversary", "birthday", "dormant", "expiry"].map { "kind=\($0)" })
    #expect(completion.candidates(for: "case list state=w") == ["state=waiting"])
    #expect(completion.candidates(for: "case open ann kind=r") == ["kind=return"])
    #expect(completion.candidates(for: "adjust ann direction=") == ["direction=down", "direction=up"])
    #expect(completion.candidates(for: "report points gold by=m") == ["by=merchant", "by=month"])
    #expect(completion.candidates(for: "member set ann pool=") == ["pool=none"])
    #expect(completion.candidates(for: "program set gold on-close=t") == ["on-close=transfer:"])
    #expect(completion.candidates(for: "policy set gold staff expire=") == ["expire=activity:", "expire=never"])
    #expect(completion.candidates(for: "tier set gold base gift=") == ["gift=points:"])
    #expect(completion.candidates(for: "nonsense x") == [] && completion.candidates(for: "earn ann id=") == [])
  }

  @Test func repliesAreLinesForScriptsAndTablesForPeople() {
    let value = Value.array([.text("tx=1-2 points=5"), .text("tx=1-10 points=12")])
    let style = Style(isColoured: false, limit: 80)
    #expect(Pretty.plain(value) == ["tx=1-2 points=5", "tx=1-10 points=12"])
    #expect(Pretty.plain(.error(code: "BUSY", text: "")) == ["-BUSY"])
    #expect(Pretty.rich(value, style) == "tx    points\n1-2        5\n1-10      12")
    #expect(Pretty.rich(.text("member=ann since=1700000000000"), style) == "member  ann\nsince   2023-11-14 22:13:20Z")
  }

  @Test func aLineFromTheShellGivesTheExitCodeOfItsReply() throws {
    let cluster = try FakeCluster()
    let table = CommandTable(ClientCommands.all)
    let to = ["--to", cluster.addresses]
    #expect(table.run(["shell", "-c", "PING"] + to) == 0)
    #expect(table.run(["shell", "-c", "NONSENSE"] + to) == 1)
    #expect(table.run(["shell", "-c", "PING\nMEMBER SHOW nobody\nPING"] + to) == 2)
  }
}
