import Testing

@testable import Cluster

/// Which messages of an edge a leader takes.
@Suite struct EdgeEpochsTests {
  private var edges = EdgeEpochs()

  private mutating func receive(
    _ message: UInt64, of epoch: UInt32 = 5, from edge: UInt32 = 1, isOpen: Bool = true
  ) -> EdgeEpochs.Admission {
    edges.receive(message, of: epoch, from: edge, isOpen: isOpen)
  }

  @Test mutating func messagesOfAnEpochAreTakenInSequence() {
    for message in 0..<3 as Range<UInt64> { #expect(receive(message) == .taken) }
    #expect(receive(4) == .refused(from: 3), "3 is missing")
    #expect(receive(3) == .refused(from: 3) && receive(0) == .refused(from: 3), "all that follows is refused, too")
  }

  @Test mutating func aNewEpochBeginsWithItsFirstMessage() {
    #expect(receive(0) == .taken && receive(1, of: 6) == .old && receive(0, of: 6) == .taken)
    #expect(receive(1, of: 5) == .old && receive(0, of: 5) == .old)
    #expect(receive(1, of: 6) == .taken)
  }

  @Test mutating func epochsGoOnBehindTheLastNumber() {
    #expect(receive(0, of: .max) == .taken && receive(0, of: 0) == .taken && receive(1, of: 0) == .taken)
  }

  @Test mutating func anEdgeThatIsNotKnownBeginsAtTheBeginning() {
    #expect(receive(2) == .refused(from: 2) && receive(3) == .refused(from: 2))
    #expect(receive(0, of: 6) == .taken)
  }

  @Test mutating func nothingIsTakenWhereNobodyLeads() {
    #expect(receive(0, isOpen: false) == .refused(from: 0))
    #expect(receive(1) == .refused(from: 0) && receive(0) == .refused(from: 0), "the edge goes on with a new epoch")
    #expect(receive(0, of: 6) == .taken && receive(1, of: 6, isOpen: false) == .refused(from: 1))
  }

  @Test mutating func anEdgeThatBeganAnewIsHeardLikeANewOne() {
    #expect(receive(0) == .taken && receive(0, from: 2) == .taken)
    edges.forget(1)
    #expect(receive(0, of: 2) == .taken && receive(1, from: 2) == .taken)
  }

  @Test mutating func whatWasTakenIsInDoubtOnceNobodyLeads() {
    for edge in [3, 1, 2] as [UInt32] { #expect(receive(0, of: 7 + edge, from: edge) == .taken) }
    #expect(receive(0, of: 9, from: 2) == .refused(from: 1))
    let doubts = edges.close()
    #expect(doubts.map(\.edge) == [1, 3] && doubts.map(\.epoch) == [8, 10], "the second has been told already")
    #expect(edges.close().isEmpty && receive(1, of: 8) == .refused(from: 1))
  }
}
