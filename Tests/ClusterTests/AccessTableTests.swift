import Base
import Ledger
import Testing
import Vocabulary

@testable import Cluster
@testable import Simulator

/// The table of rights by itself.
@Suite struct AccessTableTests {
  private func change(
    _ name: String, by: UInt32 = 0, _ tenant: TenantID = .first, _ set: (inout AccessChange) -> Void = { _ in }
  ) -> AccessChange {
    var change = AccessChange(.user, by: by, tenant: tenant, name: name)
    set(&change)
    return change
  }

  @Test func twoFirstUsersAtOnceAreOne() throws {
    var table = AccessTable()
    try table.take(change("a") { $0.role = .auditor }) { _, _ in true }
    #expect(throws: AccessTable.Refused.self) {
      try table.take(change("b") { $0.role = .admin }) { _, _ in true }
    }
    let first = try #require(table.user(named: "a"))
    #expect(first.isAdmin && first.role == .auditor && table.userCount == 1)
  }

  @Test func changesAndUsersAreReadAsTheyWereWritten() throws {
    let secret = KeptSecret(form: .chosen, salt: [UInt8](1...16), code: [UInt8](1...32))
    let made = change("till", by: 7, TenantID(3)) {
      ($0.role, $0.merchant, $0.terminal, $0.org) = (.terminal, "shop", "t1", "north")
      ($0.adjustLimit, $0.rate, $0.isStopped, $0.secret, $0.title) = (5, 9, true, secret, "T")
    }
    var buffer = ByteBuffer()
    made.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try AccessChange(decoding: &reader) == made)
    for cut in 0..<buffer.count {
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<cut]))
      #expect(throws: MalformedBytes.self) { _ = try AccessChange(decoding: &reader) }
    }
    var user = User(number: 4, name: "till", role: .terminal)
    (user.tenant, user.merchant, user.secret, user.revision) = (TenantID(3), "shop", secret, 12)
    buffer.removeAll()
    user.encode(into: &buffer)
    reader = ByteReader(buffer.bytes)
    #expect(try User(decoding: &reader) == user)
  }

  @Test func theTrailCountsRefusalsByTheMinuteAndKeepsChangesApart() {
    var trail = Trail()
    let start: Int64 = 1_767_225_600_000_000
    var refusal = TrailRecord(user: "x", verb: "EARN")
    refusal.outcome = "NOPERM"
    trail.note(change: TrailRecord(user: "boss", verb: "RULE SET"), at: Stamp(microseconds: start))
    for second in 0..<Int64(180) { trail.note(refusal: refusal, at: Stamp(microseconds: start + second * 1_000_000)) }
    let found = trail.find(Trail.Wanted())
    #expect(found.map(\.verb) == ["EARN", "EARN", "EARN", "RULE SET"] && found[0].count == 60)
    for i in 0..<Trail.mostRefusals + 10 {
      var other = refusal
      other.user = "y\(i)"
      trail.note(refusal: other, at: Stamp(microseconds: start + 400_000_000))
    }
    #expect(trail.refusals.count == Trail.mostRefusals && trail.changes.count == 1)
    #expect(trail.find(Trail.Wanted(user: "boss")).count == 1)
    let late = Stamp(microseconds: start + Trail.retention + 1_000_000)
    trail.note(change: TrailRecord(user: "boss", verb: "RULE SET"), at: late)
    #expect(trail.changes.count == 1, "what is older than its time is forgotten")
    var marks = Trail()
    let told = [(1, 5, 1), (1, 5, 1), (1, 4, 1), (2, 1, 1), (1, 1, 2)].map { incarnation, note, node in
      marks.isNew(TrailMark(incarnation: incarnation, note: note), of: node)
    }
    #expect(told == [true, false, false, true, true])
  }

  @Test func attemptsOfAnAddressAndANameAreLookedAtOneByOne() {
    var signIns = SignIns()
    func attempt(_ slot: UInt64, _ name: String = "ann", from address: String = "a") -> SignIn {
      SignIn(
        owner: EdgeItem.Owner(client: 0, generation: 0, slot: slot), raw: [], name: name, secret: [], address: address)
    }
    let added = [attempt(0), attempt(1), attempt(2), attempt(9, from: "b")].map { signIns.add($0, now: 0) }
    #expect(added == [true, true, true, true])
    let begun = signIns.begin(now: 0)
    #expect(begun.map(\.attempt.owner.slot) == [0, 9])
    guard let first = signIns.take(begun[0].ticket), let other = signIns.take(begun[1].ticket) else {
      Issue.record("they were begun")
      return
    }
    signIns.ended(first, succeeded: false, now: 0)
    let early = (begun: signIns.begin(now: 249_999).count, answers: signIns.answers(now: 249_999).count)
    #expect(early == (0, 0))
    let answered = signIns.answers(now: 250_000).map(\.owner.slot)
    #expect(answered == [0])
    let next = signIns.begin(now: 250_000)
    #expect(next.map(\.attempt.owner.slot) == [1])
    signIns.ended(other, succeeded: true, now: 260_000)
    if let second = signIns.take(next[0].ticket) { signIns.ended(second, succeeded: true, now: 270_000) }
    let last = signIns.begin(now: 270_000).map(\.attempt.owner.slot)
    #expect(last == [2] && signIns.count == 1)
    #expect(SignIns.delay(1, 250, 8_000) == 250 && SignIns.delay(99, 250, 8_000) == 8_000)
  }
}
