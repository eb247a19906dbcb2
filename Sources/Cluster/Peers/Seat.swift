import Base

/// Which of the processes that hold a node's identity is the node. A data directory may have been copied, with the log that
/// says what this node has voted and acknowledged; what the copy does not know the other may have promised. So a start waits
/// until it has its seat: enough of the directory's voters know of no life that this one does not follow (`SeatVerdict`) and
/// have promised it the seat (`SeatPromise`), and all other members agree or have not been heard for a while. Until then no
/// replica here votes, acknowledges or campaigns.
///
/// Enough are so many that no other life of the node can have as many at the same time, wherever it runs: so of two copies
/// one takes the seat. Lives that have had it form a chain, in which each follows the one before; whoever comes later in it
/// wins, here and at all peers.
///
/// Before it is taken, the disk notes that this life has the seat: so only what is begun from this very directory can follow
/// it. The directory records it too (`DirectoryMachine.Kind.node`), for peers that forget.
struct Seat {
  private(set) var isTaken = false
  /// The disk has noted it.
  private(set) var isKept = false
  /// It is on its way to the disk.
  private(set) var isBeingKept = false
  /// When this life began to ask, on the monotonic clock.
  let since: UInt64

  /// For so long those are waited for that are not needed and may know better, in microseconds.
  static let patience: UInt64 = 1_000_000
  /// For so long a welcome counts from when it was asked for, in microseconds: shorter than a promise lasts.
  static let lease: UInt64 = 1_000_000

  init(since: UInt64) { self.since = since }

  /// Whether it may be taken now.
  /// - Parameters:
  ///   - welcoming: who has promised the seat to this life.
  ///   - address: where this node is.
  ///   - lost: nodes of which an operator says that they will never come back, by name or id: nobody waits for them.
  func mayBeTaken(
    by me: NodeID, at address: String, in topology: Topology?, welcoming: Set<NodeID>, lost: [String] = [], now: UInt64
  ) -> Bool {
    guard let topology else { return true }
    let gone = Set(topology.nodes.filter { lost.contains($0.name) || lost.contains($0.id.hex) }.map(\.id)).subtracting([
      me
    ])
    let voters = topology.directoryVoters.filter { !gone.contains($0) }
    // This node itself may run where it ran before.
    let isMoved = topology.node(me).map { $0.peerAddress != address } ?? false
    let others = voters.filter { $0 != me }
    guard
      others.count(where: welcoming.contains)
        >= Seat.needed(of: others.count, isVoter: others.count < voters.count, isMoved: isMoved)
    else { return false }
    let isWaitedFor = topology.nodes.contains { record in
      record.id != me && record.state != .removed && !welcoming.contains(record.id) && !gone.contains(record.id)
    }
    return !(isWaitedFor || isMoved) || now - since >= Seat.patience
  }
  /// How many of the directory's other voters must agree. A voter that is where it was counts for itself, as in any majority:
  /// it comes back though another is away. A copy elsewhere does not, and needs one more where the voters are odd: so it
  /// never has enough beside the first, nor beside another copy.
  static func needed(of others: Int, isVoter: Bool, isMoved: Bool) -> Int {
    if !isVoter { return others / 2 + 1 }
    let voters = others + 1
    return min(others, isMoved ? (voters + 1) / 2 : voters / 2)
  }

  mutating func keep() { isBeingKept = true }
  /// There was no room for it: it is to be tried again.
  mutating func waits() { isBeingKept = false }
  mutating func kept() {
    isBeingKept = false
    isKept = true
  }
  mutating func take() { isTaken = true }
}

/// What a peer has promised to a life that asks for its node's seat: to welcome no other meanwhile. It lasts for longer than
/// a life counts on it (`Seat.lease`), and each question renews it. Where two ask, they take turns: the one that is where its
/// node was, and of two such the one that began first, has much the longer one, so that it has the turn at all peers at once.
struct SeatPromise {
  private let life: LifeID
  private let isMoved: Bool
  private var until: UInt64
  /// Another has asked meanwhile: no question renews it from then on, unless the disk already notes the seat.
  private var turnEnds: UInt64?
  /// When another asked last.
  private var contendedAt: UInt64 = 0

