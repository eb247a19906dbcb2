import Base
import Testing

@testable import Cluster

/// When an audit's marker is proposed.
@Suite struct MarkersTests {
  private var markers = Markers()
  private static let clock: Int64 = 1_000_000

  private mutating func add(_ sequence: UInt64, ahead: Int64) -> Bool {
    let stamp = Stamp(microseconds: Self.clock + ahead)
    let marker = Marker(stamp: stamp, envelope: [], replyTo: ReplyTo(edge: 1, sequence: sequence))
    return markers.add(marker, clock: Stamp(microseconds: Self.clock))
  }
  private mutating func due(after time: Int64) -> [UInt64] {
    markers.takeDue(clock: Stamp(microseconds: Self.clock + time)).map(\.replyTo.sequence)
  }

  @Test mutating func aMarkerWaitsUntilTheClockIsNearItsStamp() {
    let taken = [add(1, ahead: 200_000), add(2, ahead: 100_000), add(3, ahead: 100_000), add(4, ahead: -5)]
    #expect(taken == [true, true, true, true])
    var found = [due(after: 0), due(after: 100_000 - Markers.lead - 1)]
    #expect(found == [[4], []])
    found = [due(after: 100_000 - Markers.lead), due(after: 100_000), due(after: 300_000)]
    #expect(found == [[2, 3], [], [1]] && markers.isEmpty)
  }

  @Test mutating func aStampThatIsFarAheadIsRefused() {
    let taken = [add(1, ahead: Markers.reach), add(2, ahead: Markers.reach + 1)]
    #expect(taken == [true, false])
  }

  @Test mutating func aFewMayWait() {
    let taken = (0...Markers.limit).map { add(UInt64($0), ahead: 100_000) }
    #expect(taken == Array(repeating: true, count: Markers.limit) + [false])
  }
}
