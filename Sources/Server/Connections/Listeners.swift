import Glibc
import System

/// The sockets that terminals and other nodes connect to.
///
/// Without a descriptor a connection can be neither taken nor refused, and would be reported for ever. So one descriptor is
/// held in reserve, by which a terminal can be refused; and where even that is gone, connections wait in the kernel: the
/// listeners are not watched for a while.
struct Listeners: ~Copyable {
  let clients: Descriptor
  let peers: Descriptor
  private var spare: Descriptor?
  /// In microseconds; nil: the listeners are watched.
  private var pausedUntil: UInt64?

  /// Both are listening.
  init(clients: consuming Descriptor, peers: consuming Descriptor) {
    self.clients = clients
    self.peers = peers
    spare = Descriptor.spare()
  }

  /// Begins to watch both.
  borrowing func watch(_ poller: borrowing Poller) throws(SystemError) {
    try poller.add(clients.rawValue, .readable, token: Source.clientListener.token())
    try poller.add(peers.rawValue, .readable, token: Source.peerListener.token())
  }

  /// Takes a terminal's connection by giving up the spare, for it to be refused and closed; nil if somebody else had the
  /// descriptor first. To be followed by `replaceSpare`.
  mutating func acceptBySpare() -> Descriptor? {
    spare = nil
    var address = SocketAddress()
    let raw = Socket.accept(clients, from: &address)
    return raw >= 0 ? Descriptor(owning: raw) : nil
  }
  /// Holds a spare again; where there is none, stops watching.
  mutating func replaceSpare(at time: UInt64, _ poller: borrowing Poller) {
    spare = Descriptor.spare()
    if spare == nil { pause(at: time, poller) }
  }

  /// Lets connections wait in the kernel for a while.
  mutating func pause(at time: UInt64, _ poller: borrowing Poller) {
    pausedUntil = time + LoopOptions.acceptPause
    watchFor([], poller)
  }
  /// Watches again, once the pause is over.
  mutating func resumeIfDue(at time: UInt64, _ poller: borrowing Poller) {
    guard let pausedUntil, time >= pausedUntil else { return }
    self.pausedUntil = nil
    if spare == nil { spare = Descriptor.spare() }
    watchFor(.readable, poller)
  }
  private borrowing func watchFor(_ readiness: Readiness, _ poller: borrowing Poller) {
    poller.modify(clients.rawValue, readiness, token: Source.clientListener.token())
    poller.modify(peers.rawValue, readiness, token: Source.peerListener.token())
  }
}

extension Descriptor {
  /// A descriptor of no use but to be given up.
  fileprivate static func spare() -> Descriptor? {
    let raw = open("/dev/null", O_RDONLY | O_CLOEXEC)
    return raw >= 0 ? Descriptor(owning: raw) : nil
  }
}
