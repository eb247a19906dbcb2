import Base

/// Why a group does not take a proposal, a read or an order. Nothing happened.
public enum ProposalRefused: Error, Hashable, Sendable {
  /// Ask `leader`, or wait for an election if it is `NodeID.none`.
  case notLeader(leader: NodeID)
  /// Leadership is on its way to another node; ask it, or wait.
  case transferring(to: NodeID)
  /// `RaftOptions.maxUncommittedBytes` is reached: back off.
  case tooMuchUncommitted
  /// A configuration change is not yet complete: one at a time.
  case changeInFlight
  /// The leader has not yet committed an entry of its own term: wait.
  case termNotCommitted
  /// The configuration is another than the caller thinks; `current` is its version.
  case wrongVersion(current: UInt64)
  /// A configuration without voters, joint, not made of sorted sets, or equal to the one in force.
  case invalidConfiguration
  /// The target of a transfer is no voter, or is this node itself.
  case notAVoter
}
