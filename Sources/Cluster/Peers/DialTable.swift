/// An address that this node keeps a link to.
struct Dial {
  let address: String
  /// The request to open, while it is under way.
  var request: UInt64?
  var link: LinkID?
  /// When the link was opened, on the monotonic clock.
  var openedAt: UInt64 = 0
  var nextAttempt: UInt64 = 0
  var backoff = DialTable.firstBackoff
  /// It turned out to be this node, or another address of a peer that is linked already.
  var isFutile = false

  init(address: String) { self.address = address }
  var isIdle: Bool { request == nil && link == nil }
}

/// The addresses to which this node keeps links, and how the attempts go: each failure doubles the wait before the next.
struct DialTable {
  static let firstBackoff: UInt64 = 50_000
  static let longestBackoff: UInt64 = 1_000_000

  private(set) var dials: [Dial]
  private let own: String
  /// What the operator wants dialled, whoever is there.
  private let configured: [String]

  init(own: String, configured: [String]) {
    self.own = own
    self.configured = configured
    dials = configured.filter { $0 != own }.map(Dial.init)
  }

  subscript(link link: LinkID) -> Dial? { dials.first { $0.link == link } }
  private func place(_ link: LinkID) -> Int? { dials.firstIndex { $0.link == link } }
  private func place(_ address: String) -> Int? { dials.firstIndex { $0.address == address } }

  /// Keeps a link to an address from now on.
  mutating func add(_ address: String) {
    guard address != own else { return }
    if let i = place(address) {
      // It was found to be another name of somebody, or is waiting for its next attempt: the peer is there now.
      if dials[i].isIdle && !dials[i].isFutile { dials[i].nextAttempt = 0 }
      return
    }
    dials.append(Dial(address: address))
  }
  /// A peer is at an address no more; whether somebody else is, the operator's list says. Returns the link that leads there.
  mutating func remove(_ address: String) -> LinkID? {
    guard let i = place(address), !configured.contains(address) else { return nil }
    return dials.remove(at: i).link
  }

  /// Addresses that are to be tried now: `open` gives each its request's number.
  mutating func tryAll(now: UInt64, open: (String) -> UInt64) {
    for i in dials.indices where dials[i].isIdle && !dials[i].isFutile && now >= dials[i].nextAttempt {
      dials[i].request = open(dials[i].address)
    }
  }

  // MARK: How it went

  /// The address that leads to a new link; nil: the request was not of here.
  mutating func opened(_ request: UInt64, _ link: LinkID, now: UInt64) -> String? {
    guard let i = dials.firstIndex(where: { $0.request == request }) else { return nil }
    dials[i].request = nil
    dials[i].link = link
    dials[i].openedAt = now
    return dials[i].address
  }
  /// The address that nobody answers at; nil: the request was not of here.
  mutating func failed(_ request: UInt64, now: UInt64) -> String? {
    guard let i = dials.firstIndex(where: { $0.request == request }) else { return nil }
    dials[i].request = nil
    backOff(i, now)
    return dials[i].address
  }
  mutating func closed(_ link: LinkID, now: UInt64) {
    guard let i = place(link) else { return }
    dials[i].link = nil
    backOff(i, now)
  }
  private mutating func backOff(_ i: Int, _ now: UInt64) {
    dials[i].nextAttempt = now + dials[i].backoff
    dials[i].backoff = min(dials[i].backoff * 2, DialTable.longestBackoff)
  }

  /// Somebody is there.
  mutating func succeeded(_ link: LinkID) {
    if let i = place(link) { dials[i].backoff = DialTable.firstBackoff }
  }
  /// That address leads to nobody new.
  mutating func isFutile(_ link: LinkID) {
    if let i = place(link) { dials[i].isFutile = true }
  }
  /// It may be the only one that still leads to its peer.
  mutating func isNeeded(_ address: String) {
    if let i = place(address) { dials[i].isFutile = false }
  }
}
