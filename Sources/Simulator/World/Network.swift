import Cluster

/// What there is between hosts: connections, and where none is possible.
public struct Network {
  var wires: [UInt64: Wire] = [:]
  private(set) var nextLink: UInt64 = 1
  /// How many connections there ever were.
  private(set) var madeWires = 0
  /// Pairs of hosts that cannot reach each other and are told so.
  var cuts: Set<Path> = []
  /// Ways on which everything stays away, and nobody is told.
  var silences: Set<Path> = []
  /// Peer addresses of machines that hang: a dial there hears nothing.
  var hanging: Set<String> = []
  /// When what was sent on a way has passed its narrowest point.
  var passed: [Path: UInt64] = [:]
  /// Of all that a node has handed to a link at once, the most bytes.
  public internal(set) var longestTransmission = 0

  /// From one host to another.
  struct Path: Hashable {
    var from: Int
    var to: Int
  }

  /// A number for a connection of a client or of two hosts: it never comes again.
  mutating func takeLink() -> UInt64 {
    nextLink += 1
    return nextLink
  }

  /// Makes a connection. Its second end is there before the host accepts it: the kernel has it.
  /// - Returns: its number, and the link at the first end.
  mutating func makeWire(from host: Int, to target: Int, isOpen: Bool, at now: UInt64) -> (UInt64, LinkID) {
    let here = LinkID(takeLink())
    let there = LinkID(takeLink())
    let id = takeLink()
    madeWires += 1
    wires[id] = Wire(ends: [
      .init(host: host, link: here, isOpen: isOpen, lastArrival: now),
      .init(host: target, link: there, isOpen: true, lastArrival: now),
    ])
    return (id, here)
  }

  /// Forgets a connection that neither end has any more.
  mutating func forget(_ id: UInt64) {
    if let wire = wires[id], !wire.ends[0].isOpen, !wire.ends[1].isOpen { wires[id] = nil }
  }
}

/// A connection: bytes arrive in order, each way. Each end learns by itself that it is gone.
struct Wire {
  struct End {
    let host: Int
    let link: LinkID
    var isOpen: Bool
    /// When the last bytes to this end arrive: later ones do not overtake them.
    var lastArrival: UInt64
    /// What stays away while the way to this end is silent: bytes, and nil for the other end's farewell.
    var held: [[UInt8]?] = []
    /// Since when.
    var heldSince: UInt64 = 0
  }
  var ends: [End]
  /// What is under way is lost: both ends hear only that the connection is gone.
  var isBroken = false
  /// The machine at one end hangs, and the end is closed: what comes there is not acknowledged, and nobody is told.
  var isStranded = false
}
