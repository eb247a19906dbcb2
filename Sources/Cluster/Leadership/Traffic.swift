/// Where the requests of a shard come from, as its leader counts them: by the node that asked for a terminal. It begins anew with each
/// leadership.
struct Traffic {
  /// By the asking node's number: of the last second, and of the last half minute or so, of which what is older counts less.
  private var counts: [UInt64] = []
  private var scores: [UInt64] = []
  private(set) var seconds = 0

  /// A leader has watched for so many seconds before it goes by what it has seen.
  static let patience = 30
  /// What others ask is not counted.
  private static let mostEdges: UInt32 = 1_024
  /// Fewer requests a second say nothing.
  static let least: UInt64 = 1
  /// In percent of all: a region with so many leads.
  static let majority: UInt64 = 60
  /// What a second's requests weigh at the beginning; a thirty-second part is lost each second.
  private static let weight: UInt64 = 1 << 16

  @inline(__always) mutating func note(_ count: UInt32, from edge: UInt32) {
    guard edge < Traffic.mostEdges else { return }
    if Int(edge) >= counts.count { grow(through: Int(edge)) }
    counts[Int(edge)] &+= UInt64(count)
  }
  private mutating func grow(through edge: Int) {
    counts += [UInt64](repeating: 0, count: edge + 1 - counts.count)
    scores += [UInt64](repeating: 0, count: edge + 1 - scores.count)
  }

  /// Once a second.
  mutating func tick() {
    seconds += 1
    for edge in counts.indices {
      scores[edge] = scores[edge] - scores[edge] / 32 + min(counts[edge], 1 << 30) * Traffic.weight / 32
      counts[edge] = 0
    }
  }

  /// The region that most of it comes from, if that is clear.
  func region(_ region: (UInt32) -> String?) -> String? {
    guard seconds >= Traffic.patience else { return nil }
    var sums: [(region: String, score: UInt64)] = []
    var all: UInt64 = 0
    for edge in scores.indices where scores[edge] > 0 {
      guard let name = region(UInt32(edge)) else { continue }
      all += scores[edge]
      if let place = sums.firstIndex(where: { $0.region == name }) {
        sums[place].score += scores[edge]
      } else {
        sums.append((name, scores[edge]))
      }
    }
    guard all >= Traffic.least * Traffic.weight else { return nil }
    return sums.first { $0.score * 100 >= all * Traffic.majority }?.region
  }
}
