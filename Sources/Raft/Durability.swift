import Base

/// What is on disk, and what is on its way there.
struct Durability: Sendable {
  var stable: LogIndex
  var restart: LogPosition?
  init(durable: HardState, stable: LogIndex) { self.stable = stable }
}
