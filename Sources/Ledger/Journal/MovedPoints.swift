/// How many points movements of each kind have moved: what a node shows of itself, and no part of any state.
public struct MovedPoints: Sendable {
  /// By the kind's raw value.
  private var sums = InlineArray<64, UInt64>(repeating: 0)
  private(set) var isEmpty = true

  public init() {}

  /// - Parameters:
  ///   - points: by how much the balance changed.
  ///   - amount: what was moved, where that is something else.
  @inline(__always) mutating func note(_ kind: RecordKind, _ points: Points, _ amount: Points) {
    sums[Int(kind.rawValue)] &+= points == 0 ? amount.rawValue.magnitude : points.rawValue.magnitude
    isEmpty = false
  }
  public mutating func add(_ other: MovedPoints) {
    for i in sums.indices { sums[i] &+= other.sums[i] }
    isEmpty = isEmpty && other.isEmpty
  }

  /// Each kind that is about a member's account, with its points, in the order of their numbers.
  public var byKind: [(kind: StaticString, points: UInt64)] {
    sums.indices.compactMap { i in
      guard let kind = RecordKind(rawValue: UInt8(i)), kind.isOfHistory else { return nil }
      return (kind.word, sums[i])
    }
  }
}
