import Base
import Vocabulary

extension Entries {
  /// What operators say under a key in a language (`MESSAGE SET`), as it is in force at a moment; nil: nothing.
  public func message(_ key: String, _ language: String, tenant: TenantID, at moment: Stamp) -> String? {
    guard let table = table(word: EntryKind.message.word), let text = tables[table].kind.field("text"),
      let state = tables[table].kind.field("state")
    else { return nil }
    let bytes = Array(key.utf8) + [0] + Array(language.utf8)
    guard let number = bytes.withUnsafeBytes({ find(table, $0, tenant) }) else { return nil }
    let item = tables[table].items[number]
    let isStopped = effective(table, item, state, at: moment).map { EntryField.number(stored: $0) } == 1
    guard item.isInForce(at: moment), !isStopped else { return nil }
    return item.value(text.number, at: moment).map { String(decoding: $0, as: UTF8.self) }
  }
  /// How far a program's days are from those of UTC, in microseconds; 0 of one that is none.
  public func zone(ofProgram name: UnsafeRawBufferPointer, tenant: TenantID, at moment: Stamp) -> Int64 {
    guard let table = table(word: EntryKind.program.word), let number = find(table, name, tenant) else { return 0 }
    return zone(table, tables[table].items[number], at: moment)
  }
}
