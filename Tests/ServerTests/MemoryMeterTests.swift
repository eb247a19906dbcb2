import Cluster
import Testing

@testable import Server

@Suite struct MemoryMeterTests {
  @Test func theSystemsFiguresAreRead() {
    let pages = MemoryMeter.pages(of: Array("81920 20480 1024 12 0 40960 0\n".utf8)[...])
    #expect(pages?.size == 81920 && pages?.resident == 20480 && pages?.shared == 1024 && pages?.data == 40960)
    #expect(
      MemoryMeter.pages(of: Array("1 2 3".utf8)[...]) == nil
        && MemoryMeter.pages(of: Array("a b c d e f".utf8)[...]) == nil)
  }

  @Test func theLimitsOfAllControlGroupsCount() {
    #expect(MemoryMeter.files(ofGroups: "0::/\n") == ["/sys/fs/cgroup/memory.max"])
    #expect(
      MemoryMeter.files(ofGroups: "0::/system.slice/tally.service\n") == [
        "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/system.slice/memory.max",
        "/sys/fs/cgroup/system.slice/tally.service/memory.max",
      ])
    #expect(
      MemoryMeter.files(ofGroups: "5:cpu:/a\n4:memory,hugetlb:/docker/x\n") == [
        "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes",
      ])
    #expect(MemoryMeter.bytes(of: "max\n") == nil && MemoryMeter.bytes(of: "1048576\n") == 1_048_576)
  }

  @Test func theNearestBoundIsTold() throws {
    let bounds = [
      MemoryUsage(used: 10, limit: 100), MemoryUsage(used: 5, limit: 10), MemoryUsage(used: 1_000, limit: .max),
    ]
    #expect(MemoryMeter.nearest(bounds) == bounds[1])
    let meter = MemoryMeter(limit: 1 << 20)
    // Other tests of this process allocate and free meanwhile: only the block that is held here is sure to be counted.
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 20, alignment: 4096)
    defer { block.deallocate() }
    block.initializeMemory(as: UInt8.self, repeating: 1)
    let measured = meter.measure()
    let usage = try #require(measured)
    #expect(usage.limit == 1 << 20 && usage.used >= 256 << 20)
  }
}
