import Base

/// An entry that was proposed here, and who waits for it.
struct Proposal {
  let index: LogIndex
  let term: Term
  /// Of each command.
  private(set) var repliesTo: [ReplyTo]
  let reads: [Gather.Read]
  let queries: [UInt8]

  /// Nobody waits any more for what that edge sent.
  mutating func forget(edge: UInt32) { repliesTo.forget(edge: edge) }
}
extension [ReplyTo] {
  mutating func forget(edge: UInt32) {
    for place in indices where self[place].edge == edge { self[place] = .nobody }
  }
}

/// Entries proposed in this leadership and not applied yet, oldest first.
struct Proposals {
  private var list: [Proposal] = []

  @inline(__always) var isEmpty: Bool { list.isEmpty }
  var count: Int { list.count }

  mutating func append(_ proposal: consuming Proposal) { list.append(proposal) }
  mutating func forget(edge: UInt32) {
    for place in list.indices { list[place].forget(edge: edge) }
  }
  /// Takes the one that has become that entry. Proposals before it have come to nothing.
  mutating func take(for entry: LogEntry) -> Proposal? {
    var found: Proposal?
    while !list.isEmpty, list[0].index <= entry.index {
      let first = list.removeFirst()
      if first.index == entry.index && first.term == entry.term { found = first }
    }
    return found
  }
}
