import Base
import Testing

@testable import Cluster

/// Who may send a node a snapshot, and in which order.
@Suite struct SnapshotSlotsTests {
  private static let senders = (1...4).map { NodeID(UInt64($0)) }
  private var slots = SnapshotSlots()

  private mutating func ask(
    _ shard: UInt32, _ urgency: SnapshotSlots.Urgency = .wounded, of sender: Int = 0, at now: UInt64 = 0
  ) -> Bool {
    slots.ask(ShardID(shard), of: Self.senders[sender], urgency, now: now)
  }
  private mutating func granted(at now: UInt64 = 0, most: Int = 4) -> [UInt32] {
    slots.grant(now: now, most: most).map(\.shard.rawValue)
  }
  /// So many bytes a second come for two seconds.
  private mutating func receive(bytesPerSecond: Int, from start: UInt64) {
    for step in 0..<20 { slots.received(bytesPerSecond / 10, now: start + UInt64(step) * 100_000) }
  }

  @Test mutating func whatIsMoreUrgentComesFirstAndElseWhoAskedFirst() {
    #expect(!ask(1, .rebalance))
    #expect(!ask(2, .operation, of: 1))
    #expect(!ask(3, .wounded))
    #expect(!ask(4, .endangered))
    #expect(!ask(5, .endangered, of: 1))
    #expect(!ask(6, .wounded))
    var order: [UInt32] = []
    for _ in 1...6 {
      let next = granted()
      #expect(next.count == 1 && granted() == [], "one at a time")
      order += next
      slots.arrived(ShardID(next[0]), of: Self.senders[0], now: 0)
      slots.ended(ShardID(next[0]))
    }
    #expect(order == [4, 5, 3, 6, 2, 1])
  }
  /// How urgent it is may change while it waits; its place in the row does not.
  @Test mutating func whoAsksAgainKeepsItsPlace() {
    _ = ask(1)
    _ = ask(2)
    _ = ask(3)
    _ = ask(1)
    _ = ask(3, .endangered)
    #expect(granted() == [3])
    slots.ended(ShardID(3))
    #expect(granted() == [1])
    // One that came to nothing stands behind the others.
    slots.ended(ShardID(1))
    _ = ask(1)
    #expect(granted() == [2])
  }
  @Test mutating func theSlotOfWhoDoesNotComeIsGivenToAnother() {
    _ = ask(1, of: 0)
    _ = ask(2, of: 1)
    #expect(granted() == [1])
    let isGranted = ask(1, of: 0, at: 10_000_000)
    #expect(isGranted, "it may not have heard so")
    _ = ask(2, of: 1, at: 20_000_000)
    #expect(granted(at: 30_000_000) == [])
    #expect(granted(at: 30_000_001) == [2], "the first said nothing for \(SnapshotSlots.patience) µs")
    // Nor is one waited for that does not ask any more.
    _ = ask(3, at: 31_000_000)
    slots.arrived(ShardID(2), of: Self.senders[1], now: 31_000_000)
    #expect(granted(at: 60_000_000) == [] && slots.waiting.isEmpty)
    #expect(slots.granted.count == 1, "what has arrived has a link that tells of its end")
  }
  @Test mutating func theSlotOfASenderThatIsLostIsGivenToAnother() {
    _ = ask(1, of: 0)
    _ = ask(2, of: 0)
    _ = ask(3, of: 1)
    #expect(granted() == [1])
    slots.lost(Self.senders[0])
    #expect(granted() == [3] && slots.waiting.isEmpty)
    slots.arrived(ShardID(3), of: Self.senders[1], now: 0)
    slots.lost(Self.senders[1])
    #expect(slots.granted.count == 1)
    slots.ended(ShardID(3))
    #expect(slots.granted.isEmpty)
  }
  @Test mutating func whoWithdrawsIsNotWaitedFor() {
    _ = ask(1)
    _ = ask(2)
    #expect(granted() == [1])
    slots.withdraw(ShardID(2), of: Self.senders[0])
    slots.withdraw(ShardID(1), of: Self.senders[1])
    #expect(slots.granted.count == 1 && slots.waiting.isEmpty, "it is another's")
    slots.withdraw(ShardID(1), of: Self.senders[0])
    #expect(slots.granted.isEmpty)
    _ = ask(1)
    #expect(granted() == [1])
    slots.arrived(ShardID(1), of: Self.senders[0], now: 0)
    slots.withdraw(ShardID(1), of: Self.senders[0])
    #expect(slots.granted.count == 1, "it is on its way")
    let isGranted = ask(1)
    #expect(!isGranted)
  }
  /// A shard has another leader: that one sends its snapshot, in the same place of the row.
  @Test mutating func anotherLeaderTakesOverAShardsPlace() {
    _ = ask(1, of: 0)
    _ = ask(2, of: 0)
    _ = ask(1, of: 1)
    let next = slots.grant(now: 0, most: 4)
    #expect(next.map(\.sender) == [Self.senders[1]] && next.map(\.shard) == [ShardID(1)])
    // The old one comes all the same: the slot is the shard's.
    slots.arrived(ShardID(1), of: Self.senders[0], now: 0)
    #expect(slots.granted[ShardID(1)]?.sender == Self.senders[0] && slots.granted.count == 1)
  }
  @Test mutating func aWideLinkHasRoomForTwo() {
    for shard in 1...4 { _ = ask(UInt32(shard)) }
    #expect(granted() == [1])
    slots.arrived(ShardID(1), of: Self.senders[0], now: 0)
    receive(bytesPerSecond: 24_000_000, from: 0)
    #expect(granted(at: 2_000_000) == [])
    receive(bytesPerSecond: 28_000_000, from: 2_000_000)
    #expect(granted(at: 4_000_000, most: 1) == [], "no more than moves")
    #expect(granted(at: 4_000_000) == [2])
    #expect(granted(at: 4_000_000) == [])
    // What was fast a while ago may be slow now.
    for second in 0..<130 {
      slots.received(1_000_000, now: 4_000_000 + UInt64(second) * 1_000_000)
      for shard in 2...4 { _ = ask(UInt32(shard), at: 4_000_000 + UInt64(second) * 1_000_000) }
    }
    slots.ended(ShardID(1))
    #expect(granted(at: 134_000_000) == [], "one is enough")
  }
  /// A burst after a pause is no second of traffic.
  @Test mutating func aPauseIsNotTimeInWhichSomethingCame() {
    slots.received(30_000_000, now: 0)
    slots.received(64_000, now: 1_500_000)
    slots.received(64_000, now: 2_000_000)
    #expect(!slots.rate.isWide)
  }

