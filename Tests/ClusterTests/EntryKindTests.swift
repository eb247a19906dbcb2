import Base
import CommandSupport
import Ledger
import Protocol
import Testing
import Vocabulary

@testable import Cluster

/// The seam: a kind of entry is one declaration. This one is made up here, and nothing else of the product knows it.
@Suite struct EntryKindTests {
  private static let bridge = EntryKind(
    60, "BRIDGE", key: "name",
    [
      .init(2, "span", .shape(.spend), .required), .init(3, "style", .choice(["arch", "beam"])),
      .init(4, "owner", .reference("ORG", isList: false)), .init(5, "next", .reference("BRIDGE", isList: true)),
    ],
    takesAttributes: true, summary: "a bridge", example: "north span=30")

  /// A connection and a directory that know it.
  private final class Talk {
    private var parser: RequestParser
    private let machine: DirectoryMachine
    private let language: Language
    var now: Int64 = 1_767_225_600_000_000
    private var index = LogIndex(0)
    private var journal = MemoryJournal()

    init() {
      let kinds = EntryKind.all + [bridge]
      language = Language(kinds: kinds)
      parser = RequestParser(language)
      machine = DirectoryMachine(kinds: kinds)
    }
    func help(_ words: [String]) -> [String] { HelpText.lines(for: words, in: language) ?? [] }

    func say(_ line: String) -> String {
      var framing = Framing()
      return Array((line + "\n").utf8).withUnsafeBytes { bytes in
        switch parser.next(bytes, &framing) {
        case .refused(_, let message): return "-ERR " + message
        case .request: return answer(parser.request)
        default: return "?"
        }
      }
    }
    private func answer(_ request: Request) -> String {
      var reply = ReplyWriter()
      var buffer = ByteBuffer()
      if request.verb == .entrySet {
        index = index + 1
        EntryHeader(stamp: Stamp(microseconds: now), catalogueVersion: 0, commandCount: 1).encode(into: &buffer)
        DirectoryMachine.append(.entry, to: &buffer) { body in
          body.append(UInt128(0))
          body.append(UInt64(0))
          body.append(TenantID.first.rawValue)
          body.append(counted: "")
          body.append(request.positional(0))
          body.append(request.positional(1))
        }
        var cursor = machine.begin(buffer.bytes, index: index)
        var work = Int.max
        _ = machine.apply(buffer.bytes, from: &cursor, until: .max, work: &work, into: &reply) { _, _, _, _ in }
        var outbox = ReplicaOutbox()
        machine.takeOutputs(into: &outbox, leading: true)
        for (position, bytes) in outbox.journal { bytes.withUnsafeBytes { journal.append(position, $0) } }
      } else {
        let kind: DirectoryMachine.Kind =
          request.verb == .entryShow ? .showEntry : request.verb == .entryList ? .listEntries : .showEntryHistory
        DirectoryMachine.append(kind, to: &buffer) { body in
          body.append(TenantID.first.rawValue)
          body.append(now)
          body.append(UInt32(request.number(.limit) ?? 0))
          body.append(counted: request.text(.after) ?? UnsafeRawBufferPointer(start: nil, count: 0))
          body.append(request.positional(0))
          body.append(request.positional(1))
        }
        if case .journal(let query) = machine.read(buffer.bytes, into: &reply) {
          try? query.run(journal, into: &reply)
        }
      }
      var text = ByteBuffer()
      _ = try? ReplyRenderer.render(reply.buffer.bytes, resp3: false, into: &text)
      return String(decoding: text.bytes, as: UTF8.self).replacing("\r\n", with: "\n").trimmingSuffix("\n")
    }
  }

  @Test func aDeclarationIsAllThatAKindNeeds() {
    let talk = Talk()
    #expect(talk.say("ORG SET city") == "+OK")
    #expect(talk.say("BRIDGE SET north style=arch") == "-ERR a new bridge needs span=")
    #expect(talk.say("BRIDGE SET north span=30 style=arch owner=city x.lanes=2") == "+OK")
    #expect(talk.say("bridge set south span=40 next=north") == "+OK")
    #expect(talk.say("BRIDGE SET north colour=red").hasPrefix("-ERR BRIDGE SET does not know the key 'colour'"))
    #expect(talk.say("BRIDGE SET north style=rope") == "-ERR style= must be arch or beam, not 'rope'")
    #expect(talk.say("BRIDGE SET north owner=nobody") == "-NOTFOUND owner=: no such org 'nobody'")
    #expect(talk.say("BRIDGE SET north span=35 from=2026-02-01") == "+OK")
    #expect(talk.say("BRIDGE SET north span=35 from=2025-02-01").hasPrefix("-LIMIT from= is in the past"))
    #expect(talk.say("BRIDGE SET south state=stopped") == "+OK")
    let north = "bridge=north span=30 style=arch owner=city next=\"\" state=active x.lanes=2 version=1 "
    let times = "from=1767225600000 until=1769904000000 by=\"\""
    #expect(talk.say("BRIDGE SHOW north") == "+" + north + times)
    #expect(talk.say("BRIDGE SHOW north at=2026-02-01").contains(" span=35 "))
    #expect(talk.say("BRIDGE LIST state=active owner=city") == "*1\n+" + north + times)
    #expect(talk.say("BRIDGE LIST next=north").hasPrefix("*1\n+bridge=south "))
    #expect(talk.say("BRIDGE LIST limit=1 after=north").hasPrefix("*1\n+bridge=south "))
    #expect(
      talk.say("BRIDGE HISTORY north")
        == "*2\n+bridge=north version=2 from=1769904000000 set=1767225600000 by=\"\" span=35\n"
        + "+bridge=north version=1 from=1767225600000 set=1767225600000 by=\"\" span=30 style=arch owner=city x.lanes=2"
    )
    #expect(talk.say("BRIDGE HISTORY north limit=1 before=2").hasPrefix("*1\n+bridge=north version=1 "))
    #expect(talk.say("BRIDGE HISTORY north before=0").hasPrefix("-ERR before= must be a version's number, 1 to "))
    #expect(talk.say("BRIDGE HISTORY north at=0").hasPrefix("-ERR BRIDGE HISTORY does not know the key 'at'"))
    #expect(talk.say("BRIDGE SHOW west") == "-NOTFOUND no such bridge 'west'")
    #expect(talk.say("BRIGDE SHOW west").contains("did you mean BRIDGE?"))
    talk.now += 40 * 86_400_000_000
    #expect(talk.say("BRIDGE SHOW north").contains(" span=35 "), "it began by itself")
  }

  @Test func itIsExplained() {
    let talk = Talk()
    let all = talk.help([]).joined(separator: "\n")
    for verb in ["SET", "SHOW", "LIST", "HISTORY"] { #expect(all.contains("  BRIDGE \(verb)")) }
    let detail = talk.help(["bridge", "set"])
    #expect(
      detail.first
        == "BRIDGE SET name [span=MINOR] [style=arch|beam] [owner=ORG] [next=BRIDGE[,BRIDGE…]] [state=active|stopped]"
        + " [x.NAME=TEXT] [from=MOMENT] [id=…]")
    #expect(detail.contains { $0.hasPrefix("  owner= the org that is meant: 1 to 64 of") })
    #expect(talk.help(["BRIDGE"]).count == 4)
  }
}

extension String {
  fileprivate func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
