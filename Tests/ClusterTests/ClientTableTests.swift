import Base
import Protocol
import Testing
import Vocabulary

@testable import Cluster

/// The terminals' places, and who is read on, without a node.
@Suite struct ClientTableTests {
  private var clients = ClientTable(window: 4, records: 100)
  private var out = NodeOutput()

  private mutating func open(_ id: UInt64) throws -> Client {
    clients.open(ClientID(id), from: "here", at: .zero)
    return try #require(clients[ClientID(id)])
  }
  private func owner(_ client: Client, records: Int = 0) -> EdgeItem.Owner {
    EdgeItem.Owner(
      client: client.index, generation: client.generation, slot: client.openSlot(records: records))
  }
  private mutating func flushed() -> [ClientID: String] {
    var effects = Effects<NodeWork>()
    clients.flush(into: &effects, &out)
    return Dictionary(
      effects.clientOutput.map { ($0.client, String(decoding: $0.bytes, as: UTF8.self)) }, uniquingKeysWith: +)
  }

  @Test mutating func answersToWhomIsGoneReachNobodyElse() throws {
    let first = try open(1)
    let asked = owner(first)
    clients.release(first, close: false, &out)
    let second = try open(2)
    #expect(second.index == first.index && clients.count == 1)
    clients.answerError(asked, .busy, "too late", &out)
    #expect(flushed().isEmpty)
  }

  @Test mutating func answersAreCountedByVerbAndOutcome() throws {
    let client = try open(1)
    let ping = VerbRule.of(.ping).pointee.number
    var writer = ReplyWriter()
    writer.ok()
    writer.error(.insufficient, "no")
    let replies = writer.buffer.array
    replies.withUnsafeBytes { bytes in
      for start in [0, 0, 1] {
        let slot = client.openSlot(verb: ping)
        let asked = EdgeItem.Owner(client: client.index, generation: client.generation, slot: slot)
        clients.answer(asked, UnsafeRawBufferPointer(rebasing: bytes[start...]), &out)
      }
      let slot = client.openSlot(verb: VerbRule.of(.earn).pointee.number)
      let asked = EdgeItem.Owner(client: client.index, generation: client.generation, slot: slot)
      clients.answerError(asked, .busy, "later", &out)
    }
    let counts = clients.outcomes.all.map { "\($0.verb) \($0.outcome) \($0.count)" }
    #expect(counts == ["EARN BUSY 1", "PING OK 2", "PING INSUFFICIENT 1"])
  }

  @Test mutating func aPlaceIsGivenBackOnce() throws {
    let client = try open(1)
    client.closing = true
    clients.markDirty(client)
    #expect(flushed().isEmpty && out.clientClose == [ClientID(1)])
    // The shell says the same of it, in the same turn.
    clients.release(client, close: false, &out)
    #expect(out.clientClose == [ClientID(1)] && clients.places.ordinary == 0)
    #expect(try open(2).index == client.index && open(3).index != client.index)
  }

  @Test mutating func whoIsClosingIsAnsweredFirst() throws {
    let client = try open(1)
    let asked = owner(client)
    client.closing = true
    clients.markDirty(client)
    #expect(flushed().isEmpty && out.clientClose.isEmpty)
    clients.answerError(asked, .busy, "late", &out)
    #expect(flushed()[ClientID(1)]?.hasPrefix("-BUSY late") == true && out.clientClose == [ClientID(1)])
  }

  @Test mutating func aFullWindowIsReadOnWhenHalfOfItIsAnswered() throws {
    let client = try open(1)
    let owners = (0..<4).map { _ in owner(client) }
    #expect(clients.isFull(client))
    clients.stopReading(client, &out)
    clients.stopReading(client, &out)
    #expect(out.clientReading.map(\.on) == [false])
    clients.answerError(owners[0], .busy, "", &out)
    #expect(out.clientReading.count == 1)
    clients.answerError(owners[1], .busy, "", &out)
    #expect(out.clientReading.map(\.on) == [false, true] && !clients.isFull(client))
  }

  @Test mutating func recordsFillItToo() throws {
    let client = try open(1)
    let asked = owner(client, records: 100)
    #expect(clients.isFull(client))
    clients.stopReading(client, &out)
    clients.answerError(asked, .busy, "", &out)
    #expect(out.clientReading.map(\.on) == [false, true])
  }

  @Test mutating func aBarrierEndsWithTheLastAnswer() throws {
    let client = try open(1)
    let owners = [owner(client), owner(client)]
    client.barrier = true
    clients.stopReading(client, &out)
    clients.answerError(owners[1], .busy, "", &out)
    #expect(client.barrier && client.readingStopped)
    clients.answerError(owners[0], .busy, "", &out)
    #expect(!client.barrier && !client.readingStopped)
  }

  @Test mutating func whoHadItsShareIsReadOnAfterTheFlush() throws {
    let client = try open(1)
    let asked = owner(client)
    client.awaitsFlush = true
    clients.stopReading(client, &out)
    clients.answerError(asked, .busy, "", &out)
    #expect(out.clientReading.map(\.on) == [false])
    _ = flushed()
    #expect(out.clientReading.map(\.on) == [false, true])
  }

  @Test mutating func theLastPlacesAreReserved() throws {
    clients.places.setLimit(4)
    #expect(try (1...4).map { try open($0).isReserved } == [false, false, true, true])
    clients.release(try #require(clients[ClientID(3)]), close: true, &out)
    #expect(clients.places.ordinary == 2)
  }
}
