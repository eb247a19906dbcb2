import Base

/// Whose slots would be whose if each group went on from its survivor. Survivors are of different moments: of slots that moved between
/// them two may claim one, or none does. Then points would be there twice, or lost, and nothing is begun.
struct SlotClaims {
  private struct Claim {
    var shard: ShardID
    /// Rises with each slot that comes or goes: of two claims the higher is the later.
    var epoch: UInt64
  }
  private let view: RecoveryPlan.View
  private let rows: [RecoveryPlan.Row]
  private var owners = [[Claim]](repeating: [], count: Slot.count)

  init(of rows: [RecoveryPlan.Row], _ view: RecoveryPlan.View) {
    (self.rows, self.view) = (rows.filter { $0.shard != .directory }, view)
    for placement in view.topology.shards where view.led.contains(placement.shard) {
      // The map may be older than what the leader tells.
      let told = view.groups[placement.shard].flatMap { $0.epoch >= placement.epoch ? $0 : nil }
      claim(told?.slots ?? placement.slots, Claim(shard: placement.shard, epoch: told?.epoch ?? placement.epoch))
    }
    for row in self.rows {
      guard let report = report(of: row) else { continue }
      claim(report.slots, Claim(shard: row.shard, epoch: report.epoch))
    }
  }
  private mutating func claim(_ slots: SlotRanges, _ claim: Claim) {
    for range in slots.ranges { for slot in range { owners[slot].append(claim) } }
  }
  private func report(of row: RecoveryPlan.Row) -> StrandedReport? {
    view.witnesses[row.shard]?.first { $0.node == row.survivor }?.report
  }

  func check() throws(RecoveryPlan.Refused) {
    guard let first = owners.indices.first(where: { isWrong($0) }) else { return }
    // To the end of the run of which the same is to be said.
    let claims = owners[first]
    let end = owners.indices[first...].first { slot in
      !isWrong(slot) || owners[slot].map(\.shard) != claims.map(\.shard)
    }
    let run = first..<(end ?? Slot.count)
    throw RecoveryPlan.Refused(text: claims.isEmpty ? lacking(run) : doubled(run, claims))
  }
  private func isWrong(_ slot: Int) -> Bool {
    owners[slot].count > 1 || owners[slot].isEmpty && !isOnItsWay(slot)
  }

  /// A shard gave it away and has it in its open parcel still, which goes to its heir as soon as both go on: unless that one had taken
  /// it in before, and lacks it for another reason. While one of a led shard is open the map has its slots as before.
  private func isOnItsWay(_ slot: Int) -> Bool {
    let isOfLed = view.topology.shards.contains { placement in
      view.led.contains(placement.shard) && view.groups[placement.shard]?.isMoving == true
        && placement.slots.ranges.contains { $0.contains(slot) }
    }
    return isOfLed
      || rows.contains { row in
        guard let moving = report(of: row)?.moving, moving.slots.contains(slot) else { return false }
        if view.led.contains(moving.heir) { return true }
        guard let heir = rows.first(where: { $0.shard == moving.heir }).flatMap(report) else { return false }
        return !heir.taken.contains { $0.source == row.shard && $0.epoch >= moving.epoch }
      }
  }

  // MARK: Refusals

  private func words(_ run: Range<Int>) -> String {
    run.count == 1 ? "slot \(run.lowerBound)" : "slots \(run.lowerBound)-\(run.upperBound - 1)"
  }
  private func words(_ claim: Claim) -> String {
    guard let row = rows.first(where: { $0.shard == claim.shard }) else {
      return "shard \(claim.shard.rawValue) (epoch \(claim.epoch), led)"
    }
    return "shard \(claim.shard.rawValue) (epoch \(claim.epoch), at \(view.topology.name(of: row.survivor)) up to index"
      + " \(row.last.rawValue))"
  }
  private func lost(of shards: [ShardID]) -> String {
    let nodes = Set(rows.filter { shards.contains($0.shard) }.flatMap(\.lost)).sorted()
    return nodes.map { view.topology.name(of: $0) }.joined(separator: ", ")
  }
  /// The lower epoch is the older claim; but its records would be there beside those that the other took in.
  private func doubled(_ run: Range<Int>, _ claims: [Claim]) -> String {
    let sorted = claims.sorted { ($0.epoch, $0.shard) > ($1.epoch, $1.shard) }
    let older = sorted.dropFirst().map(\.shard)
    let numbers = older.map { String($0.rawValue) }.joined(separator: ", ")
    return
      "\(sorted.map(words).joined(separator: " and ")) both claim \(words(run)): shard \(numbers) has not heard that it gave them"
      + " away, and its points would be there twice. Have one of \(lost(of: older)) back, which may know, or restore a backup"
  }
  private func lacking(_ run: Range<Int>) -> String {
    let names = lost(of: rows.map(\.shard))
    return
      "no survivor owns \(words(run)), and none has what moved on its way: its points would be lost. Have one of \(names) back, which"
      + " may have it, or restore a backup"
  }
}
