import Base
import CommandSupport
import Protocol
import Testing
import Vocabulary

@testable import Ledger

/// `approval=rules`: who lets a rule or a campaign run.
@Suite struct ApprovalTests {
  private final class Desk {
    var entries = Entries()
    var journal = EntryJournal()
    var now = Stamp(microseconds: 1_767_225_600_000_000)

    func set(_ line: String, by user: String) throws -> String {
      try decide(EntryLine(line).bytes, by: user, isApproval: false)
    }
    func approve(_ kind: EntryKind, _ id: String, by user: String) throws -> String {
      var buffer = ByteBuffer()
      buffer.append(varint: UInt64(kind.number))
      buffer.append(counted: id)
      buffer.appendEndOfFields()
      return try decide(buffer.array, by: user, isApproval: true)
    }
    private func decide(_ bytes: [UInt8], by user: String, isApproval: Bool) throws -> String {
      now = Stamp(microseconds: now.microseconds + 1_000_000)
      var reply = ReplyWriter()
      return try bytes.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        let request = try EntryRequest(decoding: &reader)
        return Array(user.utf8).withUnsafeBytes { by in
          let decision =
            isApproval
            ? entries.approve(
              request, tenant: .first, by: by, stamp: now, semantics: Semantics.newest, journal: &journal, into: &reply)
            : entries.set(
              request, tenant: .first, by: by, stamp: now, semantics: Semantics.newest, journal: &journal, into: &reply)
          switch decision {
          case .refused:
            var output = ByteBuffer()
            guard (try? ReplyRenderer.render(reply.buffer.bytes, resp3: false, into: &output)) != nil else {
              return "?"
            }
            return String(String(decoding: output.bytes, as: UTF8.self).prefix { $0 != " " })
          case .changed: return "changed"
          case .unchanged: return "same"
          }
        }
      }
    }
  }

  @Test func anotherUserLetsARuleRun() throws {
    let desk = Desk()
    #expect(try desk.set("PROGRAM SET gold", by: "boss") == "changed")
    #expect(try desk.set("RULE SET old program=gold stage=bonus points=1 state=running", by: "boss") == "changed")
    #expect(try desk.set("PROGRAM SET gold approval=rules", by: "boss") == "changed")
    #expect(try desk.set("RULE SET new program=gold stage=bonus points=7 state=running", by: "boss") == "-NOPERM")
    #expect(try desk.set("RULE SET new program=gold stage=bonus points=7", by: "boss") == "changed")
    #expect(try desk.set("RULE SET new state=running", by: "check") == "-NOPERM")
    #expect(try desk.approve(.rule, "new", by: "boss") == "-NOPERM")
    #expect(try desk.approve(.rule, "none", by: "check") == "-NOTFOUND")
    #expect(try desk.approve(.rule, "new", by: "check") == "changed")
    #expect(try desk.approve(.rule, "new", by: "boss") == "same")
    // It would run otherwise than it was approved.
    #expect(try desk.set("RULE SET new points=70", by: "boss") == "-NOPERM")
    #expect(try desk.set("RULE SET old points=70", by: "boss") == "-NOPERM")
    #expect(try desk.set("RULE SET new points=70 state=draft", by: "boss") == "changed")
    #expect(try desk.approve(.rule, "new", by: "check") == "changed")
    #expect(try desk.set("RULE SET new state=stopped", by: "boss") == "changed")
    #expect(try desk.approve(.rule, "new", by: "check") == "-CLOSED")
    #expect(try desk.set("RULE SET old state=stopped", by: "boss") == "changed")
  }

  @Test func anotherUserLetsACampaignRun() throws {
    let desk = Desk()
    #expect(try desk.set("CAMPAIGN SET early state=running", by: "boss") == "changed")
    #expect(try desk.set("PROGRAM SET gold approval=rules", by: "boss") == "changed")
    #expect(try desk.set("CAMPAIGN SET spring state=running", by: "boss") == "-NOPERM")
    #expect(try desk.set("CAMPAIGN SET spring until=2026-03-01", by: "boss") == "changed")
    #expect(try desk.approve(.campaign, "spring", by: "boss") == "-NOPERM")
    #expect(try desk.approve(.campaign, "spring", by: "check") == "changed")
    // In the bounds that were set.
    desk.now = Stamp(microseconds: desk.now.microseconds + 90 * 86_400_000_000)
    #expect(try desk.approve(.campaign, "spring", by: "check") == "-CLOSED")
  }

  @Test func whereThereAreNoUsersEverybodyApproves() throws {
    let desk = Desk()
    #expect(try desk.set("PROGRAM SET gold approval=rules", by: "") == "changed")
    #expect(try desk.set("RULE SET new program=gold stage=bonus points=7", by: "") == "changed")
    #expect(try desk.approve(.rule, "new", by: "") == "changed")
  }
}
