/// The constants of a group. All nodes of a group should have the same; safety does not depend on it. Pre-vote and
/// check-quorum are not options: they are always on.
public struct RaftOptions: Hashable, Sendable {
  /// A follower that hears nothing of a leader for this many ticks, plus its stagger, plus a random part of the spread,
  /// asks for pre-votes. Also: how long a leader may be without a quorum, and how long a transfer may take.
  public var electionTicks = 10
  /// The random part is in 0...electionSpreadTicks.
  public var electionSpreadTicks = 5
  /// Added to this node's timeout: nodes outside the home region wait longer.
  public var electionStaggerTicks = 0
  /// Ticks between a leader's heartbeats.
  public var heartbeatTicks = 1
  /// A group in which nothing was under way for so many ticks is idle: its leader's heartbeats go with some ticks only, as the
  /// driver says (`RaftGroup.tick`).
  public var idleAfterTicks = Int.max
  /// What may be sent to one follower and not yet acknowledged. Some twice the bandwidth-delay product.
  public var maxInflightBytes = 8 << 20
  /// The payload of one append, unless a single entry is larger.
  public var maxMessageBytes = 1 << 20
  /// What may be proposed and not yet committed. A single larger entry passes when nothing else is uncommitted.
  public var maxUncommittedBytes = 64 << 20
  /// What `RaftGroup.maxReadRounds` begins with.
  public var maxReadRounds = 4
  /// Tells followers of a commit at once, by a message of its own, and not with the next append or heartbeat.
  public var announcesCommits = false
  /// A leader sends nothing to members that have nothing before it is told how they are to begin: `RaftGroup.beginMembers`.
  public var waitsForBeginning = false

  public init() {}

  func check() {
    precondition(heartbeatTicks >= 1 && electionTicks > heartbeatTicks, "an election takes longer than a heartbeat")
    precondition(idleAfterTicks >= 1, "what is under way is not idle")
    precondition(electionSpreadTicks >= 0 && electionStaggerTicks >= 0, "a wait is not negative")
    precondition(maxMessageBytes > 0 && maxInflightBytes >= maxMessageBytes, "the window holds at least one message")
    precondition(maxUncommittedBytes > 0 && maxReadRounds > 0, "limits are above 0")
  }
}

extension RaftGroup {
  public enum Role: UInt8, Sendable {
    case follower, preCandidate, candidate, leader
  }
}
