import Base

/// Queries that wait until they may be evaluated: in rounds, each of which asks a quorum once for all of its queries whether
/// this replica still leads (ReadIndex, Raft §6.4); and those of terminals of this node that ask for what is applied here,
/// which came in the midst of an entry.
struct WaitingReads {
  struct Round {
    let context: UInt64
    let reads: [Gather.Read]
    let queries: [UInt8]
    /// Entries proposed before the queries came must be applied first, so that a connection reads its own writes.
    fileprivate let notBefore: LogIndex
    /// Through where entries are to be applied; known once the round is confirmed.
    fileprivate var index: LogIndex?
    /// The first entry that was proposed after the queries came: its commit proves leadership as well, and they see
    /// nothing of it.
    fileprivate var firstLater: LogIndex?
  }
  /// A read of what is applied here, by a terminal of this node.
  struct Local {
    var owner: EdgeItem.Owner
    var query: [UInt8]
    var asof: Stamp
  }

  private var rounds: [Round] = []
  /// Of the replica's next round. Never used twice: answers to rounds of former leaderships are told from it.
  private(set) var nextContext: UInt64 = 1
  private(set) var local: [Local] = []
  /// What is due may be booked for who reads: a state that was restored is to prove first to be the backup's.
  var mayPassDeadlines = false

  var hasRounds: Bool { !rounds.isEmpty }

  // MARK: Rounds

  /// A round has begun by that context.
  mutating func contextUsed() { nextContext += 1 }
  /// - Parameter notBefore: the end of the log.
  mutating func begin(
    _ context: UInt64, _ reads: [Gather.Read], _ queries: [UInt8], notBefore: LogIndex
  ) {
    rounds.append(Round(context: context, reads: reads, queries: queries, notBefore: notBefore))
  }
  /// An entry is proposed.
  @inline(__always) mutating func proposed(_ index: LogIndex) {
    for place in rounds.indices where rounds[place].firstLater == nil { rounds[place].firstLater = index }
  }
  mutating func confirmed(_ context: UInt64, at index: LogIndex) {
    for place in rounds.indices where rounds[place].context == context {
      rounds[place].index = max(index, rounds[place].notBefore)
    }
  }
  /// Returns the round, if it is over. One that an entry's commit may prove still waits for that: whoever asked hears of
  /// it, or of the doubt.
  mutating func refused(_ context: UInt64) -> Round? {
    rounds.firstIndex { $0.context == context && $0.firstLater == nil }.map { rounds.remove(at: $0) }
  }
  /// The next round whose queries may be evaluated in the state after `applied`. When the entry that proves it is committed
  /// and comes next, it is to be asked for before that is begun.
  mutating func takeReady(applied: LogIndex, committed: LogIndex) -> Round? {
    let place = rounds.firstIndex { round in
      if let index = round.index, index <= applied { return true }
      guard let later = round.firstLater else { return false }
      return committed >= later && applied + 1 >= later
    }
    return place.map { rounds.remove(at: $0) }
  }
  /// This replica leads no more: its edges have been told of the doubt.
  mutating func giveUp() { rounds.removeAll() }

  // MARK: Local reads

  mutating func wait(_ read: Local) { local.append(read) }
  mutating func takeLocal() -> [Local] {
    defer { local = [] }
    return local
  }
}
