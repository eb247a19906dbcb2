import Base
import Testing

@testable import Ledger

/// `MEMBER NOTE` and `MEMBER NOTES`.
@Suite struct NoteTests {
  @Test func theNewestComesFirst() throws {
    let world = try World.withCafe(members: ["ann card=4711", "ben"])
    #expect(try world.run("MEMBER NOTE ann kind=visit text=first") == "+OK")
    world.time = World.stamp("2026-01-16T09:30")
    #expect(try world.run("MEMBER NOTE card:4711 kind=complaint text=second") == "+OK")
    #expect(try world.run("MEMBER NOTE ben kind=visit text=other") == "+OK")
    #expect(
      try world.run("MEMBER NOTES ann").rows == [
        "at=2026-01-16T09:30 kind=complaint text=second", "at=2026-01-15T12:00 kind=visit text=first",
      ])
    #expect(try world.run("MEMBER NOTES card:4711 limit=1").rows == ["at=2026-01-16T09:30 kind=complaint text=second"])
    #expect(try world.run("MEMBER NOTES ben limit=9").rows == ["at=2026-01-16T09:30 kind=visit text=other"])
    #expect(try world.run("MEMBER ADD cyd") == "+OK")
    #expect(try world.run("MEMBER NOTES cyd") == "*0")
    #expect(try world.run("MEMBER NOTES nobody").isError("NOTFOUND"))
    #expect(try world.run("MEMBER NOTE nobody kind=visit text=x").isError("NOTFOUND"))
    #expect(try world.run("CHECK") == "ok")
  }

  @Test func aRequestIDIsOneNoteAndNoneIsAnother() throws {
    let world = try World.withCafe()
    for _ in 0..<3 { #expect(try world.run("MEMBER NOTE ann kind=visit text=x id=a") == "+OK") }
    #expect(try world.run("MEMBER NOTE ann kind=visit text=y id=a").isError("CONFLICT"))
    for _ in 0..<2 { #expect(try world.run("MEMBER NOTE ann kind=visit text=z") == "+OK") }
    let notes = try world.run("MEMBER NOTES ann").rows.map { $0.suffix(1) }
    #expect(notes == ["z", "z", "x"])
  }

  @Test func aMemberHasAThousandNotes() throws {
    let world = try World.withCafe(members: ["ann", "ben"])
    for i in 0..<1_000 { try #require(try world.run("MEMBER NOTE ann kind=visit text=\(i)") == "+OK") }
    #expect(try world.run("MEMBER NOTE ann kind=visit text=more").isError("LIMIT", "which=notes"))
    #expect(try world.run("MEMBER NOTE ben kind=visit text=more") == "+OK")
    #expect(try world.run("MEMBER NOTES ann limit=1000").rows.count == 1_000)
    #expect(try world.run("MEMBER NOTES ann limit=1").hasSuffix("text=999"))
    #expect(try world.run("CHECK") == "ok")
  }

  @Test func theLongestTextIsKeptAndALongerOneIsMalformed() throws {
    let world = try World.withCafe()
    let text = String(repeating: "é", count: 512)
    #expect(try world.run("MEMBER NOTE ann kind=visit text=\(text)") == "+OK")
    #expect(try world.run("MEMBER NOTES ann").hasSuffix("kind=visit text=\(text)"))
    #expect(try world.run("MEMBER NOTE ann kind=visit text=\(text)x").hasPrefix("-ERR"))
    #expect(try world.run("MEMBER NOTE ann kind=\(text) text=x").hasPrefix("-ERR"))
  }
}
