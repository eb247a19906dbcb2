import Base
import Ledger
import Protocol
import Raft

/// What is known of the cluster's nodes before any of them has said a word: what the directory says, what its log says though
/// it is not known to be committed again, and what was promised while a cluster is being made.
final class Membership {
  let me: NodeIdentity
  /// Zero until the node belongs to a cluster.
  private(set) var cluster: UInt64 = 0
  private(set) var topology: Topology?
  /// What the cluster began with, for a node that missed it.
  private(set) var first: Topology?
  /// Of the plan that this node is promised to.
  var promised: Topology?
  /// When this process made that promise (monotonic, µs); nil: it was found.
  var promisedAt: UInt64?
  /// Records of nodes that the directory's log held when this node started: see `noteLives`.
  private var logged: [NodeID: NodeRecord] = [:]

  init(me: NodeIdentity) { self.me = me }

  /// Follows the directory. False: it says nothing new.
  func follow(_ newer: Topology, first: Topology?) -> Bool {
    guard newer.version != topology?.version else { return false }
    topology = newer
    self.first = first
    if cluster == 0 { cluster = newer.cluster }
    return true
  }

  /// What the directory's log says of lives counts before it is known to be committed again: each of them had its seat.
  func noteLives(in entries: [LogEntry]) {
    for entry in entries where entry.kind == .command {
      entry.payload.withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        guard (try? EntryHeader(decoding: &reader)) != nil else { return }
        while !reader.isAtEnd, let command = try? Envelope.next(&reader) {
          if let record = DirectoryMachine.node(in: command) { note(life: record) }
        }
      }
    }
  }
  private func note(life record: NodeRecord) {
    guard record.life.incarnation > logged[record.id]?.life.incarnation ?? 0 else { return }
    logged[record.id] = record
  }

  // MARK: Nodes

  /// Whether a node is of the cluster, and was not removed from it.
  func belongs(_ node: NodeID) -> Bool { topology?.node(node).map { $0.state != .removed } ?? false }

  /// The latest that is known of a node's record.
  func record(of node: NodeID) -> NodeRecord? {
    guard let record = topology?.node(node), let logged = logged[node],
      logged.life.incarnation > record.life.incarnation
    else { return topology?.node(node) }
    return logged
  }

  /// What a node's word is measured by: the directory's record, or what this node has promised.
  func proof(of node: NodeID) -> Proof? { topology?.node(node)?.proof ?? promised?.node(node)?.proof }

  // MARK: What this node says of it

  /// For a frame of this node.
  var header: FrameHeader {
    FrameHeader(
      kind: FrameKind.messages.rawValue, cluster: cluster, sender: me.id, incarnation: me.incarnation,
      configVersion: topology?.version ?? 0)
  }

  /// The cluster's name in answers and log lines.
  var clusterName: String {
    let digits = String(cluster, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension DirectoryMachine {
  /// The node that a command records, if it is such a one.
  static func node(in command: UnsafeRawBufferPointer) -> NodeRecord? {
    guard command.count > 5, command[4] == Kind.node.rawValue else { return nil }
    var body = ByteReader(UnsafeRawBufferPointer(rebasing: command[5...]))
    return try? NodeRecord(decoding: &body)
  }
}
