import Base
import Testing

@Suite struct SlotRangesTests {
  @Test func itHasTheSlotsOfItsRuns() throws {
    let some = try #require(SlotRanges([5..<6, 100..<200, 16_000..<16_384]))
    for (slot, isIn) in [
      (0, false), (4, false), (5, true), (6, false), (99, false), (100, true), (199, true), (200, false),
      (15_999, false), (16_000, true), (16_383, true),
    ] {
      #expect(some.contains(Slot(UInt16(slot))) == isIn, "\(slot)")
    }
    #expect(some.first == Slot(5) && "\(some)" == "5-5,100-199,16000-16383")
    #expect(SlotRanges.all.contains(Slot(0)) && SlotRanges.all.contains(Slot(16_383)))
    #expect(!SlotRanges.none.contains(Slot(0)) && SlotRanges.none.isEmpty && SlotRanges.none.first == nil)
  }

  @Test func runsAreInOrderApartAndFew() {
    #expect(SlotRanges([4..<4]) == nil && SlotRanges([0..<16_385]) == nil && SlotRanges([-1..<2]) == nil)
    #expect(SlotRanges([4..<8, 8..<9]) == nil, "they touch")
    #expect(SlotRanges([8..<9, 4..<6]) == nil && SlotRanges([4..<8, 6..<9]) == nil)
    let many = (0..<8).map { $0 * 10..<$0 * 10 + 5 }
    #expect(SlotRanges(many)?.ranges == many && SlotRanges(many + [200..<201]) == nil)
  }

  @Test func bytesGiveTheSameBack() throws {
    for ranges in [[], [0..<16_384], [1..<2, 3..<4], (0..<8).map { $0 * 10..<$0 * 10 + 5 }] {
      let slots = try #require(SlotRanges(ranges))
      var buffer = ByteBuffer()
      slots.encode(into: &buffer)
      var reader = ByteReader(buffer.bytes)
      #expect(try SlotRanges(decoding: &reader) == slots && reader.isAtEnd && slots.isWellFormed)
    }
    for bytes: [UInt8] in [[1, 0, 0, 0, 0], [1, 9, 0, 8, 0], [2, 0, 0, 8, 0, 8, 0, 9, 0], [9], [1, 0, 0, 1, 64]] {
      #expect(throws: MalformedBytes.self) {
        try bytes.withUnsafeBytes {
          var reader = ByteReader($0)
          _ = try SlotRanges(decoding: &reader)
        }
      }
    }
  }
}
