import Testing

@testable import Cluster
@testable import Ledger
@testable import Simulator

@Suite struct ScenarioSizesTests {
  /// The parts of a parcel that go out at once come in at once: of those that have no room the first would come in alone, each time.
  @Test(arguments: [64 << 10, 256 << 10, 1 << 20, 64 << 20], [false, true])
  func whatASourceSendsAtOnceHasRoom(segmentBytes: Int, isTiny: Bool) {
    var sizes = ScenarioPlan.Sizes()
    (sizes.segmentBytes, sizes.isTiny) = (segmentBytes, isTiny)
    var configuration = NodeConfiguration(
      name: "east-1", region: "east", clientAddress: "east-1:1", peerAddress: "east-1:2", join: [])
    #expect(Self.atOnce(configuration) <= configuration.gatherBytes)
    sizes.apply(to: &configuration)
    #expect(Self.atOnce(configuration) <= configuration.gatherBytes + configuration.entryBytes)
    #expect(configuration.gatherBytes + configuration.entryBytes < segmentBytes / 2)
  }
  private static func atOnce(_ configuration: NodeConfiguration) -> Int {
    configuration.ledgerLimits.partsAtOnce * (configuration.ledgerLimits.chunksPerPart * ParcelChunk.room + 128)
  }
}
