/// Who of those that wait for one link may use it next. Each may send some bytes in its turn; one that begins to wait has
/// its first turn before those that have had theirs, so that who sends little now and then does not wait for who always has
/// more (RFC 8290 does so for packets).
struct FairTurns<Flow: Hashable & Sendable>: Sendable {
  /// Bytes in one turn; the last message of it may exceed them, and counts against the next.
  static var quantum: Int { 16 << 10 }

  private struct State {
    var credit: Int
    var isFresh: Bool
    /// It has nothing left, but keeps its place: or it would be first again each time.
    var isIdle = false
  }
  /// Those before their first turn, and the others, in order.
  private var fresh: [Flow] = []
  private var old: [Flow] = []
  private var states: [Flow: State] = [:]
  /// How many wait.
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// Begins to wait, unless it does.
  mutating func join(_ flow: Flow) {
    if states[flow]?.isIdle == false { return }
    count += 1
    guard states[flow] == nil else {
      states[flow]?.isIdle = false
      return
    }
    states[flow] = State(credit: FairTurns.quantum, isFresh: true)
    fresh.append(flow)
  }

  /// Whose turn it is; nil: nobody waits. O(those that wait).
  mutating func next() -> Flow? {
    guard count > 0 else { return nil }
    while let flow = fresh.first ?? old.first, let state = states[flow] {
      if state.isIdle {
        leave(flow)
        states[flow] = nil
      } else if state.credit > 0 {
        return flow
      } else {
        leave(flow)
        old.append(flow)
        states[flow] = State(credit: state.credit + FairTurns.quantum, isFresh: false)
      }
    }
    return nil
  }

  /// The one whose turn it is has sent so many bytes.
  mutating func served(_ flow: Flow, bytes: Int, hasMore: Bool) {
    guard let state = states[flow] else { return }
    states[flow]?.credit -= bytes
    guard !hasMore else { return }
    count -= 1
    leave(flow)
    if state.isFresh && !old.isEmpty {
      old.append(flow)
      states[flow] = State(credit: max(0, state.credit - bytes), isFresh: false, isIdle: true)
    } else {
      states[flow] = nil
    }
  }

  private mutating func leave(_ flow: Flow) {
    if fresh.first == flow { fresh.removeFirst() } else if old.first == flow { old.removeFirst() }
  }
}
