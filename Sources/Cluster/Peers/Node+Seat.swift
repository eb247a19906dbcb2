import Base
import Ledger

/// Which of the processes that hold a node's identity is the node. A data directory may have been copied, with the log that
/// says what this node has voted and acknowledged; what the copy does not know the other may have promised. So a start waits
/// until it has its seat: a majority of the directory's voters know of no life that this one does not follow (`judge`), and
/// all other members agree or have not been heard for a while. Until then no replica here votes, acknowledges or campaigns.
///
/// Then it notes on its disk that its life has the seat, before anybody else counts on that: so only what is begun from this
/// very directory can follow it. The directory records it too (`DirectoryMachine.Kind.member`), for peers that forget.
struct Seat {
  var isTaken = false
  /// It is on its way to the disk.
  var isBeingKept = false
  /// When this life began to ask, on the monotonic clock.
  var since: UInt64

  /// For so long those are waited for that are not needed and may know better, in microseconds.
  static let patience: UInt64 = 1_000_000
}

extension Node {
  /// Takes the seat as soon as it may.
  func advanceSeat() {
    guard !seat.isTaken, !seat.isBeingKept, out.exit == nil, mayTakeSeat else { return }
    seat.isBeingKept = true
    out.jobs.append(.keepSeat(life))
  }

  private var mayTakeSeat: Bool {
    guard let topology else { return true }
    var welcoming: Set<NodeID> = [id]
    for link in links.values {
      if let greeting = link.greeting, greeting.isWelcome, let hello = greeting.hello { welcoming.insert(hello.node) }
    }
    let voters = topology.directoryVoters
    guard voters.count(where: welcoming.contains) * 2 > voters.count else { return false }
    let isWaitedFor = topology.members.contains { member in
      // This node itself may run where it ran before.
      if member.id == id { return member.peerAddress != configuration.peerAddress }
      return member.state != .removed && !welcoming.contains(member.id)
    }
    return !isWaitedFor || now.monotonic - seat.since >= Seat.patience
  }

  func seatKept() {
    seat.isBeingKept = false
    guard out.exit == nil else { return }
    seat.isTaken = true
    announceSeat()
    announceSelf()
  }

  /// What the directory's log says of lives counts before it is known to be committed again: each of them had its seat.
  func noteLives(in entries: [LogEntry]) {
    for entry in entries where entry.kind == .command {
      entry.payload.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        guard (try? EntryHeader(decoding: &reader)) != nil else { return }
        while !reader.isAtEnd, let command = try? Envelope.next(&reader) {
          guard command.count > 5, command[4] == DirectoryMachine.Kind.member.rawValue else { continue }
          var body = ByteReader(UnsafeRawBufferPointer(rebasing: command[5...]))
          guard let member = try? Member(decoding: &body) else { continue }
          if member.life.incarnation > loggedMembers[member.id]?.life.incarnation ?? 0 {
            loggedMembers[member.id] = member
          }
        }
      }
    }
  }

  /// The latest that is known of a node's record.
  func record(of node: NodeID) -> Member? {
    guard let member = topology?.member(node), let logged = loggedMembers[node],
      logged.life.incarnation > member.life.incarnation
    else { return topology?.member(node) }
    return logged
  }

  /// Another process is this node: nothing is done here any more.
  func endAsCopy(of name: String, at address: String) {
    out.end(
      2,
      "this node's identity runs elsewhere, as \(name) at \(address): this data directory is a copy, or older than what runs"
        + " there, and takes no part; give this node an empty directory"
    )
  }

  /// The directory is told which life this is, and where, until it has it.
  func announceSelf() {
    guard let known = topology?.member(id) else { return }
    guard known.life.mayBeFollowed(by: life, after: predecessor) else {
      return endAsCopy(of: known.name, at: known.peerAddress)
    }
    var mine = Member(
      id: id, name: configuration.name, region: configuration.region, clientAddress: configuration.clientAddress,
      peerAddress: configuration.peerAddress, state: .up, proof: known.proof)
    mine.life = life
    guard seat.isTaken, known != mine, now.monotonic >= nextAnnouncement, stopping == nil else { return }
    nextAnnouncement = now.monotonic + configuration.requestTimeout
    submitInternal(.directory, flags: [.repeatable]) { buffer in
      DirectoryMachine.append(.member, to: &buffer) {
        mine.encode(into: &$0)
        predecessor.encode(into: &$0)
      }
    }
  }
}
