import Base
import CommandSupport
import Protocol
import Testing

@testable import Cluster
@testable import Ledger
@testable import Simulator

/// Ids that a stranger chose so that a hash without a secret takes them for one, or keeps them in one place.
@Suite struct HostileIDTests {
  private static func bytes<R>(_ text: String, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    Array(text.utf8).withUnsafeBytes(body)
  }

  @Test func theIDsCollideWithoutAKey() {
    let hashes = stride(from: 0, to: CollidingIDs.count, by: 97).map { CollidingIDs.id($0).xxh64(seed: 1 << 8 | 1) }
    #expect(Set(hashes).count == 1)
    #expect(Set((0..<CollidingIDs.count).map { CollidingIDs.id($0) }).count == CollidingIDs.count)
    #expect(CollidingIDs.id(77).utf8.count == 64)
  }

  /// A ledger with a program, a merchant, and what `body` adds, in entries of a thousand commands.
  private final class Book {
    var ledger = Ledger(shard: ShardID(1))
    private var index: UInt64 = 0
    private var commands = ByteBuffer()
    private var count: UInt32 = 0
    private(set) var replies: [ReplyTag: Int] = [:]

    init() {
      add { Command.appendBirth(to: &$0, key: HashKey(low: 3, high: 4), ranges: .all, epoch: 1) }
      for delta in EntryLine.deltas(["PROGRAM SET p"] + (0..<600).map { "MERCHANT SET \(CollidingIDs.id($0))" }) {
        delta.withUnsafeBytes { bytes in add { Command.appendCatalogue(to: &$0, slot: Slot(0), delta: bytes) } }
      }
    }
    func add(_ write: (inout ByteBuffer) -> Void) {
      write(&commands)
      count += 1
      if count == 1_000 { end() }
    }
    func end() {
      index += 1
      var payload = ByteBuffer()
      EntryHeader(stamp: Stamp(microseconds: Int64(index)), catalogueVersion: 0, commandCount: count)
        .encode(into: &payload)
      payload.append(commands.bytes)
      commands.removeAll()
      count = 0
      var reply = ReplyWriter()
      ledger.apply(payload: payload.bytes, index: LogIndex(index), into: &reply) { _, outcome, start, reply in
        if outcome == .replied, let tag = ReplyTag(rawValue: reply.buffer.bytes[start]) {
          replies[tag, default: 0] += 1
        }
      }
      ledger.takeJournal { _, _ in }
    }
  }
  private static let context = CommandContext(fingerprint: 7)

