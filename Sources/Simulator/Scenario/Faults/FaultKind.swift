/// What goes wrong in a cluster.
public enum FaultKind: Int, CaseIterable, Sendable {
  /// A process is killed; what it wrote stays.
  case kill
  /// A machine loses its power, and what was not synced.
  case power
  /// The same in the middle of a write, a sync or a rename.
  case tear
  /// All machines lose their power at once.
  case blackout
  case stop
  /// A node's disk goes to a machine at another address; the old one is off, or hangs.
  case move
  /// An entry ends the process of whoever applies it, several times, on one host or on all.
  case trap
  case freeze
  /// A process runs for moments, far apart: its timers go slow. Mostly a leader's, and mostly cut off as well.
  case starve
  case clockJump
  /// Two hosts cannot reach each other, and are told.
  case cut
  /// Bytes stay away and nobody is told: between two hosts, in one direction, of one host, around a ring, between halves.
  case silence
  case oneWay
  case isolate
  case ring
  case split
  case breakLink
  case stallLink
  case slowDisk
  case stallDisk
  case failSync
  /// A write fails with an I/O error.
  case failWrite
  case fullDisk
  /// A process can open no more files.
  case descriptors
  /// A process comes near the end of its memory, or beyond what it may use.
  case memory
  /// What destroys copies: it befalls a set of hosts that holds a minority of each group.
  case rot
  case lostWrite
  case strayWrite
  case failedRead
  case wipe

  public var name: String { "\(self)" }
  public var isDamage: Bool { rawValue >= FaultKind.rot.rawValue }

  /// Some nodes hear less than all others while it lasts.
  var cutsOff: Bool { [.cut, .silence, .oneWay, .isolate, .ring, .split].contains(self) }
}
