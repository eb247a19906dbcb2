import System

/// How many connections terminals of each address have, if that is bounded. Those of this machine itself never count.
struct AddressCounts {
  /// Nil: any number, and nothing is counted.
  var most: Int?
  private var counts: [NetworkAddress: Int] = [:]

  init(most: Int?) { self.most = most }

  /// Whose count a connection would be on; nil: on nobody's.
  func origin(of address: SocketAddress) -> NetworkAddress? {
    guard most != nil, let origin = NetworkAddress(address), !origin.isLoopback else { return nil }
    return origin
  }
  /// The bound, if it is reached: one more would be too many.
  func bound(reachedBy origin: NetworkAddress) -> Int? {
    guard let most, counts[origin, default: 0] >= most else { return nil }
    return most
  }
  mutating func add(_ origin: NetworkAddress) { counts[origin, default: 0] += 1 }
  /// One of those that were added is gone; an address that has none left costs nothing.
  mutating func remove(_ origin: NetworkAddress) {
    guard let count = counts[origin] else { return }
    counts[origin] = count > 1 ? count - 1 : nil
  }
}
