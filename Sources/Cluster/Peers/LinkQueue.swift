import Base
import Raft

/// What waits for room on a link.
enum LinkFlow: Hashable, Sendable {
  /// Entries of a shard for its follower there.
  case appends(ShardID)
  /// Requests for a shard's leader there.
  case requests(ShardID)
}

/// A link's bytes are shared: entries for followers and requests for leaders leave while its budget has room, and wait for
/// their turn else. All other messages, elections and heartbeats among them, leave at once, with no more than the budget's
/// bytes before them.
struct LinkQueue {
  var budget = LinkBudget()
  private var turns = FairTurns<LinkFlow>()
  private var held: [ShardID: HeldAppends] = [:]

  /// What leaves with one turn of the node, though the link may have room for more: some 3 ms of work, in which nobody else is served.
  private static let turnBytes = 1 << 20

  /// Nobody waits.
  var isEmpty: Bool { turns.isEmpty }
  /// Somebody waits for the next turn alone.
  var wantsTurn: Bool { !isEmpty && hasRoom(outbox: 0) }
  /// - Parameter outbox: bytes that are to leave with this turn.
  func hasRoom(outbox: Int) -> Bool {
    outbox < LinkQueue.turnBytes && budget.inFlight + outbox < budget.allowance
  }

  /// Whether an append has to wait: then it is kept, or left out if it says nothing that those before it do not.
  mutating func holds(_ message: Message, of shard: ShardID, outbox: Int) -> Bool {
    let isBehindOthers = !held.isEmpty && held[shard] != nil
    // What asks where the logs agree speaks of what waits here.
    guard !message.entries.isEmpty else { return isBehindOthers }
    guard isBehindOthers || !turns.isEmpty || !hasRoom(outbox: outbox) else { return false }
    held[shard, default: HeldAppends()].append(message)
    turns.join(.appends(shard))
    return true
  }
  /// Requests for a shard wait, too.
  mutating func join(requestsOf shard: ShardID) { turns.join(.requests(shard)) }

  /// Whose turn it is; nil: nobody's, or there is no room.
  mutating func next(outbox: Int) -> LinkFlow? { hasRoom(outbox: outbox) ? turns.next() : nil }
  mutating func served(_ flow: LinkFlow, bytes: Int, hasMore: Bool) {
    turns.served(flow, bytes: bytes, hasMore: hasMore)
  }

  /// The next append of a shard that waits, if there is one, and whether it is the last.
  mutating func takeAppend(of shard: ShardID) -> (message: Message?, isLast: Bool) {
    let message = held[shard]?.removeFirst()
    let isLast = held[shard]?.isEmpty ?? true
    if isLast { held[shard] = nil }
    return (message, isLast)
  }
}

/// Appends of one shard that wait, oldest first. They share their payloads with the log, and Raft bounds their bytes.
struct HeldAppends {
  private var messages: [Message] = []
  private var head = 0

  var isEmpty: Bool { head == messages.count }

  /// One that does not go on where the last ended is of a pipeline that was begun anew: what waited is of no use.
  mutating func append(_ message: Message) {
    if let last = messages.last, head < messages.count,
      last.term != message.term || last.index + UInt64(last.entries.count) != message.index
    {
      messages.removeAll()
      head = 0
    }
    messages.append(message)
  }
  mutating func removeFirst() -> Message? {
    guard !isEmpty else { return nil }
    let first = messages[head]
    head += 1
    if head == messages.count || head > 64 {
      messages.removeFirst(head)
      head = 0
    }
    return first
  }
}

/// Bytes of frames that were received on a link, and how many of them the sender has been told of.
struct ReceivedBytes: BitwiseCopyable {
  private(set) var count: UInt64 = 0
  private var told: UInt64 = 0

  /// They are told at once when they are so many, and with the next frame else.
  static let untoldMax = UInt64(LinkBudget.floor) / 2

  mutating func note(_ bytes: Int) { count += UInt64(bytes) }
  var isWordOwed: Bool { count - told >= ReceivedBytes.untoldMax }
  /// What is to be told now; nil: nothing new.
  mutating func takeWord() -> UInt64? {
    guard count != told else { return nil }
    told = count
    return count
  }
}
