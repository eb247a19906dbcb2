import Synchronization

/// A segment's file, with its header written and durable.
struct Segment: Sendable {
  var number: UInt64
  var path: String
  var file: any File
  var byteCount: Int
  /// Where the last batch ends, once the segment is no longer written.
  var end = LogFormat.blockBytes
  /// The number of its first batch; 0 if there is none.
  var firstBatch: UInt64 = 0
}

/// Where segments come from and go to: makes the next one ready in the background, from a recycled file where there is
/// one. A segment that is given back is overwritten with zeros, a piece after the other, and synced, before its file is used
/// again or removed: what was in it is gone from the disk some seconds later.
///
/// A number is given to one segment only, and numbers are used in the order in which they were given. A file gets a new
/// number by a durable rename first, then a durable header: at every moment a file's name, header and records tell
/// whether they belong together.
final class SegmentPool: Sendable {
  private struct State {
    var ready: [Segment] = []
    /// Given back, and not overwritten yet, oldest first. Number 0: it is set aside under a temporary name.
    var retired: [Segment] = []
    /// How much of the first of these is overwritten.
    var wiped = 0
    /// Zeros, durably, under temporary names: number 0.
    var clean: [Segment] = []
    var nextNumber: UInt64
  }
  /// What a call of `prepare` overwrites at most, in bytes, with one sync.
  private static let wipeBytes = 8 << 20
  private static let freedPrefix = "freed-"
  private let directory: String
  private let fileSystem: any FileSystem
  private let segmentBytes: Int
  private let state: Mutex<State>
  /// Held while a segment is made: whoever needs one meanwhile waits for that one.
  private let making = Mutex(())
  /// How far the log has written the segment that it is at.
  private let used = Atomic<Int>(0)

  init(directory: String, fileSystem: any FileSystem, segmentBytes: Int, nextNumber: UInt64) {
    self.directory = directory
    self.fileSystem = fileSystem
    self.segmentBytes = segmentBytes
    self.state = Mutex(State(nextNumber: nextNumber))
  }

  static func name(_ number: UInt64) -> String { hexadecimal(number, digits: 16) + ".wal" }
  static func number(_ name: String) -> UInt64? {
    guard name.hasSuffix(".wal"), name.utf8.count == 20 else { return nil }
    return UInt64(name.dropLast(4), radix: 16)
  }

  /// Bytes of the files that hold no records.
  var spareBytes: UInt64 {
    state.withLock { state in (state.ready + state.retired + state.clean).reduce(0) { $0 + UInt64($1.byteCount) } }
  }

  /// Gives back a segment that nobody needs. Segments come oldest first.
  func retire(_ segment: Segment) { state.withLock { $0.retired.append(segment) } }

  /// How far the log has come in the segment that it is at, in bytes: the next one keeps ahead of it. From any thread.
  func noteUsed(_ byteCount: Int) { used.store(byteCount, ordering: .relaxed) }

  /// Whether a file was set aside to be overwritten: a start goes on with that.
  static func isFreed(_ name: String) -> Bool { name.hasPrefix(freedPrefix) && name.hasSuffix(".tmp") }

  /// Makes the next segment ready if none is, overwrites a piece of what was given back, and removes files beyond one in
  /// reserve. Gives whether it did anything.
  /// - Parameter pacer: who may make it wait after each piece, unless the log would have to wait too: the next segment stays
  ///   twice as far as the one that is written.
  func prepare(_ pacer: (any WritePacer)? = nil) throws(StorageError) -> Bool {
    try exclusively { () throws(StorageError) in
      if state.withLock({ $0.ready.isEmpty }) {
        let segment = try make(atLeast: segmentBytes, pacer)
        state.withLock { $0.ready.append(segment) }
        return true
      }
      let hasWiped = try wipe(atMost: SegmentPool.wipeBytes, pacer)
      if hasWiped { return true }
      let surplus = state.withLock { state in
        let place = state.clean.firstIndex { $0.byteCount != segmentBytes } ?? (state.clean.count > 1 ? 0 : nil)
        return place.map { state.clean.remove(at: $0) }
      }
      guard let surplus else { return false }
      try discard(surplus)
      return true
    }
  }

  /// The next segment, with at least `byteCount` bytes. Immediate if one was made ready, else made here: of the usual
  /// size, or on a disk that is nearly full of as little as will do.
  func take(isFirst: Bool = false, isRenewal: Bool = false, atLeast byteCount: Int) throws(StorageError) -> Segment {
    if let segment = takeReady(byteCount) { return segment }
    return try exclusively { () throws(StorageError) in
      if let segment = takeReady(byteCount) { return segment }
      do throws(StorageError) {
        return try make(isFirst: isFirst, isRenewal: isRenewal, atLeast: max(byteCount, segmentBytes))
      } catch {
        let least = LogFormat.padded(
          max(byteCount, segmentBytes / 16, 4 * LogFormat.blockBytes), to: LogFormat.blockBytes)
        guard error.kind == .noSpace, least < segmentBytes else { throw error }
        return try make(isFirst: isFirst, isRenewal: isRenewal, atLeast: least)
      }
    }
  }

  private func takeReady(_ byteCount: Int) -> Segment? {
    state.withLock { state in
      guard let first = state.ready.first, first.byteCount >= byteCount else { return nil }
      return state.ready.removeFirst()
    }
  }

  private func exclusively<R: Sendable>(_ body: () throws(StorageError) -> R) throws(StorageError) -> R {
    try making.withLock { _ throws(StorageError) in try body() }
  }

