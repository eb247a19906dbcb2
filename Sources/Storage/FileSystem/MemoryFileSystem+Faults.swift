import Base
import Synchronization

/// How a disk is made to fail: all of it planned, so that the same plan and the same calls give the same damage.
extension MemoryFileSystem {
  /// What a crash leaves of everything that was not synced.
  public enum Survivors: Sendable {
    case nothing
    case everything
    /// A subset drawn by this seed.
    case some(seed: UInt64)
  }

  // MARK: Power, space and syncs

  /// Changes to the disk so far: writes, syncs, names made, renamed and removed.
  public var steps: Int { gate.withLock { _ in stepCount } }
  /// The change after the next `steps` ones may or may not reach the disk; it and all later calls throw, until `crash`.
  public func cutPower(afterSteps steps: Int?) { gate.withLock { _ in stepsUntilPowerCut = steps } }
  /// The power is cut: nothing works until `crash`.
  public var isPowerOut: Bool { gate.withLock { _ in isPowerCut } }
  /// The power is going to be cut.
  public var isArmed: Bool { gate.withLock { _ in stepsUntilPowerCut != nil } }
  /// Bytes of all files.
  public var usedByteCount: UInt64 { gate.withLock { _ in usedBytes } }
  /// After `syncs` more, one sync of a file fails. As in Linux, its pages stay readable and count as clean, though they
  /// never reached the disk.
  public func failSync(after syncs: Int) { gate.withLock { _ in syncsUntilFailure = syncs } }
  /// The disk is full once its files have this many bytes together.
  public func setCapacity(_ bytes: UInt64) { gate.withLock { _ in capacity = bytes } }
  /// No file can be opened while so many are, whoever has them; nil: no bound.
  public func limitOpenFiles(to count: Int?) { gate.withLock { _ in openFilesMax = count ?? .max } }
  /// Files that the present process has open.
  public var openFileCount: Int { gate.withLock { _ in openFiles } }
  /// Power is lost and comes back: handles and locks are dead, what was synced is there, and of the rest `survivors`.
  /// Faults that were planned and have not struck stay planned. Cost: the files' number, and what was not synced.
  public func crash(_ survivors: Survivors) {
    gate.withLock { _ in
      bringNewestHome()
      var choice = Choice(survivors)
      for change in pending where choice.flip() && MemoryFileSystem.follows(change, durableNames) {
        MemoryFileSystem.apply(change, to: &durableNames)
      }
      for inode in names.values { inode.isNamed = false }
      names = durableNames
      for path in names.keys.sorted() { names[path]?.crash(&choice) }
      crashMappings(&choice)
      restart()
    }
  }
  /// The process that used it is gone, and the machine runs on: handles and locks are dead; what was written and not synced
  /// is there, and is not on the disk yet. Power that is out, or going to be, needs a `crash`.
  public func endProcess() {
    gate.withLock { _ in
      precondition(!isPowerCut && stepsUntilPowerCut == nil, "the machine runs on")
      bringNewestHome()
      locks = []
      generation += 1
      openFiles = 0
      shortages = 0
      syncsUntilFailure = nil
    }
  }
  /// The disk is replaced by an empty one: every file, folder, lock and handle is gone.
  public func wipe() {
    gate.withLock { _ in
      for inode in names.values { inode.isNamed = false }
      names = [:]
      durableNames = [:]
      folders = MemoryFileSystem.roots
      mappings = [:]
      restart()
    }
  }
  private func restart() {
    pending = []
    locks = []
    generation += 1
    openFiles = 0
    shortages = 0
    isPowerCut = false
    stepsUntilPowerCut = nil
    syncsUntilFailure = nil
    count()
  }

  // MARK: Looking

  /// A file, for whoever chooses what to damage.
  public struct FileEntry: Hashable, Sendable {
    public var path: String
    public var bytes: Int
  }
  /// Every file's path, sorted.
  public var paths: [String] { gate.withLock { _ in names.keys.sorted() } }
  /// Every file with its size, sorted by path.
  public var files: [FileEntry] {
    gate.withLock { _ in
      names.map { FileEntry(path: $0.key, bytes: $0.value.data.count) }.sorted { $0.path < $1.path }
    }
  }
  /// A file's bytes, as a reader sees them now.
  public func contents(_ path: String) -> [UInt8]? { gate.withLock { _ in names[path]?.data } }
  /// What planned faults have done so far, a line each.
  public var struckFaults: [String] { gate.withLock { _ in struck } }

  // MARK: The newest write

  /// Writes to files of some kind, and whether a later one vouches for them.
  struct NewestWrite {
    var suffix: String
    var path = ""
    var range = 0..<0
    /// Writes that were acknowledged and did not reach their place, until a later one is durable.
    var astray: [(inode: MemoryInode, at: Range<Int>, bytes: [UInt8], isFollowed: Bool)] = []
  }
  /// From now on the newest write to a file whose path ends in `suffix` is not lost for good: if it was lost or led astray
  /// and none that followed is durable at the next crash, it is in its place after it. Nobody could tell it from one that
  /// the crash tore.
  public func spareNewestWrite(to suffix: String) { gate.withLock { _ in newest = NewestWrite(suffix: suffix) } }
  /// Where the newest of these writes went.
  public var newestWrite: (path: String, range: Range<Int>)? {
    gate.withLock { _ in newest.map { ($0.path, $0.range) } }
  }
  /// The gate is held, here and below.
  func noteNewest(
    _ path: String, _ inode: MemoryInode, _ offset: Int, _ bytes: UnsafeRawBufferPointer, isAstray: Bool
  ) {
    guard let suffix = newest?.suffix, path.hasSuffix(suffix) else { return }
    let range = offset..<offset + bytes.count
    newest?.path = path
    newest?.range = range
    if isAstray {
      newest?.astray.append((inode, range, Array(bytes), false))
    } else if let count = newest?.astray.count, count > 0 {
      for i in 0..<count { newest?.astray[i].isFollowed = true }
    }
  }
  func noteSync(_ path: String) {
    guard let known = newest, !known.astray.isEmpty, path.hasSuffix(known.suffix) else { return }
    newest?.astray.removeAll(where: \.isFollowed)
  }
  private func bringNewestHome() {
    for (inode, range, bytes, _) in newest?.astray ?? [] { inode.damage(range) { i, _ in bytes[i] } }
    newest?.astray = []
  }

