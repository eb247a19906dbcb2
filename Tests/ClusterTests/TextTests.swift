import Base
import Ledger
import Testing

@testable import Cluster
@testable import Simulator

@Suite struct TextTests {
  private final class Talk {
    let simulation: Simulation
    private let client: SimulatedClient
    init(seed: UInt64, _ lines: [String]) throws {
      simulation = try makeCluster(seed: seed)
      client = try #require(simulation.connect(to: 1))
      for line in lines { try #require(say(line) == "+OK", "\(line)") }
    }
    func say(_ line: String) -> String { ask(simulation, client, line) ?? "no answer" }
    func say(_ line: String, on host: Int) throws -> String {
      ask(simulation, try #require(simulation.connect(to: host)), line) ?? "no answer"
    }
    /// All lines of an answer.
    func all(_ line: String) -> [String] { askAll(simulation, client, line) }
  }
  private static let setUp = [
    "PROGRAM SET main earn=1/100 default=yes expire=12m utc-offset=+08:00", "MERCHANT SET shop program=main",
    "MEMBER ADD ann name=\"Ann {points}\" language=zh-CN", "MEMBER ADD ben", "ALIAS ADD phone:1370 member=ann",
    "ALIAS ADD phone:1371 member=ben",
  ]

  @Test func answersInTheMembersLanguage() throws {
    let talk = try Talk(seed: 885_000, Self.setUp)
    #expect(talk.say("EARN ann merchant=shop spend=1200 id=e1").hasPrefix("+tx="))
    #expect(talk.say("TEXT phone:1370 BAL channel=sms") == "+text=您有12积分。 language=zh")
    #expect(talk.say("TEXT phone:1370 \"　ｂａｌ。 please\"") == "+text=您有12积分。 language=zh")
    #expect(talk.say("TEXT phone:1371 text=\"bal a=b\"") == "+text=\"You have 0 points.\" language=en")
    #expect(talk.say("TEXT phone:1370 PTS") == "+text=\"最近变动：01-01 获得 +12\" language=zh")
    #expect(talk.say("TEXT phone:1371 hist") == "+text=\"There are no movements yet.\" language=en")
    #expect(talk.say("TEXT phone:1370 EXP").hasPrefix("+text=12积分有效期至2027-"))
    #expect(talk.say("TEXT phone:1371 exp") == "+text=\"None of your points end.\" language=en")
    #expect(
      talk.say("TEXT phone:1371 AB12-34CD-9") == "+text=\"Codes are not taken by text message here.\" language=en")
    #expect(talk.say("TEXT phone:1371 what") == "+text=\"Not understood. Send HELP for what you can ask.\" language=en")
    #expect(talk.say("TEXT phone:1371 \"\"").contains("Not understood"))
    #expect(talk.say("TEXT phone:1371").hasPrefix("-ERR TEXT needs"))
    #expect(talk.say("TEXT phone:1371 a text=b").hasPrefix("-ERR TEXT needs"))
    #expect(talk.say("TEXT 1371 BAL").hasPrefix("-ERR "))
  }

  /// A message that was set is what every node answers from then on.
  @Test func whatIsSetIsAnsweredAtOnceAtEveryNode() throws {
    let talk = try Talk(seed: 885_001, Self.setUp)
    for round in 0..<12 {
      #expect(try talk.say("MESSAGE SET hours en \"open \(round)\"", on: round % 3) == "+OK")
      for host in 0..<3 {
        #expect(try talk.say("TEXT phone:1371 hours", on: host) == "+text=\"open \(round)\" language=en", "\(host)")
      }
    }
  }

  @Test func operatorsSayWhatIsAnswered() throws {
    let talk = try Talk(
      seed: 885_001,
      Self.setUp + [
        "MESSAGE SET bal en text=\"{name}: still {points} of {balance} points\"", "MESSAGE SET word.p en BAL",
        "MESSAGE SET hours en \"Open from 9 to 5\"", "MESSAGE SET hours zh 营业时间9点至17点",
        "MESSAGE SET me en \"{name} {nothing} {\"",
      ])
    #expect(talk.say("TEXT phone:1371 P!") == "+text=\": still 0 of 0 points\" language=en")
    #expect(talk.say("TEXT phone:1370 P") == "+text=您有0积分。 language=zh", "its language goes first")
    #expect(talk.say("TEXT phone:1370 Hours") == "+text=营业时间9点至17点 language=zh")
    #expect(talk.say("TEXT phone:1371 HOURS") == "+text=\"Open from 9 to 5\" language=en")
    #expect(talk.say("TEXT phone:1999 hours") == "+text=\"Open from 9 to 5\" language=en", "to whoever asks")
    #expect(talk.say("TEXT phone:1370 me") == "+text=\"Ann {points} {nothing} {\" language=en")
    #expect(talk.say("TEXT phone:1999 me").contains("belongs to no member"))
    #expect(
      talk.say("MESSAGE SHOW hours en").hasPrefix("+key=hours language=en text=\"Open from 9 to 5\" state=active "))
    #expect(talk.say("MESSAGE SET hours en state=stopped") == "+OK")
    #expect(talk.say("TEXT phone:1371 hours").contains("Not understood"))
    #expect(talk.say("MESSAGE SET nothing en").hasPrefix("-ERR "))
  }

