import Testing

@testable import Cluster
@testable import Ledger

/// How a leader goes over the deliveries that are not acknowledged.
@Suite struct DeliveryWalkTests {
  private var walk = DeliveryWalk()

  private mutating func next(_ now: UInt64) -> DeliveryRetry? { walk.next(now: now, interval: 100, patience: 7) }

  @Test mutating func partsKeepTheirInterval() {
    let parts = [next(1_000), next(1_099), next(1_100), next(1_101)]
    #expect(parts.map { $0 != nil } == [true, false, true, false])
    #expect(parts[0]?.sinceLastWalk == nil, "each delivery is due in the first walk")
    #expect(parts[2]?.sinceLastWalk == 100 && parts[2]?.patience == 7)
  }

  @Test mutating func allPartsOfAWalkGoByTheBeginningOfTheOneBefore() {
    var parts = [next(1_000)]
    walk.places.outbox = 5
    parts.append(next(1_100))
    #expect(parts.map { $0 != nil } == [true, true] && parts[1]?.sinceLastWalk == nil, "the first walk goes on")
    walk.places = DeliveryPlaces()
    parts.append(next(1_300))
    walk.places.inbox = 5
    parts.append(next(1_400))
    #expect(parts[2]?.sinceLastWalk == 300 && parts[3]?.sinceLastWalk == 400)
    walk.places = DeliveryPlaces()
    parts.append(next(1_500))
    #expect(parts[4]?.sinceLastWalk == 200)
  }
}
