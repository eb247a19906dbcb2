import Base
import Testing
import Vocabulary

@testable import Ledger

/// What goes between the slots of aliases and of their members, in every order of losses and repeats.
struct AliasStepTests {
  /// What each alias's slot says is what its member's says, and nothing waits any more.
  static func check(_ world: World) throws {
    var owners: [String: (member: String, state: UInt8)] = [:]
    for shard in world.shards {
      try shard.ledger.checkInvariants()
      CardEntryRecord.forEach(in: shard.ledger) { entry in
        let key = String(decoding: shard.ledger.tables.texts.read(entry.pointee.number), as: UTF8.self)
        #expect(entry.pointee.pending == .none, "\(key) waits")
        #expect(owners[key] == nil, "\(key) has two slots")
        guard entry.pointee.member != 0 else { return }
        owners[key] = (
          String(decoding: shard.ledger.tables.texts.read(entry.pointee.member), as: UTF8.self), entry.pointee.state
        )
      }
    }
    var held = 0
    for shard in world.shards {
      MemberRecord.forEach(in: shard.ledger) { member in
        let id = String(decoding: shard.ledger.memberID(member), as: UTF8.self)
        var next = member.pointee.firstCard
        var counted = 0
        while next != .none {
          let card = shard.ledger.tables.cards.read(next)
          let key = String(decoding: shard.ledger.key(of: card), as: UTF8.self)
          if card.pointee.state != CardState.removed.rawValue {
            held += 1
            let owner = owners[key]
            #expect(owner?.member == id && owner?.state == card.pointee.state, "\(key) of \(id)")
          }
          if card.pointee.state != CardState.replaced.rawValue, !key.contains(":") { counted += 1 }
          next = card.pointee.next
        }
        #expect(Int(member.pointee.cardCount) == counted, "cards of \(id)")
      }
    }
    #expect(held == owners.values.count { $0.state != CardState.removed.rawValue })
  }

