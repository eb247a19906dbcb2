import Base
import Testing

@testable import Ledger

@Suite struct MemoryArrayTests {
  @Test(arguments: 1...6) func anArrayHoldsWhatAPlainArrayWould(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pool = PagePool()
    var array = PagedArray<TestRecord>(pool)
    var model: [TestRecord] = []
    for step in 0..<12_000 {
      let record = TestRecord(random.next(), UInt64(step))
      switch random.next(upperBound: 10 as UInt64) {
      case 0..<6:
        #expect(array.append(record) == model.count)
        model.append(record)
      case 6,
        7 where !model.isEmpty:
        let i = Int(random.next(upperBound: UInt64(model.count)))
        array[i] = record
        model[i] = record
      case 8 where seed % 2 == 0 && !model.isEmpty:
        for _ in 0..<min(model.count, Int(random.next(upperBound: 8 as UInt64))) {
          array.removeLast()
          model.removeLast()
        }
      default:
        guard !model.isEmpty else { continue }
        let i = Int(random.next(upperBound: UInt64(model.count)))
        #expect(array.read(i).pointee == model[i])
      }
    }
    #expect(array.count == model.count)
    #expect(!model.indices.contains { array[$0] != model[$0] })
    #expect(pool.usedByteCount == (model.count + 681) / 682 * pageByteCount)
  }

  @Test(arguments: 1...6) func aQueueHoldsWhatAPlainArrayWould(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pool = PagePool()
    var queue = PagedQueue<TestRecord>(pool)
    var model: [TestRecord] = []
    var first = 0
    for step in 0..<30_000 {
      let record = TestRecord(random.next(), UInt64(step))
      let phase: UInt64 = step / 5_000 % 2 == 0 ? 7 : 3
      if random.next(upperBound: 10 as UInt64) < phase {
        #expect(queue.append(record) == UInt64(model.count))
        model.append(record)
      } else if first < model.count {
        queue.removeFirst()
        first += 1
      }
      guard first < model.count else { continue }
      let i = first + Int(random.next(upperBound: UInt64(model.count - first)))
      #expect(queue[UInt64(i)] == model[i])
      queue.write(UInt64(i)).pointee.value = 7
      model[i].value = 7
    }
    #expect(queue.first == UInt64(first) && queue.end == UInt64(model.count))
    #expect(!(first..<model.count).contains { queue[UInt64($0)] != model[$0] })
    #expect(pool.usedByteCount <= (queue.count / 682 + 2) * pageByteCount)
  }

  @Test func aQueueTellsANumberFromItsIndexValue() {
    typealias Queue = PagedQueue<TestRecord>
    let pool = PagePool()
    var queue = Queue(pool)
    for i in 0..<2_000 { queue.append(TestRecord(UInt64(i), 0)) }
    for _ in 0..<700 { queue.removeFirst() }
    for number in queue.first..<queue.end {
      #expect(queue.number(ofIndexValue: Queue.indexValue(number)) == number)
    }
    #expect(Queue.indexValue(0) == 1)
    #expect(Queue.indexValue(0xFFFF_FFFE) == .max)
    #expect(Queue.indexValue(0xFFFF_FFFF) == 1)
  }

  @Test(arguments: 1...4) func aBlobGivesBackEveryString(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let pool = PagePool()
    var blob = PagedBlob(pool)
    var model: [(reference: UInt64, bytes: [UInt8])] = []
    for _ in 0..<1_500 {
      let kinds = [5, 64, 254, 255, 256, PagedBlob.maximumLength]
      let limit = kinds[Int(random.next(upperBound: UInt64(seed == 1 ? 2 : 6)))]
      let count = random.next(upperBound: 3 as UInt64) == 0 ? limit : Int(random.next(upperBound: UInt64(limit + 1)))
      let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: count)
      let reference = bytes.withUnsafeBytes { blob.append($0) }
      #expect(reference > model.last?.reference ?? 0)
      model.append((reference, bytes))
    }
    #expect(!model.contains { !blob.read($0.reference).elementsEqual($0.bytes) })
    for (reference, bytes) in model {
      #expect(bytes.withUnsafeBytes { blob.equals(reference, $0) })
      var other = bytes + [1]
      #expect(!other.withUnsafeBytes { blob.equals(reference, $0) })
      other.removeLast(min(2, other.count))
      if other != bytes { #expect(!other.withUnsafeBytes { blob.equals(reference, $0) }) }
    }
  }

  @Test func stringsThatFillAPageExactlyDoNotTouchTheNext() {
    let pool = PagePool()
    var blob = PagedBlob(pool)
    var model: [(UInt64, [UInt8])] = []
    for i in 0..<3_000 {
      // 63 bytes and a length are 64; the first page begins at 1, so its last string goes to the second.
      let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: i), count: 63)
      model.append((bytes.withUnsafeBytes { blob.append($0) }, bytes))
    }
    #expect(!model.contains { !blob.read($0.0).elementsEqual($0.1) })
  }

  @Test func memoryGoesBackToThePoolAndIsUsedAgain() {
    var pool = PagePool()
    do {
      var array = PagedArray<TestRecord>(pool)
      for i in 0..<100_000 { array.append(TestRecord(UInt64(i), 1)) }
      #expect(pool.usedByteCount == 147 * pageByteCount)
    }
    #expect(pool.usedByteCount == 0)
    #expect(pool.spareByteCount == 147 * pageByteCount)
    #expect(pool.trim(pages: 40, spare: 100) == 40)
    #expect(pool.trim(pages: 40, spare: 100) == 7)
    #expect(pool.trim(pages: 40, spare: 100) == 0)
    #expect(pool.spareByteCount == 100 * pageByteCount)
    // Both kinds of free page come back as zeros: the index would hold ghosts otherwise.
    var index = HashIndex(pool)
    for i in 1...150_000 as ClosedRange<UInt32> { index.insert(UInt64(i), i) }
    #expect(!(1...150_000 as ClosedRange<UInt32>).contains { i in index.find(UInt64(i)) { $0 == i } != i })
  }

  @Test func preparingMemoryChangesNothingInIt() {
    var pool = PagePool()
    var array = PagedArray<TestRecord>(pool)
    var preparations = 0
    for i in 0..<900_000 {
      array.append(TestRecord(UInt64(i), 3))
      guard i % 1_000 == 0, let preparation = pool.takePreparation() else { continue }
      preparations += 1
      preparation.run()
    }
    #expect(preparations > 1)
    #expect(pool.takePreparation() == nil)
    #expect(!(0..<900_000).contains { array[$0] != TestRecord(UInt64($0), 3) })
  }
}
