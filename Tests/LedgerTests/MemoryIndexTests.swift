import Base
import Testing

@testable import Ledger

@Suite struct MemoryIndexTests {
  /// How hashes are drawn: spread, few (many values under one), counting up, sharing a slot's top bits.
  enum Draw: CaseIterable, Sendable { case spread, few, counting, oneSlot }

  @Test(arguments: Draw.allCases, 1...3 as ClosedRange<UInt64>)
  func anIndexFindsWhatADictionaryWould(draw: Draw, seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pool = PagePool()
    var index = HashIndex(pool)
    var model: [UInt64: Set<UInt32>] = [:]
    var all: [(hash: UInt64, value: UInt32)] = []
    // As a ledger would: a value is asked for its own key. Tags of 32 bits may agree by chance.
    var keys: [UInt32: UInt64] = [:]
    for step in 1...40_000 as ClosedRange<UInt32> {
      let growing = step / 10_000 % 2 == 0
      if random.next(upperBound: 10 as UInt64) < (growing ? 8 : 4) {
        let hash =
          switch draw {
          case .spread: random.next()
          case .few: random.next(upperBound: 300 as UInt64) << 50
          case .counting: UInt64(step)
          case .oneSlot: random.next() >> 14 | 9 << 50
          }
        index.insert(hash, step)
        keys[step] = hash
        model[hash, default: []].insert(step)
        all.append((hash, step))
      } else if !all.isEmpty {
        let i = Int(random.next(upperBound: UInt64(all.count)))
        let (hash, value) = all[i]
        if random.next(upperBound: 4 as UInt64) == 0 {
          let replaced = index.replace(hash, value, with: value + 1_000_000)
          #expect(replaced == (model[hash]?.contains(value) ?? false))
          if replaced {
            keys[value + 1_000_000] = hash
            model[hash]?.remove(value)
            model[hash]?.insert(value + 1_000_000)
            all[i].value += 1_000_000
          }
        } else {
          #expect(index.remove(hash, value) == true)
          #expect(index.remove(hash, value) == false)
          model[hash]?.remove(value)
          all.swapAt(i, all.count - 1)
          all.removeLast()
        }
      }
      if step % 7 == 0, !all.isEmpty {
        let hash = all[Int(random.next(upperBound: UInt64(all.count)))].hash
        #expect(Set(index.values(hash).filter { keys[$0] == hash }) == model[hash])
        let absent = random.next() | 1 << 63
        #expect(index.find(absent) { keys[$0] == absent } == nil)
      }
    }
    #expect(index.count == all.count)
    #expect(!model.contains { hash, values in Set(index.values(hash).filter { keys[$0] == hash }) != values })
  }

  @Test func anInsertMovesAtMostOnePageOfCells() {
    let pool = PagePool()
    var index = HashIndex(pool)
    var random = SeededGenerator(seed: 11)
    var most: UInt64 = 0
    for i in 1...200_000 as ClosedRange<UInt32> {
      let before = index.movedCells
      index.insert(random.next(), i)
      most = max(most, index.movedCells - before)
    }
    #expect(most == UInt64(HashIndex.splitCount))
    // Everything together: each value is moved about once for each doubling of all before it.
    #expect(index.movedCells < 2 * 200_000)
    let bytesPerValue = Double(pool.usedByteCount) / 200_000
    #expect(bytesPerValue < 22)
  }

  @Test func keysChosenToCollideGrowAChainAndNotTheDirectory() {
    let pool = PagePool()
    var index = HashIndex(pool)
    for i in 1...20_000 as ClosedRange<UInt32> { index.insert(42, i) }
    for i in 20_001...60_000 as ClosedRange<UInt32> { index.insert(UInt64(i), i) }
    #expect(pool.usedByteCount < 120 * pageByteCount)
    #expect(Set(index.values(42)).isSuperset(of: 1...20_000))
    #expect(!(20_001...60_000 as ClosedRange<UInt32>).contains { i in index.find(UInt64(i)) { $0 == i } != i })
    for i in 1...20_000 as ClosedRange<UInt32> where i % 2 == 0 { #expect(index.remove(42, i) == true) }
    #expect(index.values(42).filter { $0 <= 20_000 }.count == 10_000)
    #expect(index.find(42) { $0 == 19_999 } == 19_999)
    #expect(index.find(42) { $0 == 19_998 } == nil)
  }

  @Test func aFindHardlyEverAsksAboutAnotherKey() {
    let pool = PagePool()
    var index = HashIndex(pool)
    for i in 1...100_000 as ClosedRange<UInt32> { index.insert(UInt64(i) << 40, i) }
    var asked = 0
    for i in 100_001...200_000 as ClosedRange<UInt64> {
      _ = index.find(i << 40) { _ in
        asked += 1
        return false
      }
    }
    // 100,000 finds among 100,000 of 2^32 tags: 2.3 are expected.
    #expect(asked < 20)
  }

  @Test func theSameOperationsGiveTheSameLayout() {
    func build() -> [UInt8] {
      var pool = PagePool()
      var random = SeededGenerator(seed: 5)
      var index = HashIndex(pool)
      var kept: [(UInt64, UInt32)] = []
      for i in 1...30_000 as ClosedRange<UInt32> {
        kept.append((random.next(), i))
        index.insert(kept[kept.count - 1].0, i)
        if i % 3 == 0 {
          let (hash, value) = kept.remove(at: Int(random.next(upperBound: UInt64(kept.count))))
          index.remove(hash, value)
        }
      }
      var builder = pool.beginSnapshot()
      index.freeze(.one, into: &builder)
      let snapshot = builder.finish()
      defer { pool.endSnapshot(snapshot) }
      return written(snapshot)
    }
    #expect(same(build(), build()))
  }
}
