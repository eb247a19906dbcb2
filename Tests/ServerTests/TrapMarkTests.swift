import Glibc
import Testing

@testable import Server

/// Word of how a process ended, in memory that outlives it.
@Suite struct TrapMarkTests {
  /// The word in a file, mapped. A child finds it by its parent's number.
  private static func word(of process: Int32) throws -> UnsafeMutablePointer<UInt32> {
    let descriptor = open("/tmp/tally-trap-\(process)", O_RDWR | O_CREAT, 0o600)
    try #require(descriptor >= 0 && ftruncate(descriptor, 4096) == 0)
    let base = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
    close(descriptor)
    return try #require(base).bindMemory(to: UInt32.self, capacity: 1)
  }

  @Test func aTrapLeavesItsSignal() async throws {
    let word = try TrapMarkTests.word(of: getpid())
    defer { unlink("/tmp/tally-trap-\(getpid())") }
    word.pointee = 0
    await #expect(processExitsWith: .failure) {
      TrapMark.install(at: try TrapMarkTests.word(of: getppid()))
      let none: [Int] = []
      exit(Int32(none[Int(getpid())]))
    }
    #expect([UInt32(SIGILL), UInt32(SIGTRAP)].contains(word.pointee), "\(word.pointee)")
    // A signal that somebody sends ends the process as well, and says nothing of what it did.
    word.pointee = 0
    await #expect(processExitsWith: .signal(SIGSEGV)) {
      TrapMark.install(at: try TrapMarkTests.word(of: getppid()))
      kill(getpid(), SIGSEGV)
      sleep(10)
    }
    #expect(word.pointee == 0)
  }
}
