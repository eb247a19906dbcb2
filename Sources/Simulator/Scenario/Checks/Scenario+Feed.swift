import Cluster
import Ledger

/// What is asked for by who wants movements alone.
enum ScenarioKinds {
  static let movements = FeedKinds.names.filter { $0 != "change" }.joined(separator: ",")
}

extension Scenario {
  func scheduleFollower() {
    guard plan.traffic.isFollowed else { return }
    let follower = FeedFollower(self)
    side.follower = follower
    simulation.call(after: 1_000_000) { follower.wake() }
  }

  /// Who followed has what the journals have, and so has who begins now.
  func checkFeed() {
    guard let number = up.first, let client = simulation.connect(to: number) else { return }
    side.follower?.finish(on: client)
    FeedFollower(self).finish(on: client)
  }
}
