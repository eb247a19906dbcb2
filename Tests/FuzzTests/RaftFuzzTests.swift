import Base
import Raft
import Testing

@Suite struct RaftFuzzTests {
  private func seeds() -> [[UInt8]] {
    let entries = (0..<4).map { i in
      LogEntry(
        index: LogIndex(UInt64(11 + i)), term: Term(UInt64(3 + i / 2)), kind: .command,
        payload: [UInt8](repeating: UInt8(i), count: i * 30))
    }
    return Message.Kind.allCases.map { kind in
      var buffer = ByteBuffer()
      Message(
        kind, from: ReplicaID(node: NodeID(1), born: 1), to: ReplicaID(node: NodeID(2), born: 1), term: Term(5),
        index: LogIndex(10), logTerm: Term(3),
        commit: LogIndex(9), commitTerm: Term(3), hint: LogIndex(4), context: 7, reject: false, force: false,
        entries: kind == .append ? entries : []
      ).encode(into: &buffer)
      return buffer.array
    }
  }

  @Test func aMessageIsReadAsWrittenOrRefused() {
    var mutator = Mutator(seed: 300)
    let seeds = seeds()
    var taken = 0
    for _ in 0..<FuzzInputs.count(perMille: 250) {
      let bytes = mutator.mutate(mutator.pick(seeds), with: mutator.pick(seeds))
      bytes.withUnsafeBytes { buffer in
        var reader = ByteReader(buffer)
        guard let message = try? Message(decoding: &reader) else { return }
        taken += 1
        #expect(message.entries.count * 3 <= bytes.count)
        #expect(message.entries.reduce(0) { $0 + $1.payload.count } <= bytes.count)
        var again = ByteBuffer()
        message.encode(into: &again)
        let copy = again.array.withUnsafeBytes { buffer in
          var reader = ByteReader(buffer)
          return try? Message(decoding: &reader)
        }
        #expect(copy == message)
      }
    }
    #expect(taken > 0)
  }

  @Test func hardStatesAndConfigurationsAreReadOrRefused() {
    var mutator = Mutator(seed: 301)
    var state = ByteBuffer()
    HardState(term: Term(4), vote: ReplicaID(node: NodeID(2), born: 1), commit: LogIndex(8)).encode(into: &state)
    var configuration = ByteBuffer()
    Configuration(founders: [NodeID(1), NodeID(2), NodeID(3)], learners: [NodeID(4)]).encode(into: &configuration)
    for _ in 0..<FuzzInputs.count(perMille: 50) {
      let bytes = mutator.mutate(mutator.below(2) == 0 ? state.array : configuration.array, with: configuration.array)
      bytes.withUnsafeBytes { buffer in
        var reader = ByteReader(buffer)
        _ = try? HardState(decoding: &reader)
        reader = ByteReader(buffer)
        guard let found = try? Configuration(decoding: &reader) else { return }
        #expect(found.voters.count + found.learners.count <= bytes.count)
      }
    }
  }
}
