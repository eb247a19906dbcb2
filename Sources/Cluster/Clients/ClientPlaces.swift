/// How many terminals are connected, and how many may be. The last places are for operators: whoever has one of them is
/// answered what an operator needs to look after the cluster, so that terminals that have taken all do not lock him out.
struct ClientPlaces {
  static let reservedMax = 16
  /// All places.
  private(set) var limit = Int.max
  /// Connections that have an ordinary place.
  private(set) var ordinary = 0

  private var ordinaryMax: Int { limit == .max ? limit : limit - min(ClientPlaces.reservedMax, limit / 2) }

  mutating func setLimit(_ limit: Int) { self.limit = limit }
  /// False: there is none left.
  mutating func takeOrdinary() -> Bool {
    guard ordinary < ordinaryMax else { return false }
    ordinary += 1
    return true
  }
  mutating func giveBackOrdinary() { ordinary -= 1 }
}
