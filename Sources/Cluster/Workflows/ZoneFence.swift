import Base
import Ledger
import Vocabulary

/// What a change of a program's zone is known by while the program is stopped for it. Who stopped the program says it (`by=`), so the
/// directory's leader knows it if the node dies that asked.
///
/// The zone is set only if nobody has changed the program since it was stopped (`DirectoryMachine.Kind.turn`): of two changes at once one is
/// done at most, and none that somebody started the program under.
///
/// A change ends in two steps, each of which happens once. First the zone is set, or it is given up: both carry one key, as two requests with one
/// id do, so the directory takes one of them. Then the program is started, by whoever comes first.
struct ZoneFence {
  private static let mark = Array("/utc-offset-".utf8)
  /// Unique in the cluster, for ever.
  private var name: [UInt8]
  /// All nodes know `DirectoryMachine.Kind.turn`.
  private let isGuarded: Bool

  /// - Parameter number: of the change among those of this node's process.
  init(_ node: NodeIdentity, number: UInt64, isGuarded: Bool) {
    self.isGuarded = isGuarded
    name = Array("\(node.id.rawValue)-\(node.incarnation)-\(number)".utf8)
  }
  /// Nil: the program was stopped for something else.
  init?(stoppedBy by: [UInt8]) {
    guard let start = by.lastIndex(of: UInt8(ascii: "/")), by[start...].starts(with: ZoneFence.mark) else { return nil }
    isGuarded = false
    name = Array(by[(start + ZoneFence.mark.count)...])
  }
  func by(_ user: String) -> String { user + String(decoding: ZoneFence.mark + name, as: UTF8.self) }

  enum Step: UInt64 {
    case set = 1
    case giveUp
    case start
    /// The first of all.
    case stop
  }
  /// The key of a step, as of a request id.
  private func key(_ step: Step, _ hashKey: HashKey) -> UInt128 {
    var hash = SipHash(wide: hashKey)
    let part: UInt64 =
      switch step {
      case .set, .giveUp: 1
      case .start: 2
      case .stop: 3
      }
    hash.absorb(part)
    name.withUnsafeBytes { hash.absorb($0, tag: 0xF0) }
    let (low, high) = hash.finishedWide()
    return UInt128(high) << 64 | UInt128(low | 1)
  }
  /// A `SET` that happens once.
  /// - Parameter entry: an `EntryRequest`.
  func command(
    _ step: Step, _ hashKey: HashKey, _ tenant: TenantID, by user: String, _ entry: (inout ByteBuffer) -> Void
  ) -> [UInt8] {
    ZoneFence.command(
      key: key(step, hashKey), fingerprint: step.rawValue, after: step == .set && isGuarded ? key(.stop, hashKey) : nil,
      tenant, by: user, entry)
  }
  /// - Parameter after: the key of the stop since which nobody may have changed the program; nil: that does not matter.
  private static func command(
    key: UInt128, fingerprint: UInt64, after stop: UInt128?, _ tenant: TenantID, by user: String,
    _ entry: (inout ByteBuffer) -> Void
  ) -> [UInt8] {
    var command = ByteBuffer(capacity: 256)
    DirectoryMachine.append(stop == nil ? .entry : .turn, to: &command) { body in
      if let stop { body.append(stop) }
      body.append(key)
      body.append(fingerprint)
      body.append(tenant.rawValue)
      body.append(counted: user)
      entry(&body)
    }
    return command.array
  }
  /// An `EntryRequest` that changes nothing of a program.
  static func nothing(of program: [UInt8]) -> (inout ByteBuffer) -> Void {
    { body in
      body.append(varint: UInt64(EntryKind.program.number))
      body.append(counted: program)
      body.appendEndOfFields()
    }
  }
  /// An `EntryRequest` that starts or stops a program.
  static func state(_ word: String, of program: [UInt8]) -> (inout ByteBuffer) -> Void {
    { body in
      body.append(varint: UInt64(EntryKind.program.number))
      body.append(counted: program)
      body.append(field: EntryField.stateNumber, Array(word.utf8))
      body.appendEndOfFields()
    }
  }
}

extension ShardDesk {
  /// As the directory's leader, once a second: a program that is stopped for a change of its zone which nobody ends goes on. Whoever
  /// asked may be at it still: then it ends as one of both says, see `ZoneFence`.
  func endZoneChanges(_ replica: Replica) {
    guard replica.hasTakenOver, let directory, let hashKey = membership.topology?.hashKey,
      now.monotonic >= nextZoneLook
    else { return }
    nextZoneLook = now.monotonic + 1_000_000
    let patience = Int64(clamping: 4 * configuration.requestTimeout)
    for program in directory.entries.stoppedPrograms(at: directory.lastStamp) {
      guard let fence = ZoneFence(stoppedBy: program.by),
        now.wall.microseconds - program.since.microseconds > patience
      else { continue }
      let start = ZoneFence.state("active", of: program.key)
      for step in [ZoneFence.Step.giveUp, .start] {
        let command = fence.command(step, hashKey, program.tenant, by: "", start)
        if command.withUnsafeBytes({ replica.addInternal($0) }) { replica.isDirty = true }
      }
    }
  }
}
