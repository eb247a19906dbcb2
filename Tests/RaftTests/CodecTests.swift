import Base
import Testing

@testable import Raft

struct CodecTests {
  private func decode(_ bytes: [UInt8]) throws -> Message {
    try bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      return try Message(decoding: &reader)
    }
  }
  private func encoded(_ message: Message) -> [UInt8] {
    var buffer = ByteBuffer()
    message.encode(into: &buffer)
    return buffer.array
  }
  private func sample() -> Message {
    let entries = (1...3).map {
      LogEntry(index: LogIndex(UInt64(500 + $0)), term: Term(7), payload: Array(repeating: UInt8($0), count: 300))
    }
    var message = Message(
      .append, from: ReplicaID(.max, born: .max), to: ReplicaID(3, born: 9), term: Term(9), index: LogIndex(500),
      logTerm: Term(6),
      commit: LogIndex(490), commitTerm: Term(5), hint: LogIndex(1 << 40), context: .max, reject: true, force: true,
      entries: entries)
    message.life = .max
    message.isDamaged = true
    message.isFenced = true
    return message
  }

  @Test func aMessageOfEveryKindSurvivesTheWire() throws {
    for kind in Message.Kind.allCases {
      var message = sample()
      message.kind = kind
      if kind != .append { message.entries = [] }
      #expect(try decode(encoded(message)) == message)
      #expect(encoded(message).count <= message.encodedBound)
    }
  }
  @Test func aMessageCutAnywhereIsRefused() {
    let bytes = encoded(sample())
    for count in 0..<bytes.count {
      #expect(throws: MalformedBytes.self) { try decode(Array(bytes.prefix(count))) }
    }
  }
  @Test func randomDamageIsRefusedOrReadAsSomeMessageAndNeverTraps() {
    let bytes = encoded(sample())
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<3000 {
      var damaged = bytes
      for _ in 0...(generator.next() % 4) {
        damaged[Int(generator.next() % 60)] = UInt8(truncatingIfNeeded: generator.next())
      }
      guard let message = try? decode(damaged) else { continue }
      #expect(message.entries.first.map { $0.index == message.index + 1 } ?? true)
    }
  }
  @Test func aConfigurationThatCannotBeReadIsRefusedBeforeItIsCommitted() throws {
    var message = sample()
    message.entries[1].kind = .configuration
    #expect(throws: MalformedBytes.self) { try decode(encoded(message)) }
    message.entries[1].payload = Configuration(founders: [NodeID(1), NodeID(2)]).payload
    #expect(try decode(encoded(message)) == message)
  }
  @Test func entriesWhoseTermsFallOrPassTheSendersAreRefused() {
    var message = sample()
    message.entries[1].term = Term(6)
    #expect(throws: MalformedBytes.self) { try decode(encoded(message)) }
    message.entries[1].term = Term(10)
    #expect(throws: MalformedBytes.self) { try decode(encoded(message)) }
  }

  @Test func aConfigurationSurvivesItsPayload() throws {
    let configuration = Configuration(
      voters: [ReplicaID(3, born: 300), ReplicaID(1)], outgoing: [ReplicaID(1), ReplicaID(2)],
      learners: [ReplicaID(2), ReplicaID(9)], version: 300)
    #expect(configuration.voters == [ReplicaID(1), ReplicaID(3, born: 300)])
    #expect(configuration.members == [ReplicaID(1), ReplicaID(2), ReplicaID(3, born: 300), ReplicaID(9)])
    #expect(try Configuration(payload: configuration.payload) == configuration)
  }
  @Test func aConfigurationThatRepeatsANodeOrHasOneAsVoterAndLearnerIsRefused() {
    for (voters, learners) in [([1, 1], []), ([1, 2], [2]), ([0, 1], [])] as [([UInt64], [UInt64])] {
      let configuration = Configuration(founders: voters.map { NodeID($0) }, learners: learners.map { NodeID($0) })
      #expect(throws: MalformedBytes.self) { try Configuration(payload: configuration.payload) }
    }
    #expect(throws: MalformedBytes.self) { try Configuration(payload: Configuration.empty.payload + [0]) }
  }
  @Test func aHardStateSurvivesItsBytes() throws {
    let state = HardState(term: Term(5), vote: ReplicaID(77, born: 8), commit: LogIndex(12), born: 9).damaged(
      life: 9, isVoteLost: true)
    var buffer = ByteBuffer()
    state.encode(into: &buffer)
    var reader = ByteReader(buffer.bytes)
    #expect(try HardState(decoding: &reader) == state)
  }
}
