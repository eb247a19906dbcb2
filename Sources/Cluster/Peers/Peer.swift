import Base

/// Another node, as this one knows it; number 0 is this node itself.
final class Peer {
  let id: NodeID
  /// Its place in the node's table, and its name as an edge (`ReplyTo.edge`).
  let index: UInt32
  var hello: Hello
  /// The life of it that has its seat here; the directory may know of a later one.
  var life = LifeID.none
  var incarnation: UInt64 { life.incarnation }
  /// That life was silent, and another was promised its seat: it is not listened to any more, though it should wake up.
  var isGivenUp = false
  /// What it introduced itself with; nil: it never did, or what the directory says counts.
  var introduction: Proof?
  /// The directory has it. Looked at with each frame.
  var isMember = false
  /// The last cluster that it spoke for.
  var cluster: UInt64 = 0
  /// What the operator was told of it, once.
  var told = Told()
  /// The link that we opened and send on; nil until it has answered our hello.
  var outgoing: LinkID?
  /// The link that it opened and that we hear it on.
  var incoming: LinkID?
  /// It has said something on its present link beside the greeting: so that link stands for it as well, and no answer that
  /// it gives is lost for want of it.
  var isSpeaking = false
  /// Messages of this turn.
  var outbox = ByteBuffer(capacity: 4096)
  /// Of groups that have members here and there.
  var heartbeats = Heartbeats()
  /// Of the outgoing link: how many bytes may be under way, and what waits for room.
  var queue = LinkQueue()
  /// Of the incoming link.
  var received = ReceivedBytes()
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
  /// How it does, as it last told.
  var condition = NodeCondition()
  /// Which version of users' rights it goes by, at least.
  var rights: UInt64 = 0
  /// Since when it has gone by another map than this node; nil: it goes by the same. Monotonic, µs.
  var mapDiffersSince: UInt64?

  struct Told {
    /// That another node bears its name.
    var isName = false
    /// Why it cannot join.
    var isRefusal = false
  }

  init(id: NodeID, index: UInt32, hello: Hello) {
    self.id = id
    self.index = index
    self.hello = hello
  }

  /// Puts a message into this turn's frame: `write` appends its body.
  @inline(__always)
  func say(_ kind: PeerMessageKind, _ write: (inout ByteBuffer) -> Void) {
    let start = outbox.beginMessage(kind)
    write(&outbox)
    outbox.endMessage(start)
  }
  func say(_ kind: PeerMessageKind) { say(kind) { _ in } }

  /// The outgoing link is another, or none.
  func forgetWaiting() {
    outbox.removeAll()
    heartbeats = Heartbeats()
    queue = LinkQueue()
  }

  /// Both directions stand: what is asked can be answered.
  var isConnected: Bool { outgoing != nil && incoming != nil }
  var isConnectedOrSelf: Bool { index == 0 || isConnected }

  func isSilent(for limit: UInt64, now: Moment) -> Bool { now.monotonic - min(now.monotonic, lastHeard) >= limit }
}
