import Base
import Vocabulary

// Of a program with `approval=rules` a rule runs only as a user let it who is another than the one who set it last; a campaign,
// where some program of its tenant has that.
extension Entries {
  /// `RULE APPROVE` and `CAMPAIGN APPROVE`: lets a draft run, in the bounds of its version in force, or of the next.
  public mutating func approve(
    _ request: EntryRequest, tenant: TenantID, by: UnsafeRawBufferPointer, stamp: Stamp, semantics: UInt8,
    journal: inout EntryJournal, into reply: inout ReplyWriter
  ) -> Decision {
    do throws(EntryRefusal) {
      let table = try table(request.kind)
      let kind = tables[table].kind
      guard kind.hasBounds, let number = find(table, request.key, tenant) else {
        throw .notFound(kind, request.key)
      }
      let item = tables[table].items[number]
      guard let moment = item.momentInForce(near: stamp), moment >= stamp, let version = item.version(at: moment) else {
        throw EntryRefusal(.closed, "the \(kind.name) is not in force any more; nothing was done")
      }
      // Where there are no users everybody may do everything.
      guard by.isEmpty || item.changes.last.map({ !$0.by.elementsEqual(by) }) ?? true else {
        throw EntryRefusal(
          .noPermission, "another user approves than the one who set the \(kind.name) last; nothing was done")
      }
      switch state(of: item, table, at: moment) {
      case RuleState.running: return .unchanged
      case RuleState.draft: break
      default:
        throw EntryRefusal(.closed, "the \(kind.name) is stopped, and a draft alone is approved; nothing was done")
      }
      let setting = Setting(
        number: number, from: moment, until: version.until,
        values: EntryValues([(EntryField.stateNumber, EntryField.stored(RuleState.running))]),
        rest: rest(of: item, kind, from: moment))
      try checkMeaning(setting, table, tenant, stamp, semantics, key: request.key)
      let (place, horizon) = try place(setting, table, tenant, request.key, stamp)
      return .changed(
        delta: change(setting, table, place, by: by, stamp, horizon: horizon, semantics: semantics, &journal))
    } catch {
      error.write(into: &reply)
      return .refused
    }
  }

  /// Refuses a change by which a rule or a campaign would run otherwise than it was approved.
  func checkApproval(_ setting: Setting, _ table: Int, _ tenant: TenantID, _ stamp: Stamp) throws(EntryRefusal) {
    let kind = tables[table].kind
    guard kind.number == EntryKind.rule.number || kind.number == EntryKind.campaign.number else { return }
    let old = setting.number.map { tables[table].items[$0] } ?? EntryItem(tenant: tenant, key: [])
    var item = old
    item.append(
      EntryItem.Change(
        number: item.newest &+ 1, from: setting.from, until: setting.until, set: stamp, by: [], values: setting.values,
        rest: setting.rest))
    for moment in item.beginnings(from: setting.from)
    where item.isInForce(at: moment) && state(of: item, table, at: moment) == RuleState.running {
      let isSame =
        old.isInForce(at: moment)
        && kind.fields.allSatisfy { item.value($0.number, at: moment) == old.value($0.number, at: moment) }
      guard isSame || !needsApproval(item, kind, tenant, at: moment) else {
        throw EntryRefusal(
          .noPermission,
          "the program has approval=rules: SET it with state=draft, and have another user say \(kind.word) APPROVE; nothing was done"
        )
      }
    }
  }
  private func state(of item: EntryItem, _ table: Int, at moment: Stamp) -> Int64 {
    item.value(EntryField.stateNumber, at: moment).map { EntryField.number(stored: $0) } ?? RuleState.draft
  }
  /// O(programs of the tenant) for a campaign.
  private func needsApproval(_ item: EntryItem, _ kind: EntryKind, _ tenant: TenantID, at moment: Stamp) -> Bool {
    guard let programs = table(word: EntryKind.program.word),
      let field = EntryKind.program.field("approval")
    else { return false }
    func asks(_ program: Int) -> Bool {
      guard tables[programs].items.indices.contains(program) else { return false }
      return tables[programs].items[program].value(field.number, at: moment).map { EntryField.number(stored: $0) } == 1
    }
    guard kind.number == EntryKind.rule.number else {
      return numbers(programs, of: tenant).contains { asks(Int($0)) }
    }
    let program = item.with(RuleField.program, at: moment) { $0.flatMap { Entries.references($0).first } }
    return program.map(asks) ?? false
  }
}