  private func make(
    isFirst: Bool = false, isRenewal: Bool = false, atLeast byteCount: Int, _ pacer: (any WritePacer)? = nil
  ) throws(StorageError) -> Segment {
    let clean = try takeClean(byteCount, pacer)
    let source: Segment
    if let clean { source = clean } else { source = try create(byteCount, pacer) }
    let number = state.withLock { state in
      state.nextNumber += 1
      return state.nextNumber - 1
    }
    let path = join(directory, SegmentPool.name(number))
    do throws(StorageError) {
      try fileSystem.rename(source.path, to: path)
    } catch {
      // It still is what it was: the next attempt takes it again.
      state.withLock { $0.clean.append(source) }
      throw error
    }
    do throws(StorageError) {
      try fileSystem.syncDirectory(directory)
      let file = try fileSystem.open(path, create: false)
      let header = SegmentHeader(number: number, isFirst: isFirst, isRenewal: isRenewal).encoded()
      try header.withBytes { bytes throws(StorageError) in try file.write(bytes, at: 0) }
      try file.sync()
      return Segment(number: number, path: path, file: file, byteCount: byteCount)
    } catch {
      // It has its new name, and no header that fits: the next attempt takes it under that name.
      if error.isShortage {
        var renamed = source
        renamed.number = number
        renamed.path = path
        state.withLock { $0.clean.append(renamed) }
      }
      throw error
    }
  }

  /// A file of that size that is overwritten, if one was given back; nil: none was.
  private func takeClean(_ byteCount: Int, _ pacer: (any WritePacer)?) throws(StorageError) -> Segment? {
    if state.withLock({ $0.clean.isEmpty }) {
      _ = try wipe(atMost: .max, pacer)
    }
    guard let found = state.withLock({ $0.clean.popLast() }) else { return nil }
    if found.byteCount == byteCount { return found }
    try discard(found)
    return nil
  }

  /// Overwrites the oldest segment that was given back, up to so many bytes of it, and syncs. Before that it gets a temporary
  /// name, durably: a log that is opened does not take it for one of its own. False: there is none.
  private func wipe(atMost limit: Int, _ pacer: (any WritePacer)?) throws(StorageError) -> Bool {
    guard var segment = state.withLock({ $0.retired.first }) else { return false }
    if segment.number > 0 {
      let path = join(directory, "\(SegmentPool.freedPrefix)\(hexadecimal(segment.number, digits: 16)).tmp")
      try fileSystem.rename(segment.path, to: path)
      (segment.number, segment.path) = (0, path)
      state.withLock { $0.retired[0] = segment }
      try fileSystem.syncDirectory(directory)
    }
    if state.withLock({ $0.wiped == 0 }) {
      segment.file = try fileSystem.open(segment.path, create: false)
      state.withLock { $0.retired[0] = segment }
    }
    let start = state.withLock { $0.wiped }
    let end = start + min(limit, segment.byteCount - start)
    try fill(segment.file, from: start, to: end, pacer)
    try segment.file.sync()
    let isWhole = end == segment.byteCount
    state.withLock { state in
      state.wiped = isWhole ? 0 : end
      if isWhole { state.clean.append(state.retired.removeFirst()) }
    }
    return true
  }
  /// Writes zeros, to be synced, and syncs them in between: a sync of a whole segment at once would hold up everybody's.
  private func fill(_ file: any File, from start: Int, to end: Int, _ pacer: (any WritePacer)?) throws(StorageError) {
    let zeros = [UInt8](repeating: 0, count: min(max(end - start, 0), BulkSync.bytes))
    var offset = start
    var bulk = BulkSync()
    pacer?.began()
    defer { pacer?.ended() }
    while offset < end {
      let count = min(zeros.count, end - offset)
      try zeros.withBytes { bytes throws(StorageError) in
        try file.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: UInt64(offset))
      }
      offset += count
      try bulk.wrote(count, to: file)
      if let pacer, !isPressing(offset) { pacer.wrote(count) }
    }
  }
  /// Whether there is no time to wait, with so much of the next segment written: the log may be done with its own before.
  private func isPressing(_ offset: Int) -> Bool {
    let used = used.load(ordering: .relaxed)
    return state.withLock { $0.ready.isEmpty && $0.clean.isEmpty } && offset < 2 * used
  }
  /// A new file with every block written, under a temporary name.
  private func create(_ byteCount: Int, _ pacer: (any WritePacer)?) throws(StorageError) -> Segment {
    let path = join(directory, "segment.tmp")
    let file = try fileSystem.open(path, create: true)
    do throws(StorageError) {
      try file.truncate(0)
      try file.preallocate(UInt64(byteCount))
      try fill(file, from: 0, to: byteCount, pacer)
      try file.sync()
    } catch {
      // A disk that is full is not made fuller by what could not be finished.
      file.close()
      if !error.isFatal { try? fileSystem.remove(path) }
      throw error
    }
    return Segment(number: 0, path: path, file: file, byteCount: byteCount)
  }

  /// Durably, because a younger segment must never be gone while an older one is still there.
  private func discard(_ segment: Segment) throws(StorageError) {
    segment.file.close()
    try fileSystem.remove(segment.path)
    try fileSystem.syncDirectory(directory)
  }
}

/// A number in lower-case hexadecimal, with leading zeros.
func hexadecimal(_ value: UInt64, digits: Int) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}

extension [UInt8] {
  /// `withUnsafeBytes`, with typed errors.
  @inline(__always)
  func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try withUnsafeBufferPointer { buffer throws(E) in try body(UnsafeRawBufferPointer(buffer)) }
  }
}