  /// Whatever comes in whatever order: no more at once than there are slots, nobody before one that is more urgent and asked
  /// as well, and each that goes on asking has its turn.
  @Test(arguments: 1...60) func nobodyStarvesAndNobodyIsPassedBy(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var slots = SnapshotSlots()
    var now: UInt64 = 0
    var wanted: [ShardID: (sender: NodeID, urgency: SnapshotSlots.Urgency)] = [:]
    var served: Set<ShardID> = []
    for number in 1...40 {
      let shard = ShardID(UInt32(number))
      let urgency = SnapshotSlots.Urgency(rawValue: UInt8(random.next() % 4)) ?? .wounded
      wanted[shard] = (Self.senders[Int(random.next() % 4)], urgency)
    }
    for _ in 0..<5_000 where !wanted.isEmpty {
      now += random.next() % 2_000_000
      for (shard, want) in wanted.sorted(by: { $0.key < $1.key }) where random.next() % 2 == 0 {
        _ = slots.ask(shard, of: want.sender, want.urgency, now: now)
      }
      let before = slots.waiting
      for (shard, sender) in slots.grant(now: now, most: Int(random.next() % 4)) {
        #expect(wanted[shard]?.sender == sender)
        let chosen = before.first { $0.shard == shard }
        for other in before where slots.granted[other.shard] == nil && slots.waiting.contains(other) {
          #expect((chosen?.urgency ?? .rebalance, chosen?.place ?? 0) < (other.urgency, other.place))
        }
      }
      #expect(slots.granted.count <= 1, "nothing has shown that the link is wide")
      for (shard, slot) in slots.granted.sorted(by: { $0.key < $1.key }) {
        switch random.next() % 8 {
        case 0: slots.lost(slot.sender)
        case 1: slots.arrived(shard, of: slot.sender, now: now)
        case 2:
          slots.arrived(shard, of: slot.sender, now: now)
          slots.ended(shard)
        case 3, 4:
          slots.arrived(shard, of: slot.sender, now: now)
          slots.ended(shard)
          served.insert(shard)
          wanted[shard] = nil
        default: break
        }
      }
    }
    #expect(served.count == 40 && wanted.isEmpty)
  }
  private struct SplitMix {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }
}
