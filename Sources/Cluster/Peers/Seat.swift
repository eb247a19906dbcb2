import Base

/// Which of the processes that hold a node's identity is the node. A data directory may have been copied, with the log that
/// says what this node has voted and acknowledged; what the copy does not know the other may have promised. So a start waits
/// until it has its seat: a majority of the directory's voters know of no life that this one does not follow
/// (`SeatVerdict`), and all other members agree or have not been heard for a while. Until then no replica here votes,
/// acknowledges or campaigns.
///
/// Then it notes on its disk that its life has the seat, before anybody else counts on that: so only what is begun from this
/// very directory can follow it. The directory records it too (`DirectoryMachine.Kind.node`), for peers that forget.
struct Seat {
  private(set) var isTaken = false
  /// It is on its way to the disk.
  private(set) var isBeingKept = false
  /// When this life began to ask, on the monotonic clock.
  let since: UInt64

  /// For so long those are waited for that are not needed and may know better, in microseconds.
  static let patience: UInt64 = 1_000_000

  init(since: UInt64) { self.since = since }

  /// Whether it may be taken now.
  /// - Parameters:
  ///   - welcoming: who would take this life for the node.
  ///   - address: where this node is.
  ///   - lost: nodes of which an operator says that they will never come back, by name or id: nobody waits for them.
  func mayBeTaken(
    by me: NodeID, at address: String, in topology: Topology?, welcoming: Set<NodeID>, lost: [String] = [], now: UInt64
  ) -> Bool {
    guard let topology else { return true }
    let welcoming = welcoming.union([me])
    let gone = Set(topology.nodes.filter { lost.contains($0.name) || lost.contains($0.id.hex) }.map(\.id)).subtracting([
      me
    ])
    let voters = topology.directoryVoters.filter { !gone.contains($0) }
    guard voters.count(where: welcoming.contains) * 2 > voters.count else { return false }
    let isWaitedFor = topology.nodes.contains { record in
      // This node itself may run where it ran before.
      if record.id == me { return record.peerAddress != address }
      return record.state != .removed && !welcoming.contains(record.id) && !gone.contains(record.id)
    }
    return !isWaitedFor || now - since >= Seat.patience
  }

  mutating func keep() { isBeingKept = true }
  /// There was no room for it: it is to be tried again.
  mutating func waits() { isBeingKept = false }
  mutating func kept() {
    isBeingKept = false
    isTaken = true
  }
}

/// What a node says to a life that wants its node's seat.
enum SeatVerdict: Equatable {
  case welcome
  /// Somebody else has it, whose it is.
  case superseded(Hello)
  /// The life that has it may be alive: that will show.
  case wait

  /// A peer that has said nothing for so long may be followed by its next life, though its link still stands.
  static let vacantAfter: UInt64 = 1_500_000

  /// - Parameters:
  ///   - greetedAt: when the life had proved who it is, on the monotonic clock.
  ///   - peer: what is known of the life that has the seat here; nil: nothing.
  ///   - record: the directory's.
  static func judge(_ hello: Hello, greetedAt: UInt64, peer: Peer?, record: NodeRecord?, now: Moment) -> SeatVerdict {
    var holder = peer?.hello ?? hello
    var known = peer?.life ?? .none
    if let record, record.life.incarnation > known.incarnation {
      known = record.life
      holder.name = record.name
      holder.peerAddress = record.peerAddress
    }
    if known == hello.life { return .welcome }
    guard known.mayBeFollowed(by: hello.life, after: hello.predecessor) else { return .superseded(holder) }
    guard let peer, peer.life != .none else { return .welcome }
    // Some of what was acknowledged is not there: a copy was taken before. Where it is the same machine, the log may have lost
    // its end: replicas see to that.
    let isElsewhere = hello.peerAddress != peer.hello.peerAddress
    if isElsewhere, hello.logPosition < peer.logPosition { return .superseded(holder) }
    // What was said after the greeting was heard by the life on the seat: so that lives, and the other on a copy.
    if peer.lastEcho > greetedAt { return .superseded(peer.hello) }
    // Whoever now answers at its address has taken its place there.
    let isGone = peer.incoming == nil && peer.hello.peerAddress == hello.peerAddress
    guard isGone || peer.isSilent(for: SeatVerdict.vacantAfter, now: now) else { return .wait }
    return .welcome
  }
}
