import Base
import Storage

/// Which entry each replica is just applying, in memory that outlives the process: the file `applying`. Whoever starts
/// next reads from it at which entry the process died, if it died by a trap, and how often it has died there: an entry
/// that traps would otherwise trap again at each start, on every replica, for ever.
///
///     header   magic u64 "TALLYAPP" | version u32 | trap u32: the signal by which the process ended, or 0 | build u64
///              | zeros to 64
///     slot     of shard s at 64 × (s + 1):
///              index u64: the entry being applied, or 0 | term u64 | place u32: of the command in it
///              | query u32: not 0 while a query is evaluated | the last death: index u64 | term u64 | place u32 | deaths u32
///              | crc u32 (of these 24 bytes) | zeros to 64
///
/// No store here is followed by a sync, but for deaths, which are rare. Slots belong to their shards' replicas: two threads
/// never store in one. `trap` is stored by a signal handler.
public final class ApplyingNote: @unchecked Sendable {
  // Unchecked: see above.
  private let memory: any MappedFile
  private let base: UnsafeMutableRawPointer

  /// So many deaths at one entry take its replica out.
  static let deathLimit: UInt32 = 2
  private static let magic: UInt64 = 0x5050_4159_4C4C_4154  // "TALLYAPP"
  private static let version: UInt32 = 1
  private static let slotBytes = 64
  /// Shards above this number are not noted.
  static let shardLimit = 4095
  package static let byteCount = (shardLimit + 2) * slotBytes

  private enum Header {
    static let version = 8
    static let trap = 12
    static let build = 16
  }
  private enum Place {
    static let index = 0
    static let term = 8
    static let place = 16
    static let query = 20
    static let death = 24
    static let deaths = 44
    static let crc = 48
  }

  /// The entry at which the process died last, while this shard's replica applied it.
  package struct Death: Hashable, Sendable {
    var index: LogIndex
    var term: Term
    /// Of the command in the entry: from 0.
    var place: UInt32
    var count: UInt32
    var isPoison: Bool { count >= ApplyingNote.deathLimit }
  }

  /// - Parameter memory: at least `byteCount` bytes.
  package init(_ memory: any MappedFile) {
    self.memory = memory
    guard memory.bytes.count >= ApplyingNote.byteCount, let base = memory.bytes.baseAddress else {
      preconditionFailure("the note has its size")
    }
    self.base = base
    guard load(0) as UInt64 != ApplyingNote.magic || load(Header.version) as UInt32 != ApplyingNote.version else {
      return
    }
    // Never begun, or not what was written, or of another version: no more is lost than what it knew of deaths.
    memory.bytes.initializeMemory(as: UInt8.self, repeating: 0)
    store(ApplyingNote.magic, 0)
    store(ApplyingNote.version, Header.version)
  }

  /// Where a signal handler stores the number of the signal that ends the process. One store, safe at any time.
  public var trap: UnsafeMutablePointer<UInt32> {
    (base + Header.trap).bindMemory(to: UInt32.self, capacity: 1)
  }

  // MARK: While entries are applied

  @inline(__always)
  func begin(_ shard: ShardID, _ index: LogIndex, _ term: Term, place: Int) {
    guard let slot = slot(of: shard) else { return }
    store(term.rawValue, slot + Place.term)
    store(UInt32(truncatingIfNeeded: place), slot + Place.place)
    store(index.rawValue, slot + Place.index)
  }
  @inline(__always)
  func reach(_ shard: ShardID, place: Int) {
    guard let slot = slot(of: shard) else { return }
    store(UInt32(truncatingIfNeeded: place), slot + Place.place)
  }
  @inline(__always)
  func end(_ shard: ShardID) {
    guard let slot = slot(of: shard) else { return }
    store(0 as UInt64, slot + Place.index)
  }
  /// A query: what traps in it is not the entry's fault.
  @inline(__always)
  func setQuery(_ shard: ShardID, _ isUnderWay: Bool) {
    guard let slot = slot(of: shard) else { return }
    store((isUnderWay ? 1 : 0) as UInt32, slot + Place.query)
  }

  // MARK: Deaths

  /// Called once, when a process starts: counts how the last one ended, and begins anew. Nothing but a trap counts: a
  /// process that was killed, or whose machine lost its power, says nothing of the entry. Durable when it returns.
  /// - Parameter build: which program this is. Another one than that in which the deaths were tries such an entry again
  ///   once.
  package func takeDeaths(build: UInt64) throws -> [ShardID: Death] {
    let isTrap = trap.pointee != 0
    let isOtherBuild = load(Header.build) as UInt64 != build
    var deaths: [ShardID: Death] = [:]
    for number in 0...ApplyingNote.shardLimit {
      let shard = ShardID(UInt32(number))
      guard let slot = slot(of: shard) else { continue }
      let index = LogIndex(load(slot + Place.index))
      var death = self.death(slot)
      if isTrap, index != LogIndex(0), load(slot + Place.query) as UInt32 == 0 {
        let term = Term(load(slot + Place.term))
        let before = death.map { $0.index == index && $0.term == term ? $0.count : 0 } ?? 0
        death = Death(index: index, term: term, place: load(slot + Place.place), count: before &+ 1)
      }
      if isOtherBuild, let known = death, known.isPoison { death?.count = ApplyingNote.deathLimit - 1 }
      store(0 as UInt64, slot + Place.index)
      store(0 as UInt32, slot + Place.query)
      guard let death else { continue }
      set(death, slot)
      deaths[shard] = death
    }
    store(build, Header.build)
    trap.pointee = 0
    try memory.sync()
    return deaths
  }
  /// The entry is to be tried once more.
  func retry(_ shard: ShardID) throws {
    guard let slot = slot(of: shard), var death = death(slot) else { return }
    death.count = ApplyingNote.deathLimit - 1
    set(death, slot)
    try memory.sync()
  }
  /// The entry was applied, or is not needed any more.
  func forget(_ shard: ShardID) {
    guard let slot = slot(of: shard) else { return }
    (base + slot + Place.death).initializeMemory(as: UInt8.self, repeating: 0, count: 28)
    // If this fails the entry counts as one that has been tried, which does no harm.
    try? memory.sync()
  }

  /// At which entry of the shard processes have died, of those that have yet to be applied here.
  func death(of shard: ShardID) -> Death? { slot(of: shard).flatMap { death($0) } }

  private func death(_ slot: Int) -> Death? {
    let count = load(slot + Place.deaths) as UInt32
    guard count > 0, load(slot + Place.crc) as UInt32 == checksum(slot) else { return nil }
    return Death(
      index: LogIndex(load(slot + Place.death)), term: Term(load(slot + Place.death + 8)),
      place: load(slot + Place.death + 16), count: count)
  }
  private func set(_ death: Death, _ slot: Int) {
    store(death.index.rawValue, slot + Place.death)
    store(death.term.rawValue, slot + Place.death + 8)
    store(death.place, slot + Place.death + 16)
    store(death.count, slot + Place.deaths)
    store(checksum(slot), slot + Place.crc)
  }
  private func checksum(_ slot: Int) -> UInt32 {
    CRC32C.checksum(UnsafeRawBufferPointer(start: base + slot + Place.death, count: 24))
  }

  // MARK: Bytes

  @inline(__always)
  private func slot(of shard: ShardID) -> Int? {
    shard.rawValue <= UInt32(ApplyingNote.shardLimit) ? (Int(shard.rawValue) + 1) * ApplyingNote.slotBytes : nil
  }
  @inline(__always)
  private func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> T {
    T(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: T.self))
  }
  @inline(__always)
  private func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, _ offset: Int) {
    base.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}
