/// How many bytes may be on their way to a peer: some twice what the link carries in a round trip, so that it is never idle
/// for want of bytes, and what is urgent has no more than another round trip of bytes before it.
///
/// Both figures are measured. A *round* begins with a frame and ends when the peer has said that it has received it; the
/// shortest of the last ones is the link's round trip. A round that took much longer had a queue before it: then the budget
/// becomes twice what was delivered in it, taken for one round trip. One that was as quick as ever, though something waited
/// for room, shows that there is more: the budget doubles. As bytes that always wait hide how quick the link is without
/// them, every ten seconds one round is made with few.
struct LinkBudget {
  /// Allowed from the beginning and always, in bytes: a link of 1 Mbit/s takes an eighth of a second for that.
  static let floor = 16 << 10
  static let most = 32 << 20
  /// What a round may take longer than its bytes explain, because nodes have something else to do as well (µs).
  static let slack: UInt64 = 50_000
  /// For so long the shortest round counts, and as long again (µs).
  static let span: UInt64 = 10_000_000

  private struct Round {
    /// It is over when so many bytes have been received, of all.
    var end: UInt64
    var began: UInt64
    /// Of all, received when it began.
    var received: UInt64
    /// On their way when it had begun.
    var bytes: Int
  }
  /// The bytes that may be on their way, while no round is made with few.
  private(set) var limit = LinkBudget.floor
  private var sent: UInt64 = 0
  private var received: UInt64 = 0
  private var round: Round?
  /// Something has waited for room in this round.
  private var isShort = false
  private var isProbing = false
  /// The budget has just changed: the round under way began before, and shows nothing of it.
  private var hasChanged = false
  private var spanBegan: UInt64 = 0
  private var shortest: (now: UInt64, before: UInt64) = (.max, .max)

  var inFlight: Int { Int(sent - received) }
  /// The bytes that may be on their way now.
  var allowance: Int { isProbing ? LinkBudget.floor : limit }
  /// The link's round trip as far as it has shown (µs).
  var roundTrip: UInt64 { min(shortest.now, shortest.before) }

  /// Something waits for room.
  mutating func isWanted() { isShort = true }

  mutating func sends(_ count: Int, now: UInt64) {
    sent += UInt64(count)
    if round == nil { round = Round(end: sent, began: now, received: received, bytes: inFlight) }
  }

  /// The peer has received so many bytes of all that were ever sent on this link. What cannot be is not believed.
  mutating func acknowledge(_ total: UInt64, now: UInt64) {
    guard total > received, total <= sent else { return }
    received = total
    guard let ended = round, received >= ended.end else { return }
    round = nil
    end(ended, took: max(1, now - min(now, ended.began)), now)
    isShort = false
  }

  private mutating func end(_ round: Round, took: UInt64, _ now: UInt64) {
    shortest.now = min(shortest.now, took)
    let trip = roundTrip
    if isProbing {
      isProbing = round.bytes > LinkBudget.floor && now - spanBegan < LinkBudget.span / 4
      hasChanged = true
      return
    }
    if took > 2 * trip + 2 * LinkBudget.slack {
      // With few bytes under way it was not they who took so long.
      guard round.bytes >= LinkBudget.floor else { return }
      let delivered = Double(received - round.received)
      let fitting = 2 * delivered * Double(max(trip, LinkBudget.slack)) / Double(took)
      limit = max(LinkBudget.floor, min(limit, Int(fitting)))
      hasChanged = true
    } else if hasChanged {
      hasChanged = false
    } else if isShort, took < trip + trip / 4 + LinkBudget.slack / 2 {
      limit = min(2 * limit, LinkBudget.most)
      hasChanged = true
    }
    guard now - spanBegan >= LinkBudget.span else { return }
    spanBegan = now
    shortest = (.max, shortest.now)
    isProbing = isShort && limit > LinkBudget.floor
  }
}
