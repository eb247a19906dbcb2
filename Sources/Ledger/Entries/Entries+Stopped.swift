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
