/// What is to be brought of some journals, one after the other, each from a position of its own on.
public struct JournalRoute: Hashable, Sendable {
  public struct Leg: Hashable, Sendable {
    public let start: JournalPosition
    public let end: JournalPosition
  }
  /// None of them is empty.
  public let legs: [Leg]

  /// - Parameters:
  ///   - starts: from where on journals are wanted, in any order: of one that is not named nothing is.
  ///   - ends: where they end, in the order in which they are to come.
  public init(from starts: [JournalPosition], to ends: [JournalPosition]) {
    legs = ends.compactMap { end in
      starts.first { $0.isBefore(end) }.map { Leg(start: $0, end: end) }
    }
  }

  /// Nil: nothing is wanted.
  public var start: JournalPosition? { legs.first?.start }
  /// Where a journal of it ends; nil: it has nothing of that one.
  public func end(of journal: ShardID) -> JournalPosition? { legs.first { $0.end.journal == journal }?.end }
  /// Where the next bytes are, once all before a position have come; nil: there are no more.
  public func next(from position: JournalPosition) -> JournalPosition? {
    guard let place = legs.firstIndex(where: { $0.end.journal == position.journal }) else { return nil }
    if position.isBefore(legs[place].end) { return position }
    return place + 1 < legs.count ? legs[place + 1].start : nil
  }
  /// Bytes from a position on, as `JournalPosition.distance` reckons them.
  public func distance(from position: JournalPosition, segmentBytes: UInt64) -> UInt64 {
    guard let place = legs.firstIndex(where: { $0.end.journal == position.journal }) else { return 0 }
    return legs[place...].reduce(0) { sum, leg in
      let from = leg.end.journal == position.journal ? position : leg.start
      return sum + leg.end.distance(from: from, segmentBytes: segmentBytes)
    }
  }
  /// All of it, by the same reckoning.
  public func byteCount(segmentBytes: UInt64) -> UInt64 {
    start.map { distance(from: $0, segmentBytes: segmentBytes) } ?? 0
  }
}
