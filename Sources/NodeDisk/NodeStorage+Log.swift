import Base
import Cluster
import Storage

/// The log, and the room that it needs.
extension NodeStorage {
  /// Writes a batch, or gives it back if the disk has no room for it: nothing in it is in doubt then, and it may be
  /// written later. What may go goes before that is given up, and then the ballast.
  public func write(_ batch: LogBatch) throws -> Completion {
    let segments = log.segmentCount
    defer {
      if log.segmentCount != segments || wantsUsage.exchange(false, ordering: .relaxed) || !batch.isOfRecords {
        noteUsage()
      }
    }
    func writeRecords() throws -> StorageError? {
      guard !batch.records.isEmpty || batch.isProbe else { return nil }
      return try room { try log.write(batch.records) }
    }
    var lacking = try writeRecords()
    // What of these finds no room is tried again with the next of them.
    for release in batch.releases { _ = try room { try log.release(release.shard, through: release.through) } }
    var isRewriting = false
    if batch.rewritesOldest {
      let lack = try room { isRewriting = try !log.rewriteOldest(atMost: NodeStorage.rewrittenBytes) }
      if lack != nil { isRewriting = false }
    }
    // For want of room it is rolled the next time.
    if batch.rolls { _ = try room { try log.roll() } }
    // Records may have been written in part: the same again make the same log.
    if lacking != nil { lacking = try writeRecords() }
    if lacking?.kind == .noSpace, (try? ballast.release()) == true { lacking = try writeRecords() }
    if let lacking { return .logRefused(batch, lacking) }
    logPosition.store(log.lastBatch, ordering: .relaxed)
    return .logged(batch.number, batch.acks, isRewriting: isRewriting)
  }
  /// Of the log's oldest segment, with one batch: who waits for that batch waits for these as well.
  private static let rewrittenBytes = 2 << 20

  /// Nil: done. Else for want of what room, or of which descriptor, it was not.
  private func room(_ body: () throws -> Void) throws -> StorageError? {
    do {
      try body()
      return nil
    } catch let error as StorageError where error.isShortage {
      return error
    }
  }

  func noteUsage() {
    let (byteCount, pinnedBytes, segmentCount, shards) = (log.bytes, log.pinnedBytes, log.segmentCount, log.usage())
    usage.withLock { usage in
      usage = LogUsage(
        version: usage.version + 1, byteCount: byteCount, pinnedBytes: pinnedBytes, segmentCount: segmentCount,
        shards: shards)
    }
  }

  /// Prepares segments, holds the ballast, and measures.
  public func maintain() -> Completion? { maintain(nil) }
  public func maintain(pacer: any WritePacer) -> Completion? { maintain(pacer) }
  private func maintain(_ pacer: (any WritePacer)?) -> Completion? {
    rounds += 1
    if rounds % NodeStorage.usageRounds == 0 { wantsUsage.store(true, ordering: .relaxed) }
    if rounds >= nextPreparation {
      do { try log.prepareSpare(pacer) } catch {
        // It shows again, and loudly, when the log needs the segment. A disk that is full is not asked all the time.
        nextPreparation = rounds + NodeStorage.preparationRounds
      }
    }
    guard let free = try? fileSystem.freeBytes(directory) else { return nil }
    let gauges = DiskGauges(
      freeBytes: free + ballast.heldBytes, log: usage.withLock { $0 }, shortageCount: fileSystem.shortageCount,
      logPosition: logPosition.load(ordering: .relaxed))
    if gauges.freeBytes >= reserve.resumeByteCount { try? ballast.take() }
    return .measured(gauges)
  }
  /// Descriptors that the log, the journals and what runs beside them may have: a bound that changes in steps, so that who
  /// reckons with it need not do so all the time. From any thread.
  public var descriptorsReserved: Int {
    let segments = usage.withLock { $0.segmentCount }
    // Each is open twice, once past the page cache; some more are being made or given back.
    let ofLog =
      2 * ((segments + 4 + NodeStorage.descriptorStep) / NodeStorage.descriptorStep) * NodeStorage.descriptorStep
    let ofJournals = min(
      journals.openFilesMax, journals.journalCount.load(ordering: .relaxed) + NodeStorage.journalReads)
    return NodeStorage.descriptorsBeside + ofLog + ofJournals
  }
  private static let descriptorStep = 16
  /// Journal files open to be read only.
  private static let journalReads = 32
  /// Locks, snapshots that are written, read, sent and received, folders that are synced.
  private static let descriptorsBeside = 24

  private static let usageRounds: UInt64 = 5
  private static let preparationRounds: UInt64 = 25
}
