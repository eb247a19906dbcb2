import Base

/// Another node, as this one knows it; number 0 is this node itself.
final class Peer {
  let id: NodeID
  /// Its place in the node's table, and its name as an edge (`Origin.edge`).
  let index: UInt32
  var hello: Hello
  /// The life of it that has its seat here; the directory may know of a later one.
  var life = LifeID.none
  var incarnation: UInt64 { life.incarnation }
  /// What it introduced itself with; nil: it never did, or what the directory says counts.
  var introduction: Proof?
  /// The directory has it. Looked at with each frame.
  var isMember = false
  /// The last cluster that it spoke for.
  var cluster: UInt64 = 0
  /// The operator was told that another node bears its name.
  var isNameTold = false
  /// The link that we opened and send on; nil until it has answered our hello.
  var outgoing: LinkID?
  /// The link that it opened and that we hear it on.
  var incoming: LinkID?
  /// Messages of this turn.
  var outbox = ByteBuffer(capacity: 4096)
  /// Of the outgoing link: how many bytes may be under way, and what waits for room.
  var budget = LinkBudget()
  var turns = FairTurns<LinkFlow>()
  var held: [ShardID: HeldAppends] = [:]
  /// Bytes of frames received on the incoming link, and how many of them the peer has been told of.
  var received: UInt64 = 0
  var receivedTold: UInt64 = 0
  /// When it was last heard, on the monotonic clock.
  var lastHeard: UInt64 = 0
  /// When we said the last that the life on its seat has heard of us, on our monotonic clock.
  var lastEcho: UInt64 = 0
  /// How far its log was durable, in any of its lives: what has less was copied before.
  var logPosition: UInt64 = 0
  /// What it leads, as far as it has told.
  var leads = LedTable()
  /// It has heard nothing on this link yet, or what it knows is not what was told.
  var needsWholeStatus = true
  var clock = PeerClock()
  var disk = PeerDisk()
  /// How near it is to the end of its memory, as it last told.
  var memory = MemoryLevel.ok
  /// It has said that one of its replicas is damaged or stopped.
  var isCorrupt = false
  /// Entries that it does not apply, as far as it has told; and whether it was told of such here.
  var poisons: [PeerPoison] = []
  var isToldOfPoison = false
  /// It has said that one of its replicas forgets request ids before their time.
  var isForgettingEarly = false
  /// Shards of which its replicas have much to apply yet; and whether it was told of such here.
  var replaying: Set<ShardID> = []
  var isToldOfReplaying = false

  init(id: NodeID, index: UInt32, hello: Hello) {
    self.id = id
    self.index = index
    self.hello = hello
  }

  /// It has said something on its present link beside the greeting: so that link stands for it as well, and no answer that
  /// it gives is lost for want of it.
  var isSpeaking = false
  /// The outgoing link is another, or none.
  func forgetWaiting() {
    outbox.removeAll()
    budget = LinkBudget()
    turns = FairTurns()
    held.removeAll()
  }

  /// Both directions stand: what is asked can be answered.
  var isConnected: Bool { outgoing != nil && incoming != nil }
  var isConnectedOrSelf: Bool { index == 0 || isConnected }
}

/// An address that this node keeps a link to.
struct Dial {
  var address: String
  /// The request to open, while it is under way.
  var request: UInt64?
  var link: LinkID?
  /// When the link was opened, on the monotonic clock.
  var openedAt: UInt64 = 0
  var nextAttempt: UInt64 = 0
  var backoff: UInt64 = 50_000
  /// It turned out to be this node, or another address of a peer that is linked already.
  var isFutile = false
}

/// A connection between nodes.
struct Link {
  let id: LinkID
  /// The address that we dialled; nil if the other side opened it.
  var dialled: String?
  var bulk = false
  /// Monotonic µs.
  var openedAt: UInt64 = 0
  /// Who is at the other end, once it has proved it and has its seat.
  var peer: UInt32?
  /// Nil once `peer` is known.
  var greeting: Greeting? = Greeting()
  /// It was opened towards us, and whoever opened it has not proved who it is.
  var isStrange: Bool { dialled == nil && !bulk && greeting?.isProven == false }
}

/// What was said on a link before it carries messages.
struct Greeting {
  /// The hellos, byte for byte: what proofs are bound to.
  var sent: [UInt8] = []
  var received: [UInt8] = []
  /// The other side knows that this life has its seat.
  var hasSaidSeated = false
  var hello: Hello?
  var isProven = false
  /// Monotonic µs.
  var provenAt: UInt64 = 0
  /// This side has judged who the other is, and need not again before it says more.
  var isSettled = false
  /// The other side would take this life for the holder of its seat.
  var isWelcome = false
}
