import Testing

@testable import Cluster

/// Why a command is refused where room is short.
@Suite struct SheddingReasonsTests {
  @Test func whatGrowsIsRefusedFirst() {
    let none = SheddingReasons()
    #expect(!none.isAny && none.reason { true } == nil)
    let growing = SheddingReasons(growing: "memory")
    #expect(growing.isAny && growing.reason { true } == "memory" && growing.reason { false } == nil)
    let all = SheddingReasons(all: "disk", growing: "memory")
    #expect(all.isAny && all.reason { true } == "disk" && all.reason { false } == "disk")
    #expect(SheddingReasons(all: "disk").isAny)
  }
}
