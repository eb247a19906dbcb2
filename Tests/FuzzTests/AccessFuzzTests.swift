import Base
import Testing
import Vocabulary

@testable import Cluster
@testable import Ledger

/// What the directory's log, snapshots and peers say of users, tenants and the trail.
@Suite struct AccessFuzzTests {
  private func seeds() -> [[UInt8]] {
    func written(_ encode: (inout ByteBuffer) -> Void) -> [UInt8] {
      var buffer = ByteBuffer()
      encode(&buffer)
      return buffer.array
    }
    let secret = KeptSecret(form: .chosen, salt: [UInt8](1...16), code: [UInt8](1...32))
    var change = AccessChange(.user, by: 1, tenant: .first, name: "till")
    (change.role, change.secret, change.rate, change.merchant) = (.terminal, secret, 5, "shop")
    var tenant = AccessChange(.tenant, by: 1, tenant: .first, name: "two")
    tenant.title = "Second"
    var record = TrailRecord(user: "boss", verb: "RULE SET")
    (record.outcome, record.address, record.count) = ("NOPERM", "127.0.0.1:5", 7)
    var note = TrailNote(node: 5, mark: TrailMark(incarnation: 1, note: 2))
    (note.records, note.seen) = ([record], [(user: 1, at: Stamp(microseconds: 5))])
    func framed(_ kind: DirectoryMachine.Kind, _ body: (inout ByteBuffer) -> Void) -> [UInt8] {
      written { DirectoryMachine.append(kind, to: &$0, body) }
    }
    let access = framed(.access) { change.encode(into: &$0) }
    return [
      access, framed(.access) { tenant.encode(into: &$0) },
      framed(.acted) {
        note.encode(into: &$0)
        $0.append(access)
      }, framed(.trail) { note.encode(into: &$0) },
    ]
  }

  @Test func theDirectoryTakesOrRefusesWhateverItIsTold() {
    var mutator = Mutator(seed: 874_100)
    let seeds = seeds()
    let machine = DirectoryMachine()
    var header = ByteBuffer()
    EntryHeader(
      stamp: Stamp(microseconds: 1_767_225_600_000_000), catalogueVersion: 0, commandCount: 0,
      semantics: Semantics.programme
    ).encode(into: &header)
    _ = machine.begin(header.bytes, index: LogIndex(1))
    for _ in 0..<FuzzInputs.count(perMille: 200) {
      var bytes = mutator.mutate(mutator.pick(seeds), with: mutator.pick(seeds))
      // The log frames each command: its length is right.
      guard bytes.count > 4 else { continue }
      withUnsafeBytes(of: UInt32(bytes.count - 4).littleEndian) { bytes.replaceSubrange(0..<4, with: $0) }
      bytes.withUnsafeBytes { command in
        _ = DirectoryMachine.kind(of: command)
        // Nothing that begins a cluster: of these there are tests of their own.
        guard let kind = DirectoryMachine.kind(of: command), [.access, .trail].contains(kind) else { return }
        var reply = ReplyWriter()
        _ = machine.apply(command, into: &reply)
        #expect(reply.buffer.count > 0)
      }
    }
    _ = machine.trail.find(Trail.Wanted())
  }

  @Test func whatIsStoredIsReadOrRefused() {
    var mutator = Mutator(seed: 874_101)
    let secret = KeptSecret(form: .drawn, salt: [UInt8](1...16), code: [UInt8](1...32))
    var user = User(number: 4, name: "till", role: .terminal)
    (user.merchant, user.secret, user.revision) = ("shop", secret, 12)
    var buffers: [[UInt8]] = []
    var buffer = ByteBuffer()
    user.encode(into: &buffer)
    buffers.append(buffer.array)
    buffer.removeAll()
    Tenant(id: TenantID(2), name: "two").encode(into: &buffer)
    buffers.append(buffer.array)
    buffers.append(Actor(name: Array("ann".utf8), role: .support, adjustLimit: 500).encoded)
    var taken = 0
    for _ in 0..<FuzzInputs.count(perMille: 100) {
      let bytes = mutator.mutate(mutator.pick(buffers), with: mutator.pick(buffers))
      bytes.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        if (try? User(decoding: &reader)) != nil { taken += 1 }
        reader = ByteReader(raw)
        _ = try? Tenant(decoding: &reader)
        reader = ByteReader(raw)
        _ = try? KeptSecret(decoding: &reader)
        _ = try? Actor(decoding: raw)
        _ = DrawnSecret.isOne(bytes)
      }
    }
    #expect(taken > 0)
  }
}
