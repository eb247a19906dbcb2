import Base
import Testing

@testable import Ledger

@Suite struct MemoryPastTests {
  private func stamp(_ day: Int64) -> Stamp { Stamp(microseconds: (20_000 + day) * CivilTime.microsecondsPerDay) }

  @Test(arguments: 1...4) func aTableHoldsWhatADictionaryWould(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let pool = PagePool()
    var table = PastTable()
    table.attachTables(pool.state)
    var model: [UInt64: UInt64] = [:]
    var sequences = [UInt64](repeating: 0, count: 5)
    var waiting: [TransactionID] = []
    for step in 0..<20_000 {
      let now = stamp(Int64(step / 100))
      let slot = Int(random.next() % 5)
      sequences[slot] += 1 + (random.next() % 10 == 0 ? random.next() % 20 : 0)
      let tx = TransactionID(slot: Slot(UInt16(slot * 3000)), sequence: sequences[slot])
      if random.next() % 8 == 0 {
        waiting.append(tx)
      } else {
        table.set(tx, PastEntry(position: JournalPosition(rawValue: UInt64(step) + 1), word: tx.rawValue), now: now)
        model[tx.rawValue] = UInt64(step) + 1
      }
      // What was open for long comes late, or comes back.
      if waiting.count > 50, let late = waiting.first {
        waiting.removeFirst()
        table.set(late, PastEntry(position: JournalPosition(rawValue: 7), word: late.rawValue), now: now)
        model[late.rawValue] = 7
      }
      if random.next() % 20 == 0, let (key, _) = model.min(by: { $0.key < $1.key }) {
        table.set(TransactionID(rawValue: key), .away, now: now)
        model[key] = nil
      }
      let horizon = stamp(Int64(step / 100) - 40)
      while let block = table.popSealed(before: horizon) {
        #expect(Int64(block.sealedAt) * 60_000_000 < horizon.microseconds, "it leaves too early")
        block.forEach { tx, entry in
          let kept = model.removeValue(forKey: tx.rawValue)
          #expect(kept == entry.position.rawValue && entry.word == tx.rawValue)
        }
      }
      let probe = TransactionID(rawValue: tx.rawValue - min(random.next() % 40, tx.sequence - 1))
      if case .entry(let entry) = table.find(probe) {
        #expect(model[probe.rawValue] == entry.position.rawValue)
      } else {
        #expect(model[probe.rawValue] == nil)
      }
    }
    #expect(table.fault() == nil)
    var seen: [UInt64: UInt64] = [:]
    table.forEach { seen[$0.rawValue] = $1.position.rawValue }
    #expect(seen == model)
    // Of 20,000 only those of 40 days are left, and what came late.
    #expect(table.blockCount < 1_500, "\(table.blockCount)")
    // Those in use, those that the next ones will use, and what finds them.
    #expect(pool.usedByteCount < 600_000, "\(pool.usedByteCount)")
  }

  /// Many a slot, and few: what an entry costs, everything counted.
  @Test(arguments: [(50, 24.0), (400, 21.5), (3_000, 21.0)]) func anEntryCosts(perSlot: Int, most: Double) {
    let pool = PagePool()
    var table = PastTable()
    table.attachTables(pool.state)
    let empty = pool.usedByteCount
    let slots = perSlot > 1000 ? 1_024 : Slot.count
    for sequence in 1...perSlot {
      for slot in 0..<slots {
        let tx = TransactionID(slot: Slot(UInt16(slot)), sequence: UInt64(sequence))
        table.set(tx, PastEntry(position: JournalPosition(rawValue: 1), word: 1), now: stamp(1))
      }
    }
    let bytes = Double(pool.usedByteCount - empty) / Double(perSlot * slots)
    #expect(bytes <= most, "\(bytes)")
  }
}
