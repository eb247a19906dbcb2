import Base
import Testing

@Suite struct JournalRouteTests {
  private func at(_ journal: UInt32, _ segment: UInt32, _ offset: UInt64) -> JournalPosition {
    JournalPosition(journal: ShardID(journal), segment: segment, offset: offset)
  }

  @Test func oneJournalComesAfterTheOther() {
    let route = JournalRoute(
      from: [at(7, 1, 0), at(5, 1, 4), at(4, 2, 9), at(1, 1, 0)],
      to: [at(1, 2, 50), at(4, 2, 9), at(5, 1, 9), at(6, 3, 3), at(7, 1, 3)])
    // Of one all is there, and of another nothing is wanted.
    #expect(route.legs.map(\.end) == [at(1, 2, 50), at(5, 1, 9), at(7, 1, 3)])
    #expect(route.start == at(1, 1, 0) && route.end(of: ShardID(5)) == at(5, 1, 9) && route.end(of: ShardID(6)) == nil)
    #expect(route.next(from: at(1, 2, 49)) == at(1, 2, 49))
    #expect(route.next(from: at(1, 2, 50)) == at(5, 1, 4))
    #expect(route.next(from: at(5, 1, 9)) == at(7, 1, 0))
    #expect(route.next(from: at(7, 1, 3)) == nil && route.next(from: at(9, 1, 0)) == nil)
    #expect(route.distance(from: at(1, 1, 0), segmentBytes: 100) == 100 + 50 + 5 + 3)
    #expect(route.byteCount(segmentBytes: 100) == 158)
    #expect(route.distance(from: at(5, 1, 4), segmentBytes: 100) == 5 + 3)
  }
  @Test func nothingIsWanted() {
    let route = JournalRoute(from: [at(7, 3, 3), at(8, 1, 0)], to: [at(7, 3, 3)])
    #expect(route.start == nil && route.next(from: at(7, 3, 3)) == nil && route.byteCount(segmentBytes: 9) == 0)
  }
}
