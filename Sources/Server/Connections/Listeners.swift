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
  /// For connections that speak HTTP; nil: there are none.
  private let http: Descriptor?
  private let rawHTTP: Int32?
  private var spare: Descriptor?
  /// In microseconds; nil: the listeners are watched.
  private var pausedUntil: UInt64?

  /// All are listening.
  init(clients: consuming Descriptor, peers: consuming Descriptor, http: consuming Descriptor? = nil) {
    self.clients = clients
    self.peers = peers
    switch consume http {
    case .some(let descriptor):
      rawHTTP = descriptor.rawValue
      self.http = .some(descriptor)
    case .none:
      rawHTTP = nil
      self.http = nil
    }
    spare = Descriptor.spare()
  }

  /// Takes a connection that waits: its descriptor, or an error's number, negative.
  borrowing func accept(speaking kind: ClientKind, from address: inout SocketAddress) -> Int32 {
    switch kind {
    case .protocol: Socket.accept(clients, from: &address)
    case .http:
      switch http {
      case .some(let listener): Socket.accept(listener, from: &address)
      case .none: -EAGAIN
      }
    }
  }

  /// Begins to watch all.
  borrowing func watch(_ poller: borrowing Poller) throws(SystemError) {
    try poller.add(clients.rawValue, .readable, token: Source.clientListener.token())
    try poller.add(peers.rawValue, .readable, token: Source.peerListener.token())
    if let rawHTTP { try poller.add(rawHTTP, .readable, token: Source.httpListener.token()) }
  }

  /// Takes a terminal's connection by giving up the spare, for it to be refused and closed; nil if somebody else had the
  /// descriptor first. To be followed by `replaceSpare`.
  mutating func acceptBySpare(speaking kind: ClientKind = .protocol) -> Descriptor? {
    spare = nil
    var address = SocketAddress()
    let raw = accept(speaking: kind, from: &address)
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
    if let rawHTTP { poller.modify(rawHTTP, readiness, token: Source.httpListener.token()) }
  }
}

extension Descriptor {
  /// A descriptor of no use but to be given up.
  fileprivate static func spare() -> Descriptor? {
    let raw = open("/dev/null", O_RDONLY | O_CLOEXEC)
    return raw >= 0 ? Descriptor(owning: raw) : nil
  }
}