  /// In microseconds.
  static let hold: UInt64 = 2_000_000
  static let turn: UInt64 = 2_000_000
  static let longTurn: UInt64 = 20_000_000

  init(to life: LifeID, isMoved: Bool, now: UInt64) {
    self.life = life
    self.isMoved = isMoved
    until = now + SeatPromise.hold
  }

  /// Whether it says anything still of whose turn it is.
  func lasts(at now: UInt64) -> Bool { now < max(until, contendedAt + 2 * SeatPromise.hold) }
  /// Whether no other may have the seat now.
  func excludes(_ other: LifeID, now: UInt64) -> Bool { other != life && now < until }

  /// Whether it is, or becomes, one to the life that asks.
  /// - Parameter isKeeping: that life has found enough who agree.
  mutating func grants(_ asking: LifeID, isMoved: Bool, isKeeping: Bool, now: UInt64) -> Bool {
    guard asking != life else {
      if now - contendedAt > 2 * SeatPromise.hold { turnEnds = nil }
      if let turnEnds, now >= turnEnds, !isKeeping { return false }
      until = now + SeatPromise.hold
      return true
    }
    contendedAt = now
    if now < until {
      let isFirst =
        (self.isMoved ? 1 : 0, life.incarnation, life.nonce) < (isMoved ? 1 : 0, asking.incarnation, asking.nonce)
      turnEnds = turnEnds ?? now + (isFirst ? SeatPromise.longTurn : SeatPromise.turn)
      return false
    }
    self = SeatPromise(to: asking, isMoved: isMoved, now: now)
    return true
  }
}

/// What a node says to a life that wants its node's seat.
enum SeatVerdict: Equatable {
  case welcome
  /// Somebody else has it, whose it is: the life in that greeting.
  case superseded(Hello)
  /// The life that has it may be alive: that will show.
  case wait
  /// It had the seat, was not heard for long, and was given up for another.
  case givenUp

  /// A peer that has said nothing for so long may be followed by its next life, though its link still stands.
  static let vacantAfter: UInt64 = 1_500_000

  /// - Parameters:
  ///   - greetedAt: when the life had proved who it is, on the monotonic clock.
  ///   - peer: what is known of the life that has the seat here; nil: nothing.
  ///   - record: the directory's.
  ///   - since: when this node began to listen, on the monotonic clock.
  static func judge(
    _ hello: Hello, greetedAt: UInt64, peer: Peer?, record: NodeRecord?, since: UInt64 = 0, now: Moment
  ) -> SeatVerdict {
    var holder = peer?.hello ?? hello
    var known = peer?.life ?? .none
    if let record, record.life.incarnation > known.incarnation {
      known = record.life
      holder.name = record.name
      holder.peerAddress = record.peerAddress
      holder.life = known
    }
    if known == hello.life { return peer?.life == known && peer?.isGivenUp == true ? .givenUp : .welcome }
    guard known.mayBeFollowed(by: hello.life, after: hello.predecessor) else { return .superseded(holder) }
    // It took the seat because enough others had given up the one that is known here.
    if hello.isSeated { return .welcome }
    guard let peer, peer.life != .none else {
      // Where it was before somebody may be, who has not been heard here yet.
      let isMoved = record.map { $0.peerAddress != hello.peerAddress } ?? false
      return isMoved && now.monotonic - since < SeatVerdict.vacantAfter ? .wait : .welcome
    }
    // Some of what was acknowledged is not there: a copy was taken before. Where it is the same machine, the log may have lost
    // its end: replicas see to that.
    let isElsewhere = hello.peerAddress != peer.hello.peerAddress
    if isElsewhere, hello.logPosition < peer.logPosition { return .superseded(holder) }
    // What was said after the greeting was heard by the life on the seat: so that lives, and the other on a copy.
    if peer.lastEcho > greetedAt { return .superseded(peer.hello) }
    if peer.isGivenUp { return .welcome }
    // Whoever now answers at its address has taken its place there.
    let isGone = peer.incoming == nil && peer.hello.peerAddress == hello.peerAddress
    guard isGone || peer.isSilent(for: SeatVerdict.vacantAfter, now: now) else { return .wait }
    return .welcome
  }
}
