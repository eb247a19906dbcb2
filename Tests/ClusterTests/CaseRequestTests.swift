import Simulator
import Testing

@testable import Cluster

/// Adjustments and cases as users of several roles ask for them: what the trail has of them, and how much of it there may be.
@Suite struct CaseRequestTests {
  @Test func theTrailSaysWhoAdjusted() throws {
    let guarded = try Guarded(seed: 883_001)
    #expect(guarded.say("operator", "USER SET support adjust-limit=100") == "+OK")
    #expect(guarded.say("support", "ADJUST ann points=50 direction=up reason=goodwill id=a1").hasPrefix("+tx="))
    let waiting = guarded.say("support", "ADJUST ann points=101 direction=up reason=goodwill id=a2")
    #expect(waiting.hasPrefix("+case=") && waiting.hasSuffix("state=waiting"), "\(waiting)")
    let number = waiting.split(separator: " ")[0].dropFirst("+case=".count)
    #expect(guarded.say("support", "CASE APPROVE \(number) id=a3").hasPrefix("-NOPERM "))
    #expect(guarded.say("approver", "CASE APPROVE \(number) id=a4").contains(" state=approved tx="))
    guarded.simulation.run(for: 2_000_000)
    let adjusted = try guarded.all("operator", "TRAIL verb=ADJUST")
    #expect(adjusted.count == 3, "\(adjusted)")
    for line in adjusted.dropFirst() { #expect(line.contains(" user=support verb=ADJUST target=ann "), "\(line)") }
    let approved = try guarded.all("operator", "TRAIL verb=\"CASE APPROVE\" user=approver")
    #expect(approved.count == 2 && approved[1].contains("target=\(number) "), "\(approved)")
  }

  @Test func aListOfCasesKnowsItsWords() throws {
    let guarded = try Guarded(seed: 883_002)
    for i in 1...3 {
      #expect(guarded.say("operator", "CASE OPEN ann kind=abuse reason=r id=o\(i)").hasPrefix("+case="))
    }
    #expect(try guarded.all("support", "CASE LIST state=open kind=abuse").count == 4)
    let page = try guarded.all("support", "CASE LIST limit=2")
    // A page ends among a member's cases, too, and the next goes on behind it, whatever came of them.
    #expect(page.count == 4, "\(page)")
    let cursor = try #require(page.last?.split(separator: " ").first { $0.hasPrefix("+cursor=") })
    let first = page[1].split(separator: " ")[0].dropFirst("+case=".count)
    #expect(guarded.say("approver", "CASE REJECT \(first) id=e1").contains(" state=rejected"))
    let rest = try guarded.all("support", "CASE LIST state=open limit=2 after=\(cursor.dropFirst("+cursor=".count))")
    let last = try #require(rest.last)
    #expect(rest.count == 2 && !page.contains(last) && last.contains("state=open"), "\(rest)")
    #expect(guarded.say("support", "CASE LIST after=1-99999999999999-0").hasPrefix("-NOTFOUND "))
    let map = cursor.split(separator: "-").last ?? ""
    #expect(try guarded.all("support", "CASE LIST after=1-99999999999999-\(map)").count >= 1)
    #expect(try guarded.all("support", "CASE LIST state=waiting") == ["*0"])
    #expect(try guarded.all("support", "CASE LIST state=open kind=abuse").count == 3)
    let refused = [
      ("state=done", "-ERR state= must be open, waiting, approved or rejected"),
      ("kind=other", "-ERR kind= must be adjustment, dispute, abuse or return"),
    ]
    for (words, answer) in refused { #expect(guarded.say("support", "CASE LIST \(words)") == answer) }
  }

  @Test func notesOfACaseHaveBounds() throws {
    let guarded = try Guarded(seed: 883_003)
    let opened = guarded.say("operator", "CASE OPEN ann kind=abuse reason=r id=o1")
    let number = opened.split(separator: " ")[0].dropFirst("+case=".count)
    let text = String(repeating: "x", count: 1_024)
    for _ in 0..<8 { #expect(guarded.say("support", "CASE NOTE \(number) text=\(text)") == "+OK") }
    #expect(guarded.say("support", "CASE NOTE \(number) text=y").hasPrefix("-LIMIT notes of a case have at most 8192"))
    #expect(guarded.say("approver", "CASE REJECT \(number) id=d1 note=y").hasPrefix("-LIMIT notes of a case"))
    #expect(guarded.say("approver", "CASE REJECT \(number) id=d2").hasSuffix(" state=rejected"))
    // As many cases as there may be are open: one more is refused, and one that is over makes room.
    for i in 1...63 {
      #expect(guarded.say("operator", "CASE OPEN ann kind=abuse reason=r id=p\(i)").hasPrefix("+case="))
    }
    #expect(guarded.say("operator", "CASE OPEN ann kind=abuse reason=r id=p64").hasPrefix("+case="))
    #expect(guarded.say("operator", "CASE OPEN ann kind=abuse reason=r id=p65").hasPrefix("-LIMIT "))
  }
}
