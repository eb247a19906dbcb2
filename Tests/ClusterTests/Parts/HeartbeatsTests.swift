import Base
import Raft
import Testing

@testable import Cluster

/// How heartbeats of many groups travel.
@Suite struct HeartbeatsTests {
  private let here = NodeID(1)
  private let there = NodeID(2)

  private func heartbeat(_ kind: Message.Kind, _ number: UInt64, mayWait: Bool) -> Message {
    var message = Message(
      kind, from: ReplicaID(node: here, born: 1 + number), to: ReplicaID(node: there, born: 300 + number),
      term: Term(7 + number), commit: LogIndex(kind == .heartbeat ? 1 << (5 * number) : 0), context: 1 << (6 * number))
    message.mayWait = mayWait
    return message
  }
  private func read(_ buffer: borrowing ByteBuffer) throws -> [(shard: ShardID, message: Message)] {
    let bytes = buffer.array
    return try bytes.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      var found: [(shard: ShardID, message: Message)] = []
      while !reader.isAtEnd { found.append(try Message.decode(heartbeat: &reader, from: here, to: there)) }
      return found
    }
  }

  @Test func eachIsReadAsItWasSaidAndInThatOrder() throws {
    var said: [Message] = []
    for number in 0..<10 as Range<UInt64> {
      var message = heartbeat(number % 2 == 0 ? .heartbeat : .heartbeatReply, number, mayWait: false)
      if number % 3 == 0 { (message.life, message.isDamaged, message.isFenced) = (number + 1, true, number == 3) }
      if number == 6 { message.index = LogIndex(99) }
      said.append(message)
    }
    var heartbeats = Heartbeats()
    for (place, message) in said.enumerated() { heartbeats.add(message, of: ShardID(UInt32(place * 77))) }
    var buffer = ByteBuffer()
    heartbeats.takeUrgent(into: &buffer)
    let heard = try read(buffer)
    #expect(heard.map(\.message) == said)
    #expect(heard.map(\.shard.rawValue) == (0..<10).map { UInt32($0 * 77) })
    let isEmpty = heartbeats.isEmpty
    #expect(isEmpty)
  }

  @Test func thoseThatMayWaitLeaveWithTheNextBeat() throws {
    var heartbeats = Heartbeats()
    heartbeats.add(heartbeat(.heartbeat, 1, mayWait: true), of: ShardID(1))
    let (areUrgent, isNoneThere) = (heartbeats.areUrgent, heartbeats.isEmpty)
    #expect(!areUrgent && !isNoneThere)
    heartbeats.add(heartbeat(.heartbeatReply, 2, mayWait: false), of: ShardID(2))
    var buffer = ByteBuffer()
    heartbeats.takeUrgent(into: &buffer)
    let first = try read(buffer)
    #expect(first.map(\.shard) == [ShardID(2)])
    heartbeats.add(heartbeat(.heartbeat, 3, mayWait: false), of: ShardID(3))
    buffer.removeAll()
    heartbeats.takeAll(into: &buffer)
    let rest = try read(buffer)
    #expect(rest.map(\.shard) == [ShardID(3), ShardID(1)])
    #expect(rest.map(\.message.mayWait) == [false, true])
    let isEmpty = heartbeats.isEmpty
    #expect(isEmpty)
  }

  /// A thousand shards fit into a frame, and hardly into less.
  @Test func aHeartbeatTakesADozenBytes() {
    var heartbeats = Heartbeats()
    for shard in 0..<1_000 as Range<UInt32> {
      heartbeats.add(
        Message(
          .heartbeat, from: ReplicaID(node: here, born: 1), to: ReplicaID(node: there, born: 1), term: Term(40),
          commit: LogIndex(2_000_000), context: 1_000_000), of: ShardID(shard))
    }
    var buffer = ByteBuffer()
    heartbeats.takeAll(into: &buffer)
    let count = buffer.count
    #expect(count <= 14_000)
  }

  @Test func whatNoNodeSaysIsRefused() {
    func decode(_ bytes: [UInt8]) throws -> Message {
      try bytes.withUnsafeBytes { bytes in
        var reader = ByteReader(bytes)
        return try Message.decode(heartbeat: &reader, from: here, to: there).message
      }
    }
    #expect(throws: Never.self) { try decode([1, 0, 1, 1, 5, 0, 0]) }
    for (bytes, why) in [
      ([1, 32, 1, 1, 5, 0, 0], "unknown flags"), ([1, 0, 0, 1, 5, 0, 0], "never born"),
      ([1, 0, 1, 0, 5, 0, 0], "never born"), ([255, 255, 255, 255, 127, 0, 1, 1, 5, 0, 0], "no shard"),
      ([1, 0, 1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 127, 0, 0], "out of range"), ([1, 0, 1, 1], "cut"),
    ] as [([UInt8], String)] {
      do {
        _ = try decode(bytes)
        Issue.record("taken: \(bytes)")
      } catch {
        #expect("\(error)".contains(why), "\(error)")
      }
    }
  }
}
