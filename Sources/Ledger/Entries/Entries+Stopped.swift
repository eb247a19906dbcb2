import Base
import Vocabulary

extension Entries {
  /// A program that is stopped, and who stopped it.
  public struct StoppedProgram {
    public var tenant: TenantID
    public var key: [UInt8]
    public var by: [UInt8]
    /// When that was said.
    public var since: Stamp
  }
  /// Programs that are stopped at a moment. O(programs).
  public func stoppedPrograms(at moment: Stamp) -> [StoppedProgram] {
    guard let table = table(word: EntryKind.program.word), let field = EntryKind.program.field("state"),
      let stopped = Array("stopped".utf8).withUnsafeBytes({ field.stored($0) })
    else { return [] }
    var found: [StoppedProgram] = []
    for number in 0..<tables[table].items.count {
      let item = tables[table].items[number]
      let change = item.changes.last { $0.holds(at: moment) && $0.values.has(field.number) }
      guard let change, change.values[field.number] == stopped else { continue }
      found.append(StoppedProgram(tenant: item.tenant, key: item.key, by: change.by, since: change.set))
    }
    return found
  }
}

extension Entries {
  /// Whether a `SET` may be done as far as zones go: it turns none; or it turns that of a program which nobody has changed since it was stopped
  /// for that, so that nothing was booked by the zone that it had.
  /// - Parameter since: when it was stopped; nil: it was not.
  public func mayTurn(_ request: EntryRequest, tenant: TenantID, at stamp: Stamp, since: Stamp?) -> Bool {
    guard Int(request.kind) == EntryKind.program.number, let table = table(word: EntryKind.program.word),
      let number = find(table, request.key, tenant), let field = EntryKind.program.field("utc-offset"),
      let said = request.fields.first(where: { $0.number == field.number }), let zone = field.stored(said.text)
    else { return true }
    let item = tables[table].items[number]
    guard item.beginnings(from: stamp).contains(where: { effective(table, item, field, at: $0) != zone }) else {
      return true
    }
    // It may have begun by now as it was announced.
    let isStopped = !item.isInForce(at: stamp) || isStopped(item, at: stamp)
    guard let since, isStopped else { return false }
    // Of the same moment is the stop itself, unless the program was stopped before.
    let later = item.changes.filter { $0.set >= since }
    let stopped = EntryValues([(EntryField.stateNumber, Entries.stopped)])
    return later.count <= 1 && later.allSatisfy { $0.set == since && $0.values == stopped }
  }
  private func isStopped(_ item: EntryItem, at moment: Stamp) -> Bool {
    item.value(EntryField.stateNumber, at: moment) == Entries.stopped
  }
  /// What is kept of a program's `state=stopped`.
  private static let stopped =
    Array("stopped".utf8).withUnsafeBytes { EntryKind.program.field("state")?.stored($0) } ?? []
}