  /// Carries what is on its way in any order; some is lost, some comes twice. What is open is sent again, until nothing is.
  static func deliver(_ world: World, _ random: inout SeededGenerator) throws {
    for _ in 0..<100_000 {
      guard !world.post.isEmpty else {
        Moving.resend(world)
        if world.post.isEmpty { return }
        continue
      }
      let place = Int(random.next() % UInt64(world.post.count))
      let delivery = world.post[place]
      let chance = random.next() % 10
      if chance > 1 { world.post.remove(at: place) }
      if chance != 9 { try world.send(delivery) }
    }
    Issue.record("steps that do not end")
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
  func changesOfAliasesEndInEveryOrder(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let world = try PropertyTests.open(4, seed: seed)
    world.semantics = Semantics.newest
    for type in 0..<2 { _ = try world.run("CARDTYPE SET t\(type)") }
    func pick(_ n: Int) -> Int { Int(random.next() % UInt64(n)) }
    var sent: [String] = []
    for round in 0..<40 {
      world.holdsPost = true
      for step in 0..<6 {
        let id = "id=r\(round)-\(step)"
        let line =
          switch pick(10) {
          case 0...2: "ALIAS ADD card:c\(pick(9)) member=m\(pick(5)) type=t\(pick(2)) \(id)"
          case 3: "ALIAS ADD phone:\(pick(5)) member=m\(pick(5)) \(id)"
          case 4...6: "CARD REPLACE c\(pick(9)) c\(pick(9)) \(id)"
          case 7: "ALIAS \(["LOST", "FOUND", "REMOVE"][pick(3)]) card:c\(pick(9)) \(id)"
          case 8: "MEMBER ERASE m\(pick(5)) \(id)"
          default: "ALIAS REMOVE phone:\(pick(5)) \(id)"
          }
        _ = try world.run(line)
        sent.append(line)
        if pick(3) == 0, !world.post.isEmpty { try world.send(world.post.remove(at: pick(world.post.count))) }
      }
      try Self.deliver(world, &random)
      try Self.check(world)
      // A repeat has its answer, and changes nothing.
      world.holdsPost = false
      let before = Moving.digest(world)
      for line in sent.suffix(6) where line.contains("REPLACE") {
        let again = try world.run(line)
        #expect(!again.contains("pending"), "\(line)")
        if again.hasPrefix("+") { #expect(try world.run(line) == again) }
      }
      if sent.suffix(6).allSatisfy({ !$0.contains("REPLACE") }) { #expect(Moving.digest(world) == before) }
      try Self.check(world)
    }
  }

  @Test(arguments: [21, 22, 23, 24] as [UInt64])
  func slotsMoveUnderStepsThatAreOpen(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let world = try Moving.open([0..<8_192, 8_192..<16_384], seed: seed)
    _ = try world.run("CARDTYPE SET gold")
    for i in 0..<12 {
      #expect(try world.run("ALIAS ADD card:k\(i) member=m\(i) type=gold") == "+OK")
      #expect(try world.run("ALIAS ADD mail:k\(i)@x member=m\(i)") == "+OK")
    }
    world.holdsPost = true
    for i in 0..<12 {
      _ = try world.run(i % 3 == 0 ? "MEMBER ERASE m\(i) id=s\(i)" : "CARD REPLACE k\(i) n\(i) id=s\(i)")
    }
    for round in 0..<6 {
      for _ in 0..<8 where !world.post.isEmpty {
        try world.send(world.post.remove(at: Int(random.next() % UInt64(world.post.count))))
      }
      let from = round % 2
      let run = world.shards[from].ledger.ranges.ranges.first
      if let run { try Moving.move(world, run.lowerBound..<run.lowerBound + run.count / 2, from: from, to: 1 - from) }
    }
    try Self.deliver(world, &random)
    try Self.check(world)
    world.holdsPost = false
    for i in 0..<12 {
      let shown = try world.run("MEMBER SHOW m\(i)")
      if i % 3 == 0 {
        #expect(!shown.contains("k\(i)"), "\(shown)")
      } else {
        #expect(shown.contains("cards=k\(i):lost,n\(i) ") && shown.contains("n\(i):gold"), "\(shown)")
        #expect(try world.run("CARD REPLACE k\(i) n\(i) id=s\(i)") == "+member=m\(i)")
      }
    }
  }

  /// Nothing of a member who was erased is in any shard's state, wherever the slots have been; the movements are.
  @Test func nothingIsLeftOfWhoWasErased() throws {
    let world = try Moving.open([0..<8_192, 8_192..<16_384], seed: 9)
    let lines = """
      MEMBER ADD secret name=Secret-name birthday=1980-02-29 x.note=Secret-note card=Secret-card
      MEMBER ADD plain name=Secret-plain
      ALIAS ADD mail:Secret-mail@x member=secret
      ALIAS ADD phone:Secret-old member=secret
      ALIAS REMOVE phone:Secret-old
      ALIAS ADD phone:Secret-old member=m1
      CARD REPLACE Secret-card Secret-new id=n
      MEMBER NOTE secret kind=visit text=Secret-text
      MEMBER NOTE plain kind=visit text=Secret-text
      EARN card:Secret-new merchant=cafe points=50 id=e
      """
    for line in lines.split(separator: "\n") {
      #expect(try world.run(String(line)).hasPrefix("+"), "\(line)")
    }
    func holding(_ word: String) -> [Int] {
      let sought = Array("Secret\(word)".utf8)
      return world.shards.indices.filter { place in
        let bytes = world.shards[place].snapshotBytes()
        return bytes.indices.contains { bytes[$0...].starts(with: sought) }
      }
    }
    // There and back: what leaves with its slots leaves nothing behind.
    #expect(try Moving.move(world, 0..<8_192, from: 0, to: 1))
    #expect(holding("-") == [1])
    #expect(try Moving.move(world, 0..<8_192, from: 1, to: 0))
    #expect(try world.run("MEMBER ERASE mail:Secret-mail@x id=gone") == "+OK")
    #expect(try world.run("MEMBER ERASE plain") == "+OK")
    #expect(try world.run("MEMBER ERASE secret id=gone") == "+OK")
    #expect(try world.run("MEMBER ERASE secret") == "+OK")
    for word in ["-name", "-note", "-card", "-mail", "-new", "-text", "-plain"] {
      #expect(holding(word) == [], "\(word)")
    }
    #expect(holding("-old").count == 1 || holding("-old").count == 2)
    #expect(try world.run("BALANCE secret program=points").contains("balance=50"))
    #expect(try world.run("HISTORY secret").contains("points=50"))
    try Self.check(world)
  }
}