  // MARK: Rot

  /// Replaces a file's bytes, durably: rot, or another program's work.
  public func setContents(_ path: String, _ bytes: [UInt8]) {
    gate.withLock { _ in
      let inode = names[path] ?? MemoryInode()
      inode.data = bytes
      inode.becomeDurable()
      names[path] = inode
      durableNames[path] = inode
      count()
    }
  }
  /// Flips one bit of a file, durably. Bit 0 is the lowest bit of the first byte; beyond the file's end nothing happens.
  public func flipBit(_ path: String, bit: Int) {
    gate.withLock { _ in names[path]?.damage(bit / 8..<bit / 8 + 1) { _, byte in byte ^ 1 << UInt8(bit % 8) } }
  }
  /// Flips `bits` bits within a range of a file's bytes, drawn by a seed (one may be drawn twice). Durable.
  public func rot(_ path: String, _ range: Range<Int>, bits: Int, seed: UInt64) {
    gate.withLock { _ in
      guard let inode = names[path] else { return }
      let range = range.clamped(to: 0..<inode.data.count)
      guard !range.isEmpty else { return }
      var random = SeededGenerator(seed: seed)
      for _ in 0..<bits {
        let at = range.lowerBound + Int(random.next() % UInt64(range.count))
        let bit = UInt8(1) << UInt8(random.next() % 8)
        inode.damage(at..<at + 1) { _, byte in byte ^ bit }
      }
    }
  }
  /// Makes a 4 KiB sector of a file all zeros, durably.
  public func zeroSector(_ path: String, sector: Int) {
    let start = sector * MemoryInode.sectorBytes
    gate.withLock { _ in names[path]?.damage(start..<start + MemoryInode.sectorBytes) { _, _ in 0 } }
  }

  // MARK: Faults of one call

  /// What happens to one write.
  public enum WriteFault: Hashable, Sendable {
    /// It is acknowledged and never reaches the disk: the old bytes stay, zeros where the file grew. No sync tells.
    case lost
    /// It is acknowledged, and reaches another sector of the same file, or of `path`; only as far as that file goes.
    case misdirected(to: String?, sector: Int)
    /// It fails with EIO, and nothing of it reaches the disk.
    case failed
  }
  struct PlannedFault {
    /// Files whose path ends so.
    var suffix: String
    var callsLeft: Int
    /// Nil: a read that fails.
    var write: WriteFault?
  }
  /// Plans what happens to a write to a file whose path ends in `suffix`, after `writes` more of these.
  public func failWrite(after writes: Int, to suffix: String = "", _ fault: WriteFault) {
    gate.withLock { _ in plannedFaults.append(PlannedFault(suffix: suffix, callsLeft: writes, write: fault)) }
  }
  /// Plans that a read of a file whose path ends in `suffix` fails with EIO, after `reads` more of these.
  public func failRead(after reads: Int, of suffix: String = "") {
    gate.withLock { _ in plannedFaults.append(PlannedFault(suffix: suffix, callsLeft: reads, write: nil)) }
  }
  /// Forgets what was planned for reads and writes and has not struck.
  public func cancelFaults() { gate.withLock { _ in plannedFaults = [] } }

  /// The fault that is due at this call, if any. The gate is held.
  func strike(_ path: String, isWrite: Bool) -> PlannedFault? {
    var due: PlannedFault?
    var dueAt = 0
    for i in plannedFaults.indices
    where (plannedFaults[i].write != nil) == isWrite && path.hasSuffix(plannedFaults[i].suffix) {
      if plannedFaults[i].callsLeft <= 0 && due == nil {
        due = plannedFaults[i]
        dueAt = i
      } else if plannedFaults[i].callsLeft > 0 {
        plannedFaults[i].callsLeft -= 1
      }
    }
    if due != nil { plannedFaults.remove(at: dueAt) }
    return due
  }

  // MARK: Chance

  /// Draws what survives.
  struct Choice {
    private let survivors: Survivors
    private var generator: SeededGenerator
    init(_ survivors: Survivors) {
      self.survivors = survivors
      if case .some(let seed) = survivors {
        generator = SeededGenerator(seed: seed)
      } else {
        generator = SeededGenerator(seed: 0)
      }
    }
    mutating func flip() -> Bool { below(2) == 1 }
    /// A number from 0 to `n` - 1: the last for `everything`, the first for `nothing`.
    mutating func below(_ n: Int) -> Int {
      switch survivors {
      case .nothing: 0
      case .everything: n - 1
      case .some: Int(generator.next() % UInt64(n))
      }
    }
  }
}

extension MemoryFileSystem {
  /// Another disk with the files as they can be read now, all durable: what `cp -r` makes of a directory.
  public func copy() -> MemoryFileSystem {
    let other = MemoryFileSystem()
    gate.withLock { _ in
      for (path, inode) in names {
        let twin = MemoryInode()
        twin.data = inode.data
        twin.isNamed = true
        twin.becomeDurable()
        other.names[path] = twin
      }
      other.durableNames = other.names
      other.folders = folders
      other.usedBytes = usedBytes
    }
    return other
  }
}
