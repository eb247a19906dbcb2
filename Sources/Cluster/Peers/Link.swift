import Base
import Protocol

/// What a frame between nodes is, beside its messages.
enum FrameKind: UInt8 {
  case hello = 1
  case messages = 2
  case proof = 3
  /// Whether the receiver may have its node's seat: see `SeatVerdict`.
  case verdict = 4
  /// The sender has its seat now.
  case seated = 5
  /// The sender asks for its seat: `SeatQuestion`. The answer is a verdict, or none.
  case question = 6
}

/// Asked by a node without a seat, on each link, with its proof and ten times a second from then on.
struct SeatQuestion {
  /// By the asking node's monotonic clock: the answer has it too.
  var askedAt: UInt64
  /// Enough agree, and the disk notes it.
  var isKeeping: Bool

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(askedAt)
    buffer.append(UInt8(isKeeping ? 1 : 0))
  }
}
extension SeatQuestion {
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    askedAt = try reader.read()
    isKeeping = try reader.read(UInt8.self) != 0
  }
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
  /// This side has sent its own proof.
  var hasProved = false
  /// Monotonic µs.
  var provenAt: UInt64 = 0
  /// This side has judged who the other is, and need not again before it says more.
  var isJudged = false
  /// Until when the other side's last word counts that it would take this life for the holder of its seat, on the monotonic
  /// clock: `Seat.lease` from the question on.
  var welcomeUntil: UInt64 = 0

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
