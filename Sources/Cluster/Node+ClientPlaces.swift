import Base
import Protocol

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

extension Node {
  public func clientsLimited(to limit: Int, now: Moment) {
    self.now = now
    places.setLimit(limit)
  }

  public func isIdle(_ id: ClientID) -> Bool { client(id).map { $0.outstanding == 0 && $0.output.isEmpty } ?? true }

  /// Whether a request of a client on a reserved place is served; else it is answered here. Once there is room, the client
  /// has an ordinary place.
  func mayBeServed(_ client: Client, _ request: Request) -> Bool {
    if places.takeOrdinary() {
      client.isReserved = false
      return true
    }
    if request.rule.pointee.traits.contains(.reserved) { return true }
    client.answerNow {
      ReplyRenderer.error(
        .busy,
        "all but the last \(ClientPlaces.reservedMax) connections are taken, and those answer only CLUSTER, HEALTH, INFO and"
          + " AUTH; nothing was done", into: &$0)
    }
    return false
  }
}