  /// A number that is nobody's becomes a member's by JOIN, once, however often and wherever it is said.
  @Test func aNumberJoinsOnce() throws {
    let talk = try Talk(seed: 885_002, Self.setUp)
    #expect(
      talk.say("TEXT phone:1999 BAL")
        == "+text=\"This number belongs to no member. Send JOIN to become one.\" language=en")
    #expect(talk.say("TEXT phone:1999 帮助 language=zh").hasPrefix("+text=发送BAL"))
    let joined = "+text=您已是会员，有0积分。发送HELP获取帮助。 language=zh"
    #expect(talk.say("TEXT phone:1999 JOIN language=zh channel=sms") == joined)
    #expect(try talk.say("TEXT phone:1999 join language=zh channel=sms", on: 2) == joined)
    let shown = talk.say("MEMBER SHOW phone:1999")
    #expect(shown.contains(" aliases=phone:1999 ") && shown.contains(" channel=sms language=zh"))
    #expect(talk.all("MEMBER FIND").count == 5, "three members, and a cursor")
    // Whoever has the number next is somebody else.
    #expect(talk.say("EARN phone:1999 merchant=shop spend=500 id=e2").contains("balance=5"))
    #expect(talk.say("ALIAS REMOVE phone:1999") == "+OK")
    #expect(talk.say("TEXT phone:1999 BAL").contains("belongs to no member"))
    #expect(talk.say("TEXT phone:1999 JOIN").contains("You are a member and have 0 points."))
    #expect(talk.say("BALANCE phone:1999").contains(" balance=0 "))
  }

  /// Two texts at two nodes at once, of which one makes the member.
  @Test func twoAtOnceJoinOnce() throws {
    let talk = try Talk(seed: 885_003, Self.setUp)
    let clients = try (0..<3).map { try #require(talk.simulation.connect(to: $0)) }
    for client in clients { talk.simulation.send("TEXT phone:1999 JOIN\n", on: client) }
    talk.simulation.run(for: 20_000_000) { clients.allSatisfy { $0.lineCount > 0 } }
    #expect(clients.flatMap(\.lines).allSatisfy { $0.hasPrefix("+text=\"You are a member") }, "\(clients.map(\.lines))")
    #expect(talk.all("MEMBER FIND").count == 5)
  }

  /// While some node may not know messages, and members who begin with an alias, none come about.
  @Test func olderBuildsAreWaitedFor() throws {
    let simulation = try makeCluster(seed: 885_004) { $0.semantics = 4 }
    let client = try #require(simulation.connect(to: 0))
    func say(_ line: String) -> String { ask(simulation, client, line) ?? "no answer" }
    #expect(say("PROGRAM SET main earn=1/100") == "+OK" && say("MEMBER ADD ann") == "+OK")
    #expect(say("ALIAS ADD phone:1370 member=ann") == "+OK")
    #expect(say("TEXT phone:1370 BAL") == "+text=\"You have 0 points.\" language=en")
    #expect(say("TEXT phone:1999 JOIN").hasPrefix("-UNAVAILABLE not every node knows this yet"))
    #expect(say("MESSAGE SET bal en text").contains("not every node knows"))
    #expect(say("BALANCE phone:1999").hasPrefix("-NOTFOUND "))
  }

  @Test func answersAreBounded() {
    var facts = TextFacts()
    facts.name = String(repeating: "名", count: 80)
    let text = facts.filled(into: String(repeating: "{name}", count: 100))
    #expect(text.utf8.count <= TextFacts.mostBytes && text.hasSuffix("名…"))
    #expect(TextFacts(name: "{points}", available: 3).filled(into: "{name}{points}}{") == "{points}3}{")
  }
}
