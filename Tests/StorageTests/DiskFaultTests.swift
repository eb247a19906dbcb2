import Testing

@testable import Storage

/// The disk that a simulator plays fails as it is told to, and no worse.
@Suite struct DiskFaultTests {
  let disk = MemoryFileSystem()

  private func file(_ path: String, _ bytes: [UInt8]) throws -> any File {
    let file = try disk.open(path, create: true)
    try write(bytes, to: file, at: 0)
    try file.sync()
    try disk.syncDirectory(".")
    return file
  }
  private func write(_ bytes: [UInt8], to file: any File, at offset: UInt64) throws(StorageError) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    try file.write(UnsafeRawBufferPointer(buffer), at: offset)
  }
  private func sectors(_ values: UInt8...) -> [UInt8] { values.flatMap { [UInt8](repeating: $0, count: 4096) } }
  private func error(_ body: () throws(StorageError) -> Void) -> StorageError? {
    do throws(StorageError) { try body() } catch { return error }
    return nil
  }

  @Test func aLostWriteIsAcknowledgedAndNeverThere() throws {
    let file = try file("a", sectors(1, 1))
    disk.failWrite(after: 1, to: "a", .lost)
    try write(sectors(2), to: file, at: 0)
    try write(sectors(3), to: file, at: 4096)
    try file.sync()
    #expect(disk.contents("a") == sectors(2, 1))
    disk.crash(.everything)
    #expect(disk.contents("a") == sectors(2, 1))
    #expect(disk.struckFaults == ["lost write of 4096 bytes at 4096 of a"])
  }

  @Test func aLostWriteThatGrowsAFileLeavesZeros() throws {
    let file = try file("a", sectors(1))
    disk.failWrite(after: 0, .lost)
    try write(sectors(2), to: file, at: 4096)
    #expect(disk.contents("a") == sectors(1, 0))
  }

  @Test func aMisdirectedWriteLandsElsewhere() throws {
    let file = try file("a", sectors(1, 1, 1))
    _ = try self.file("b", sectors(9))
    disk.failWrite(after: 0, to: "a", .misdirected(to: nil, sector: 2))
    try write(sectors(2), to: file, at: 0)
    #expect(disk.contents("a") == sectors(1, 1, 2))
    // Another file: as far as it goes, and on the disk at once, whatever is synced.
    disk.failWrite(after: 0, to: "a", .misdirected(to: "b", sector: 0))
    try write(sectors(3, 4), to: file, at: 0)
    disk.crash(.nothing)
    #expect(disk.contents("b") == sectors(3))
    #expect(disk.contents("a") == sectors(1, 1, 2))
  }

  @Test func aReadOrWriteFailsOnce() throws {
    let file = try file("a", sectors(1))
    disk.failWrite(after: 0, to: "a", .failed)
    disk.failRead(after: 1, of: "a")
    #expect(error { () throws(StorageError) in try write(sectors(2), to: file, at: 0) }?.errno == 5)
    #expect(disk.contents("a") == sectors(1))
    try write(sectors(2), to: file, at: 0)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16, alignment: 8)
    defer { buffer.deallocate() }
    #expect(try file.read(into: buffer, at: 0) == 16)
    #expect(error { () throws(StorageError) in _ = try file.read(into: buffer, at: 0) }?.errno == 5)
    #expect(try file.read(into: buffer, at: 0) == 16)
  }

  @Test func aDurableWriteThatFailsIsFatal() throws {
    let file = try file("a", sectors(1))
    disk.failWrite(after: 0, .failed)
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 4096)
    bytes.initializeMemory(as: UInt8.self, repeating: 2)
    defer { bytes.deallocate() }
    let failure = error { () throws(StorageError) in try file.writeDurably(UnsafeRawBufferPointer(bytes), at: 0) }
    #expect(failure?.isFatal == true)
    disk.setCapacity(4096)
    let full = error { () throws(StorageError) in try file.writeDurably(UnsafeRawBufferPointer(bytes), at: 4096) }
    #expect(full?.kind == .noSpace)
  }

  @Test func plannedFaultsOutliveACrashAndMayBeCancelled() throws {
    _ = try file("a", sectors(1))
    disk.failWrite(after: 0, to: "a", .lost)
    disk.crash(.everything)
    let file = try disk.open("a", create: false)
    try write(sectors(2), to: file, at: 0)
    #expect(disk.contents("a") == sectors(1))
    disk.failWrite(after: 0, to: "a", .lost)
    disk.cancelFaults()
    try write(sectors(2), to: file, at: 0)
    #expect(disk.contents("a") == sectors(2))
  }

  @Test func rotIsDurableAndStaysInItsRange() throws {
    let file = try file("a", sectors(0, 0, 0))
    try write(sectors(0), to: file, at: 4096)
    disk.rot("a", 4096..<8192, bits: 3, seed: 7)
    let rotten = try #require(disk.contents("a"))
    #expect(rotten != sectors(0, 0, 0))
    #expect(rotten[..<4096].allSatisfy { $0 == 0 } && rotten[8192...].allSatisfy { $0 == 0 })
    disk.crash(.nothing)
    #expect(disk.contents("a") == rotten)
    disk.setContents("a", sectors(5, 6, 7))
    disk.zeroSector("a", sector: 1)
    #expect(disk.contents("a") == sectors(5, 0, 7))
    #expect(disk.files == [.init(path: "a", bytes: 12288)])
    disk.rot("a", 20000..<30000, bits: 3, seed: 7)
    disk.zeroSector("a", sector: 99)
    #expect(disk.contents("a") == sectors(5, 0, 7))
  }

  @Test func theSameSeedRotsTheSameBits() throws {
    for path in ["a", "b"] { _ = try file(path, sectors(0, 0)) }
    for path in ["a", "b"] { disk.rot(path, 0..<8192, bits: 5, seed: 3) }
    #expect(disk.contents("a") == disk.contents("b"))
  }

  @Test func aWipedDiskIsEmptyAndItsHandlesAreDead() throws {
    try disk.createDirectory("data")
    let file = try file("data/a", sectors(1))
    let lock = try disk.lock("data/lock")
    disk.wipe()
    #expect(disk.files.isEmpty)
    #expect(try !disk.exists("data"))
    #expect(error { () throws(StorageError) in try write(sectors(1), to: file, at: 0) }?.isFatal == true)
    try disk.createDirectory("data")
    _ = try disk.lock("data/lock")
    lock.unlock()
    disk.crash(.everything)
    #expect(disk.files.isEmpty)
  }

  @Test func usedBytesFollowGrowthRenamesAndRemovals() throws {
    disk.setCapacity(40_960)
    func free() throws -> UInt64 { try disk.freeBytes(".") }
    let file = try file("a", sectors(1, 1, 1))
    #expect(try free() == 40_960 - 12_288)
    _ = try self.file("b", sectors(2))
    try file.truncate(4096)
    #expect(try free() == 40_960 - 8192)
    try disk.rename("a", to: "b")
    #expect(try free() == 40_960 - 4096)
    #expect(error { () throws(StorageError) in try file.preallocate(50_000) }?.kind == .noSpace)
    disk.crash(.nothing)
    // The rename is undone, the bytes are what was synced.
    #expect(try free() == 40_960 - 12_288 - 4096)
    try disk.remove("a")
    try disk.remove("b")
    #expect(try free() == 40_960)
  }

  @Test func manySmallWritesRememberOnlySectorsTouched() throws {
    let file = try file("log", [UInt8](repeating: 0, count: 1 << 20))
    for i in 0..<2000 { try write([UInt8(truncatingIfNeeded: i)], to: file, at: UInt64(i % 3 * 4096 + i)) }
    #expect(disk.rememberedSectors("log") == 3)
    try file.sync()
    #expect(disk.rememberedSectors("log") == 0)
  }

  /// A file that was renamed twice since its folder was synced has one of its names after a crash, as on any file system that
  /// keeps the order of names.
  @Test(arguments: 0..<32) func aFileHasOneNameAfterACrash(seed: UInt64) throws {
    let disk = MemoryFileSystem()
    try disk.createDirectory("/d")
    let file = try disk.open("/d/a", create: true)
    try file.sync()
    try disk.syncDirectory("/d")
    try disk.rename("/d/a", to: "/d/b")
    try disk.rename("/d/b", to: "/d/c")
    disk.crash(.some(seed: seed))
    #expect(try disk.list("/d").count == 1)
  }
}