  @Test func theyLieInIndexesAsAnyOthersDo() throws {
    let count = 3_000
    let hostile = Book()
    let plain = Book()
    for (book, id) in [(hostile, { CollidingIDs.id($0) }), (plain, { "id-\($0)" })] as [(Book, (Int) -> String)] {
      for i in 0..<count {
        Self.bytes(id(i)) { text in
          book.add { Command.appendMemberAdd(to: &$0, context: Self.context, member: text) }
          book.add { Command.appendCardAdd(to: &$0, context: Self.context, number: text, member: text) }
          Self.bytes(id(0)) { member in
            Self.bytes(CollidingIDs.id(5)) { merchant in
              book.add {
                Command.appendEarn(
                  to: &$0, context: Self.context, member: member, merchant: merchant, amount: .points(1), request: text)
              }
            }
          }
        }
      }
      book.end()
      #expect(book.ledger.memberCount == UInt64(count))
      #expect(book.replies[.error] == nil, "\(book.replies)")
    }
    func pages(_ book: Book) -> [Int] {
      [
        book.ledger.tables.members.index.table.count, book.ledger.tables.cardEntries.index.table.count,
        book.ledger.tables.dedupe.index.table.count,
      ]
    }
    #expect(!hostile.ledger.tables.members.index.hasChains && !hostile.ledger.tables.cardEntries.index.hasChains)
    #expect(!hostile.ledger.tables.dedupe.index.hasChains && !hostile.ledger.tables.transactions.index.hasChains)
    for (a, b) in zip(pages(hostile), pages(plain)) { #expect(a <= 2 * b, "\(pages(hostile)) \(pages(plain))") }
    try hostile.ledger.checkInvariants()
    // Merchants: the longest run of a table that is at most half full.
    var run = 0
    var longest = 0
    for cell in hostile.ledger.catalogue.merchantIndex.cells {
      run = cell == 0 ? 0 : run + 1
      longest = max(longest, run)
    }
    #expect(longest < 60, "\(longest)")
  }

  /// Slots and sequences whose mix without a key has the same top bits: what somebody who chooses in which order his members
  /// buy can bring about.
  @Test func transactionNumbersThatSomebodyChoseLieApart() {
    var numbers: [TransactionID] = []
    var next = [UInt64](repeating: 1, count: 4_096)
    func unkeyed(_ tx: TransactionID) -> UInt64 {
      var mixed = (tx.rawValue ^ tx.rawValue >> 32) &* 0xD6E8_FEB8_6659_FD93
      mixed = (mixed ^ mixed >> 32) &* 0xD6E8_FEB8_6659_FD93
      return mixed >> 56
    }
    while numbers.count < 20_000 {
      for slot in next.indices {
        let tx = TransactionID(slot: Slot(UInt16(slot)), sequence: next[slot])
        next[slot] += 1
        if unkeyed(tx) == 0 { numbers.append(tx) }
      }
    }
    let pool = PagePool()
    var index = HashIndex()
    index.attach(pool.state)
    let hashes = KeyedHashes(HashKey(low: 5, high: 6))
    for (i, tx) in numbers.enumerated() { index.insert(hashes.number(tx), UInt32(i + 1)) }
    #expect(!index.hasChains && index.table.count <= 32, "\(index.table.count)")
    #expect(index.find(hashes.number(numbers[9_999])) { $0 == 10_000 } == 10_000)
    #expect(Set(numbers.map { hashes.number($0) }).count == numbers.count)
  }

  /// All 128 bits count.
  @Test func twoRequestsAreNeverTakenForOne() {
    var ledger = Ledger(shard: ShardID(1))
    ledger.beginEntry(
      EntryHeader(stamp: Stamp(microseconds: 5), catalogueVersion: 0, commandCount: 1), index: LogIndex(1))
    let key = RequestKey(low: 1, high: 2, fingerprint: 3, slot: Slot(4))
    let position = JournalPosition(journal: ShardID(1), segment: 1, offset: 99)
    ledger.remember(key, position)
    func become(_ key: RequestKey) -> String {
      do throws(Stop) {
        try ledger.refuseRepeated(key)
        return "new"
      } catch {
        switch error {
        case .decided(.repeated(let found)): return "repeated at \(found.offset)"
        case .refused(let refusal): return "\(refusal.code)"
        default: return "?"
        }
      }
    }
    #expect(become(key) == "repeated at 99")
    #expect(become(RequestKey(low: 1, high: 3, fingerprint: 3, slot: Slot(4))) == "new")
    #expect(become(RequestKey(low: 2, high: 2, fingerprint: 3, slot: Slot(4))) == "new")
    #expect(become(RequestKey(low: 1, high: 2, fingerprint: 1 << 63 | 3, slot: Slot(4))) == "conflict")
    // And so do all of its scope.
    let hashes = KeyedHashes(HashKey(low: 5, high: 6))
    func hash(_ member: String, _ tenant: UInt32, _ merchant: Int, _ request: String) -> UInt128 {
      Self.bytes(member) { member in
        Self.bytes(request) { request in
          let key = RequestKey(
            hashes.member(member, TenantID(tenant)), merchant: MerchantRef(place: merchant), request, fingerprint: 1,
            slot: Slot(4))
          return UInt128(key.high) << 64 | UInt128(key.low)
        }
      }
    }
    let keys = [
      hash("m1", 1, 0, "r"), hash("m2", 1, 0, "r"), hash("m1", 2, 0, "r"), hash("m1", 1, 1, "r"), hash("m1", 1, 0, "s"),
      hash("m1r", 1, 0, ""), hash("m", 1, 0, "1r"), hash(CollidingIDs.id(1), 1, 0, "r"),
      hash(CollidingIDs.id(2), 1, 0, "r"),
      hash("m1", 1, 0, CollidingIDs.id(1)), hash("m1", 1, 0, CollidingIDs.id(2)),
    ]
    #expect(Set(keys).count == keys.count)
    #expect(Set(keys.map { UInt64(truncatingIfNeeded: $0) }).count == keys.count)
    #expect(Set(keys.map { UInt64(truncatingIfNeeded: $0 >> 64) }).count == keys.count)
  }

  @Test func anotherContentUnderOneIDIsAConflictHoweverItWasChosen() throws {
    let simulation = try makeCluster(seed: 81, shards: 2)
    let client = try populate(simulation)
    client.clear()
    let (a, b) = (CollidingIDs.id(1), CollidingIDs.id(2))
    for line in ["MEMBER ADD x name=\(a) id=r", "MEMBER ADD x name=\(b) id=r", "MEMBER ADD x name=\(a) id=r"] {
      simulation.send(line + "\n", on: client)
    }
    for id in [a, b, a] { simulation.send("EARN ann merchant=shop points=5 id=\(id)\n", on: client) }
    #expect(simulation.run(for: 5_000_000) { client.lineCount == 6 })
    let lines = client.lines
    #expect(lines[0] == "+OK" && lines[1].hasPrefix("-CONFLICT") && lines[2] == "+OK", "\(lines)")
    #expect(lines[3].hasPrefix("+tx=") && lines[4].hasPrefix("+tx=") && lines[3] != lines[4])
    #expect(lines[5] == lines[3])
  }

  /// The key is drawn as the cluster begins; every node and every shard has it, and a restart keeps it.
  @Test func theKeyIsTheClustersAndIsShownToNobody() throws {
    let simulation = try makeCluster(seed: 82, shards: 2)
    let client = try populate(simulation)
    simulation.run(for: 1_000_000)
    func keys() -> Set<HashKey> {
      var keys: Set<HashKey> = []
      for host in simulation.hosts {
        guard let node = host.node else { continue }
        keys.insert(node.requests.hashKey)
        for replica in node.replicas {
          if let ledger = replica.machine as? LedgerMachine { keys.insert(ledger.hashKey) }
        }
      }
      return keys
    }
    let found = keys()
    let key = try #require(found.first)
    #expect(found.count == 1 && key != .none)
    client.clear()
    let asked = [
      "CLUSTER STATUS", "CLUSTER NODES", "CLUSTER SHARDS", "INFO", "AUDIT", "PROGRAM LIST", "MEMBER SHOW ann", "HEALTH",
    ]
    simulation.send(asked.map { $0 + "\n" }.joined(), on: client)
    simulation.run(for: 3_000_000)
    let shown = (client.lines + simulation.log + simulation.hosts.compactMap { $0.node?.view.report }).joined(
      separator: "\n")
    for part in [key.low, key.high] {
      for text in ["\(part)", String(part, radix: 16), String(part, radix: 16, uppercase: true)] {
        #expect(!shown.contains(text))
      }
    }
    for host in simulation.hosts { simulation.kill(host.number) }
    for host in simulation.hosts { #expect(simulation.start(host.number)) }
    simulation.run(for: 3_000_000)
    #expect(keys() == [key])
  }
}
