/// The reads under way at a leader.
struct ReadRounds: Sendable {}
