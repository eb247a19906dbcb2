/// How many terminals there may be: what the operator allows, or as many as the process has descriptors for, beside those of
/// the disk and of the links to other nodes.
struct ClientLimit {
  private let clientsMax: Int
  private let descriptorsMax: Int
  private(set) var current: Int
  /// What the operator was told last; nil: nothing yet.
  private var told: Int?

  init(_ options: LoopOptions) {
    clientsMax = options.clientsMax
    descriptorsMax = options.descriptorsMax
    current = options.clientsMax
  }

  /// What the node is to hear of.
  struct Change: Equatable {
    var limit: Int
    /// The operator is to hear of it, too: descriptors bound it, at the start, or to a tenth fewer than was told last.
    var isNews: Bool
  }
  /// Reckons it anew. Nil if it is as it was; the first time never.
  /// - Parameters:
  ///   - links: how many there are.
  ///   - reserved: descriptors that the disk may need.
  mutating func reckon(links: Int, reserved: Int) -> Change? {
    let left = descriptorsMax - LoopOptions.descriptorsOfLoop - reserved - links - LoopOptions.linksExpected
    let limit = min(clientsMax, max(LoopOptions.clientsMin, left))
    guard limit != current || told == nil else { return nil }
    let isFewer = told.map { limit < $0 - $0 / 10 } ?? true
    if isFewer || limit > told ?? 0 { told = limit }
    current = limit
    return Change(limit: limit, isNews: isFewer && limit < clientsMax)
  }
}
