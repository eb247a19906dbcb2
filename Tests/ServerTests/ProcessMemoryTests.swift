import Testing

@testable import Server

@Suite struct ProcessMemoryTests {
  /// How long after a look the next one is due.
  private func interval(limit: UInt64) -> UInt64? {
    var memory = ProcessMemory(limit: limit, now: 1_000_000)
    guard memory.look(at: 1_000_000) != nil else { return nil }
    for time in stride(from: UInt64(1_000_001), through: 1_200_000, by: 1) where memory.look(at: time) != nil {
      return time - 1_000_000
    }
    return nil
  }

  @Test func memoryIsLookedAtEachTickOnceMuchIsUsed() {
    #expect(interval(limit: 1) == LoopOptions.tickInterval)
    #expect(interval(limit: 1 << 60) == LoopOptions.memoryInterval)
  }
  @Test func memoryIsGivenBackOnceSoMuchWasFreedAndThenCountsAnew() {
    var memory = ProcessMemory(limit: nil, now: 0)
    memory.freed(LoopOptions.trimBytes - 1)
    let before = memory.takeTrim()
    memory.freed(1)
    let first = memory.takeTrim()
    let second = memory.takeTrim()
    #expect(!before && first && !second)
  }
}
