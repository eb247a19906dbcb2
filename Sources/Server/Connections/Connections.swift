import Base
import System

/// What an event of the poller is about: the top byte of its token; the rest is the id of a client or a link.
enum Source: UInt64 {
  case client = 1
  case link = 2
  case clientListener = 3
  case peerListener = 4
  case waker = 5
  case httpListener = 6

  static let shift: UInt64 = 56
  func token(_ id: UInt64 = 0) -> UInt64 { rawValue << Source.shift | id }
  init?(token: UInt64) { self.init(rawValue: token >> Source.shift) }
  static func id(of token: UInt64) -> UInt64 { token & (1 << shift - 1) }
}

/// A terminal's connection: some 100 bytes while it is idle.
struct ClientConnection: ~Copyable {
  let descriptor: Descriptor
  /// The begin of a request whose end has not arrived, or what the node did not want yet.
  var leftover: [UInt8] = []
  var output = OutputQueue()
  var interest: Readiness = .readable
  var state: State = []
  /// When a connection that is being closed is closed anyway, in microseconds.
  var deadline: UInt64 = 0
  /// Since when its leftover is the begin of a request that does not end, in microseconds; 0: it is not.
  var incompleteSince: UInt64 = 0
  /// It has sent something.
  var hasSpoken = false
  /// It stands in the list of those whose request is not complete.
  var isListedIncomplete = false
  /// Where it comes from, if connections are counted by address.
  var origin: NetworkAddress?
  /// Nil: it speaks the protocol itself.
  var http: HTTPSide?

  struct State: OptionSet {
    let rawValue: UInt8
    /// The node does not want to be offered bytes.
    static let heldByNode = State(rawValue: 1)
    /// Its output has grown too long.
    static let heldByOutput = State(rawValue: 2)
    /// It sends no more.
    static let ended = State(rawValue: 4)
    /// The node has done with it: its output is sent, then it is closed.
    static let closing = State(rawValue: 8)
    /// Its output is sent; what still comes from it is thrown away, so that the kernel does not reset the connection
    /// before the last reply has been read.
    static let lingering = State(rawValue: 16)
    /// It stands in the queue of those to be read.
    static let queued = State(rawValue: 32)
    /// It stands in the list of those to be sent to.
    static let dirty = State(rawValue: 64)
    /// It is to be offered its leftover again.
    static let offer = State(rawValue: 128)
  }
  /// Bytes of a request that has not arrived whole.
  var incompleteCount: Int { leftover.count + (http?.gateway.keptByteCount ?? 0) }
  var isHeld: Bool { !state.isDisjoint(with: [.heldByNode, .heldByOutput]) }

  init(descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

/// A connection to another node.
struct LinkConnection: ~Copyable {
  let descriptor: Descriptor
  var input = ByteBuffer(capacity: 64)
  var output = OutputQueue()
  var interest: Readiness
  /// That of `Effects.openLink` while the connection is being made.
  var connecting: UInt64?
  /// When a connection that is being made, or closed, is given up.
  var deadline: UInt64 = 0
  var isBulk: Bool
  var isClosing = false
  /// Stands in the list of those to be sent to.
  var isDirty = false
  /// Stands in the list of those with a deadline.
  var isTimed = false
  /// The kernel did not take all of its output at once.
  var wasHeldUp = false

  init(descriptor: consuming Descriptor, interest: Readiness, isBulk: Bool) {
    self.descriptor = descriptor
    self.interest = interest
    self.isBulk = isBulk
  }
}
