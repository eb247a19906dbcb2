import Ledger

/// What the entries have done that this node proposed, since it was last taken of a replica.
struct ReplicaFigures {
  fileprivate var moved: MovedPoints?
  /// From an entry's stamp to when it was applied, in microseconds.
  fileprivate var commitTimes: [Int64] = []

  /// - Parameter age: since it was stamped, in microseconds.
  mutating func note(_ points: MovedPoints?, _ age: Int64) {
    commitTimes.append(age)
    guard let points else { return }
    if moved == nil { moved = points } else { moved?.add(points) }
  }
}

/// What a node keeps of all its replicas', those that have left it too.
struct KeptFigures {
  private(set) var moved = MovedPoints()
  private(set) var commits = Histogram()

  mutating func take(_ figures: inout ReplicaFigures) {
    guard !figures.commitTimes.isEmpty else { return }
    for time in figures.commitTimes { commits.note(UInt64(max(0, time))) }
    figures.commitTimes.removeAll(keepingCapacity: true)
    if let points = figures.moved.take() { moved.add(points) }
  }
}
