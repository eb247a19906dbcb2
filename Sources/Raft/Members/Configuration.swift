import Base

/// The members of a group: membership as data, joint from the start (Raft thesis §4.3).
///
/// A change of voters is two entries: the *joint* configuration, in which an election and a commit need a majority of
/// the incoming *and* of the outgoing voters, and then the plain one. The core writes both; see
/// `RaftGroup.propose(voters:learners:ifVersion:)`. All three lists are sorted and without duplicates; a node has one
/// `born` in all of them.
public struct Configuration: Hashable, Sendable {
  /// The voters; the incoming half while joint.
  public var voters: [ReplicaID]
  /// The outgoing half while joint; otherwise empty.
  public var outgoing: [ReplicaID]
  /// Nodes that receive the log and do not count. While joint, a voter on its way to become a learner is in both
  /// `outgoing` and `learners`, and still counts as a voter.
  public var learners: [ReplicaID]
  /// Rises by 1 with each configuration entry: compare-and-set on it makes changes safe to retry.
  public var version: UInt64

  /// At most this many nodes in any one of the lists.
  public static let maxNodes = 255

  /// Sorts the lists. The lists may not repeat a node; `voters` and `learners` may not share one.
  public init(voters: [ReplicaID], outgoing: [ReplicaID] = [], learners: [ReplicaID] = [], version: UInt64 = 1) {
    self.voters = voters.sorted()
    self.outgoing = outgoing.sorted()
    self.learners = learners.sorted()
    self.version = version
  }
  /// What a group begins with: version 1, which adds them all.
  public init(founders voters: [NodeID], learners: [NodeID] = []) {
    self.init(
      voters: voters.map { ReplicaID(node: $0, born: 1) }, learners: learners.map { ReplicaID(node: $0, born: 1) })
  }
  /// No members: what a node knows of a group before its first append or snapshot.
  public static let empty = Configuration(voters: [], version: 0)

  /// Whether two majorities are needed.
  public var isJoint: Bool { !outgoing.isEmpty }
  /// Whether the replica counts in a majority. O(members).
  public func isVoter(_ replica: ReplicaID) -> Bool { voters.contains(replica) || outgoing.contains(replica) }
  /// Whether the replica receives the log, as voter or learner. O(members).
  public func contains(_ replica: ReplicaID) -> Bool { isVoter(replica) || learners.contains(replica) }
  /// The member on a node, if there is one. O(members).
  public func member(on node: NodeID) -> ReplicaID? {
    for list in [voters, outgoing, learners] {
      if let member = list.first(where: { $0.node == node }) { return member }
    }
    return nil
  }
  /// Every member once, sorted.
  public var members: [ReplicaID] {
    var all = voters
    for replica in outgoing where !all.contains(replica) { all.append(replica) }
    for replica in learners where !all.contains(replica) { all.append(replica) }
    all.sort()
    return all
  }

  /// Sorted, no duplicates, no node both voter and learner or born twice, no `NodeID.none`, everybody born by this
  /// version or an earlier one, within `maxNodes`.
  var isWellFormed: Bool {
    func isSet(_ list: [ReplicaID]) -> Bool {
      list.first?.node != NodeID.none && zip(list, list.dropFirst()).allSatisfy { $0.node < $1.node }
        && list.count <= Self.maxNodes && list.allSatisfy { $0.born >= 1 && $0.born <= version }
    }
    let all = members
    return isSet(voters) && isSet(outgoing) && isSet(learners) && !learners.contains { voters.contains($0) }
      && zip(all, all.dropFirst()).allSatisfy { $0.node < $1.node }
  }

  /// `format:u8 version:varint`, then the three lists, each `count:u8 (node:u64 born:varint)*`.
  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(Self.format)
    buffer.append(varint: version)
    for list in [voters, outgoing, learners] {
      precondition(list.count <= Self.maxNodes, "a configuration lists at most 255 nodes")
      buffer.append(UInt8(list.count))
      for replica in list { replica.encode(into: &buffer) }
    }
  }
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    guard try reader.read(UInt8.self) == Self.format else { throw MalformedBytes("a configuration of unknown format") }
    version = try reader.readVarint()
    voters = try Self.readList(&reader)
    outgoing = try Self.readList(&reader)
    learners = try Self.readList(&reader)
    guard isWellFormed else { throw MalformedBytes("a configuration's lists are not sorted sets") }
  }
  private static let format: UInt8 = 1
  private static func readList(_ reader: inout ByteReader) throws(MalformedBytes) -> [ReplicaID] {
    let count = Int(try reader.read(UInt8.self))
    var list: [ReplicaID] = []
    list.reserveCapacity(count)
    for _ in 0..<count { list.append(try ReplicaID(decoding: &reader)) }
    return list
  }

  /// The payload of a `.configuration` entry.
  public var payload: [UInt8] {
    var buffer = ByteBuffer(capacity: 32 + 18 * (voters.count + outgoing.count + learners.count))
    encode(into: &buffer)
    return buffer.array
  }
  /// Reads the payload of a `.configuration` entry.
  public init(payload: [UInt8]) throws(MalformedBytes) {
    let decoded: Result<Configuration, MalformedBytes> = payload.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      do throws(MalformedBytes) {
        let configuration = try Configuration(decoding: &reader)
        guard reader.isAtEnd else { throw MalformedBytes("bytes follow a configuration") }
        return .success(configuration)
      } catch {
        return .failure(error)
      }
    }
    self = try decoded.get()
  }
}
