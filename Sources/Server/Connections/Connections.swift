import Base
import OpenSSL
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

/// A terminal's connection: some 200 bytes while it is idle; with TLS see `TLSSession`.
struct ClientConnection: ~Copyable {
  var stream: SecureStream
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
    let rawValue: UInt16
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
    /// It is not known yet who it is: the node has not heard of it.
    static let handshaking = State(rawValue: 256)
  }
  /// Bytes of a request that has not arrived whole.
  var incompleteCount: Int { leftover.count + (http?.gateway.keptByteCount ?? 0) }
  var isHeld: Bool { !state.isDisjoint(with: [.heldByNode, .heldByOutput]) }

  /// Bytes that the kernel has not taken yet.
  var unsentCount: Int { output.byteCount + stream.unsentCount }

  init(descriptor: consuming Descriptor, session: TLSSession? = nil) {
    stream = SecureStream(descriptor, session: session)
    if session != nil { state.insert(.handshaking) }
  }

  /// Hands over as much output as the kernel takes.
  mutating func send() -> OutputQueue.Progress { output.send(to: &stream) }
}

/// A connection to another node.
struct LinkConnection: ~Copyable {
  var stream: SecureStream
  var input = ByteBuffer(capacity: 64)
  var output = OutputQueue()
  var interest: Readiness
  /// That of `Effects.openLink` while the connection is being made.
  var connecting: UInt64?
  /// It is not known yet who it is: the node has not heard of it.
  var isHandshaking = false
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

  /// Bytes that the kernel has not taken yet.
  var unsentCount: Int { output.byteCount + stream.unsentCount }
  /// It has a deadline.
  var isLimited: Bool { connecting != nil || isClosing || isHandshaking }

  init(descriptor: consuming Descriptor, session: TLSSession? = nil, interest: Readiness, isBulk: Bool) {
    stream = SecureStream(descriptor, session: session)
    self.interest = interest
    self.isBulk = isBulk
  }

  /// Hands over as much output as the kernel takes.
  mutating func send() -> OutputQueue.Progress { output.send(to: &stream) }
}
