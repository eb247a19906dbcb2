import Base

@testable import Raft

/// The properties of Raft §5.2 to §5.4, watched from outside.
extension Schedule {
  mutating func observe(_ at: Int, configurationBefore: Configuration) throws {
    try checkCommit(at, configurationBefore: configurationBefore)
    try checkLeader(at)
  }

  /// Election safety: a term has one leader. Leader completeness: it has all that was committed in earlier terms.
  private mutating func checkLeader(_ at: Int) throws {
    let group = nodes[at].group
    guard group.role == .leader, leaders[group.term] != group.id.node else { return }
    if let other = leaders[group.term] {
      throw Violation(description: "\(other) and \(group.id) both lead in \(group.term)")
    }
    leaders[group.term] = group.id.node
    let first = Int(group.firstIndex.rawValue) - 1
    guard first <= committed.count else {
      throw Violation(description: "leader \(group.id) begins after what is committed")
    }
    for place in first..<committed.count where committedInTerm[place] < group.term {
      let entry = committed[place]
      if !group.log.holds(entry.index, entry.term) {
        throw Violation(description: "leader \(group.id) of \(group.term) lacks the committed \(entry)")
      }
    }
  }

  /// State-machine safety: what one node knows to be committed, no other knows otherwise. And what is newly committed is
  /// on the disks of a quorum.
  private mutating func checkCommit(_ at: Int, configurationBefore: Configuration) throws {
    let group = nodes[at].group
    var place = Int(min(group.log.start.index, group.commitIndex).rawValue)
    place = max(place, min(committed.count, Int(group.commitIndex.rawValue)) - 20)
    while place < Int(group.commitIndex.rawValue) {
      let entry = group.log[LogIndex(UInt64(place + 1))]
      if place < committed.count {
        if committed[place] != entry {
          throw Violation(description: "\(group.id) committed \(entry) where \(committed[place]) was committed")
        }
      } else {
        guard place == committed.count else { throw Violation(description: "commits have a gap before \(entry)") }
        guard
          isOnQuorum(entry, of: configurationBefore) || isOnQuorum(entry, of: group.configuration)
        else { throw Violation(description: "\(group.id) committed \(entry), which no quorum has on disk") }
        committed.append(entry)
        committedInTerm.append(group.term)
        digests.append(TestNode.chain(digests.last ?? 0, entry))
      }
      place += 1
    }
  }
  private func isOnQuorum(_ entry: LogEntry, of configuration: Configuration) -> Bool {
    func isOnMajority(_ half: [ReplicaID]) -> Bool {
      let holders = half.filter { replica in
        let disk = nodes[Int(replica.node.rawValue) - 1].disk
        return disk.hardState.born == replica.born && disk.holds(entry)
      }
      return holders.count * 2 > half.count
    }
    return isOnMajority(configuration.voters)
      && (configuration.outgoing.isEmpty || isOnMajority(configuration.outgoing))
  }
  /// A vote that is given is on the disk.
  func checkPromise(_ message: Message, _ at: Int) throws {
    guard message.kind == .voteReply, !message.reject else { return }
    let state = nodes[at].disk.hardState
    if state.term < message.term || state.term == message.term && state.vote != message.to {
      throw Violation(description: "\(message.from) gave a vote in \(message.term) that is not on its disk")
    }
  }
  func checkDigest(_ at: Int) throws {
    if digests[Int(nodes[at].applied.rawValue) - 1] != nodes[at].digest {
      throw Violation(description: "\(nodes[at].id) differs in state at \(nodes[at].applied)")
    }
  }

  /// Log matching: where two logs have an entry of the same index and term, they are equal up to there.
  func checkLogsMatch() throws {
    for a in nodes.indices {
      for b in nodes.indices where b > a {
        let (left, right) = (nodes[a].group.log, nodes[b].group.log)
        let low = max(left.firstIndex, right.firstIndex)
        var index = min(left.lastIndex, right.lastIndex)
        var mustMatch = false
        while index >= low {
          if left[index] == right[index] {
            mustMatch = true
          } else if mustMatch || left[index].term == right[index].term {
            throw Violation(description: "the logs of \(nodes[a].id) and \(nodes[b].id) differ at \(index)")
          }
          index = index - 1
        }
      }
    }
  }
}
