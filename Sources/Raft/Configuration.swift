import Base

/// Who takes part in a group: membership as data, joint from the start (Raft thesis §4.3).
///
/// A change of voters is two entries: the *joint* configuration, in which an election and a commit need a majority of
/// the incoming *and* of the outgoing voters, and then the plain one. The core writes both; see
/// `RaftGroup.propose(_:ifVersion:)`. All three lists are sorted and without duplicates.
public struct Configuration: Hashable, Sendable {
  /// The voters; the incoming half while joint.
  public var voters: [NodeID]
  /// The outgoing half while joint; otherwise empty.
  public var outgoing: [NodeID]
  /// Nodes that receive the log and do not count. While joint, a voter on its way to become a learner is in both
  /// `outgoing` and `learners`, and still counts as a voter.
  public var learners: [NodeID]
  /// Rises by 1 with each configuration entry: compare-and-set on it makes changes safe to retry.
  public var version: UInt64

  /// At most this many nodes in any one of the lists.
  public static let maxNodes = 255

  /// Sorts the lists. The lists may not repeat a node; `voters` and `learners` may not share one.
  public init(voters: [NodeID], outgoing: [NodeID] = [], learners: [NodeID] = [], version: UInt64 = 1) {
    self.voters = voters.sorted()
    self.outgoing = outgoing.sorted()
    self.learners = learners.sorted()
    self.version = version
  }
  /// No members: what a node knows of a group before its first append or snapshot.
  public static let empty = Configuration(voters: [], version: 0)

  /// Whether two majorities are needed.
  public var isJoint: Bool { !outgoing.isEmpty }
  /// Whether the node counts in a majority. O(members).
  public func isVoter(_ node: NodeID) -> Bool { voters.contains(node) || outgoing.contains(node) }
  /// Whether the node receives the log, as voter or learner. O(members).
  public func contains(_ node: NodeID) -> Bool { isVoter(node) || learners.contains(node) }
  /// Every member once, sorted.
  public var members: [NodeID] {
    var all = voters
    for node in outgoing where !all.contains(node) { all.append(node) }
    for node in learners where !all.contains(node) { all.append(node) }
    all.sort()
    return all
  }

  /// Sorted, no duplicates, no node both voter and learner, no `NodeID.none`, within `maxNodes`.
  var isWellFormed: Bool {
    func isStrictlyRising(_ list: [NodeID]) -> Bool {
      list.first != NodeID.none && zip(list, list.dropFirst()).allSatisfy { $0 < $1 } && list.count <= Self.maxNodes
    }
    return isStrictlyRising(voters) && isStrictlyRising(outgoing) && isStrictlyRising(learners)
      && !learners.contains { voters.contains($0) }
  }

  /// `version:varint`, then the three lists, each `count:u8 node:u64*`.
  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(varint: version)
    for list in [voters, outgoing, learners] {
      precondition(list.count <= Self.maxNodes, "a configuration lists at most 255 nodes")
      buffer.append(UInt8(list.count))
      for node in list { buffer.append(node.rawValue) }
    }
  }
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    version = try reader.readVarint()
    voters = try Self.readList(&reader)
    outgoing = try Self.readList(&reader)
    learners = try Self.readList(&reader)
    guard isWellFormed else { throw MalformedBytes("a configuration's lists are not sorted sets") }
  }
  private static func readList(_ reader: inout ByteReader) throws(MalformedBytes) -> [NodeID] {
    let count = Int(try reader.read(UInt8.self))
    var list: [NodeID] = []
    list.reserveCapacity(count)
    for _ in 0..<count { list.append(NodeID(try reader.read(UInt64.self))) }
    return list
  }

  /// The payload of a `.configuration` entry.
  public var payload: [UInt8] {
    var buffer = ByteBuffer(capacity: 32 + 8 * (voters.count + outgoing.count + learners.count))
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
