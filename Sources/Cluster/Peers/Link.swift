/// What a frame between nodes is, beside its messages.
enum FrameKind: UInt8 {
  case hello = 1
  case messages = 2
  case proof = 3
  /// Whether the receiver may have its node's seat: see `SeatVerdict`.
  case verdict = 4
  /// The sender has its seat now.
  case seated = 5
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
  var isJudged = false
  /// The other side would take this life for the holder of its seat.
  var isWelcome = false

  /// Before it is proven who speaks, a frame has at most so many bytes behind its header.
  static let bytesMax = 4096
}

/// How a node shows who it is.
enum ProofForm: UInt8 {
  /// The secret itself, of a node that belongs to no cluster yet: nobody else knows it.
  case introduction = 1
  /// A code over both hellos.
  case code = 2
}
