import Base
import Protocol
import Vocabulary

extension Node {
  public func clientsLimited(to limit: Int, now: Moment) {
    self.now = now
    clients.places.setLimit(limit)
  }

  public func isIdle(_ id: ClientID) -> Bool { clients[id].map { $0.outstanding == 0 && $0.output.isEmpty } ?? true }

  /// Whether a request of a client on a reserved place is served; else it is answered here. Once there is room, the client
  /// has an ordinary place.
  func mayBeServed(_ client: Client, _ request: Request) -> Bool {
    if clients.places.takeOrdinary() {
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
