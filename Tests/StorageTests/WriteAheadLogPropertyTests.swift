import Base
import Testing

@testable import Storage

/// One life of a disk: a node works, loses power, starts again, many times.
struct Life {
  let disk = MemoryFileSystem()
  let options = WriteAheadLog.Options(segmentBytes: 32 << 10)
  var driver: LogDriver
  /// What was acknowledged.
  var durable = LogModel()
  /// What was appended since, after each batch.
  var doubtful: [LogModel] = []
  var recoveredCount = 0
  /// What the log was after each record, as if nothing were ever released; of one life of the node, if it is asked for.
  var moments: [LogModel] = []

  init(seed: UInt64) { driver = LogDriver(generator: SeededGenerator(seed: seed)) }

  var latest: LogModel { doubtful.last ?? durable }

  mutating func acknowledge() {
    durable = latest
    doubtful = []
  }

  mutating func work(_ log: WriteAheadLog, steps: Int) throws(StorageError) {
    for _ in 0..<steps {
      switch driver.below(16) {
      case 0:
        // Released only by those who have a snapshot, which is of synced entries.
        try log.sync()
        acknowledge()
        let id = ShardID(UInt32(driver.below(driver.shardCount)))
        let last = latest.shards[id]?.last ?? 0
        let through = last - min(last, UInt64(driver.below(4)))
        if through > 0 {
          durable.release(id, through: through)
          try log.release(id, through: LogIndex(through))
        }
      case 1 where driver.below(3) == 0:
        try log.rewriteOldest()
        acknowledge()
      case 2: try log.prepareSpare()
      default:
        let records = driver.batch(latest)
        var next = latest
        next.apply(records)
        doubtful.append(next)
        for record in records where !moments.isEmpty {
          var moment = moments[moments.count - 1]
          moment.apply([record])
          moments.append(moment)
        }
        try log.append(records)
        if driver.below(8) > 0 {
          try log.sync()
          acknowledge()
        }
      }
    }
  }

  /// Opens the log; checks that it holds what was acknowledged, or that and batches that were under way.
  mutating func start() throws -> WriteAheadLog {
    let log = try WriteAheadLog(directory: "d/wal", fileSystem: disk, options: options)
    if let damage = log.damage { throw Lost(description: "\(damage)") }
    let recovered = log.takeRecovered()
    recoveredCount += recovered.reduce(0) { $0 + $1.entries.count }
    let candidates = [durable] + doubtful
    let differences = candidates.map { $0.difference(from: recovered) }
    guard let match = differences.lastIndex(where: { $0 == nil }) else {
      throw Lost(description: "\(differences)")
    }
    durable = candidates[match]
    doubtful = []
    return log
  }
}

struct Lost: Error, CustomStringConvertible { var description: String }

@Suite struct WriteAheadLogPropertyTests {
  @Test(arguments: 0..<24 as Range<UInt64>)
  func nothingAcknowledgedIsLostWhenPowerGoesAtAnyStep(seed: UInt64) throws {
    var life = Life(seed: seed)
    for round in 0..<12 {
      // Power may also go while the log is being opened, again and again.
      var log: WriteAheadLog?
      while log == nil {
        if life.driver.below(3) == 0 { life.disk.cutPower(afterSteps: life.driver.below(14)) }
        do {
          log = try life.start()
        } catch let error as StorageError {
          try #require(error.kind == .fatal, "seed \(seed) round \(round): \(error)")
          life.disk.crash(.some(seed: life.driver.generator.next()))
        }
      }
      guard let log else { return }
      life.disk.cutPower(afterSteps: life.driver.below(120))
      do throws(StorageError) {
        try life.work(log, steps: 30)
      } catch {
        try #require(error.kind == .fatal, "seed \(seed) round \(round): \(error)")
      }
      life.disk.crash(.some(seed: life.driver.generator.next()))
    }
    #expect(life.recoveredCount > 0)
  }

  /// A log that cannot be opened, for want of descriptors, is opened again, with or without the power going in between.
  @Test(arguments: 0..<24 as Range<UInt64>)
  func nothingAcknowledgedIsLostThoughOpeningFailsForWantOfDescriptors(seed: UInt64) throws {
    var life = Life(seed: seed)
    var shortages = 0
    for round in 0..<12 {
      var log: WriteAheadLog?
      while log == nil {
        life.disk.limitOpenFiles(to: life.driver.below(3) == 0 ? nil : life.driver.below(9))
        if life.driver.below(4) == 0 { life.disk.cutPower(afterSteps: life.driver.below(14)) }
        do {
          log = try life.start()
        } catch let error as StorageError {
          let isShort = error.kind == .noDescriptors
          try #require(error.kind == .fatal || isShort, "seed \(seed) round \(round): \(error)")
          if isShort { shortages += 1 }
          if !isShort || life.driver.below(3) == 0 { life.disk.crash(.some(seed: life.driver.generator.next())) }
        }
      }
      life.disk.limitOpenFiles(to: nil)
      guard let log else { return }
      life.disk.cutPower(afterSteps: life.driver.below(120))
      do throws(StorageError) {
        try life.work(log, steps: 30)
      } catch {
        try #require(error.kind == .fatal, "seed \(seed) round \(round): \(error)")
      }
      life.disk.crash(.some(seed: life.driver.generator.next()))
    }
    #expect(shortages > 0)
  }

  @Test(arguments: 0..<3 as Range<UInt64>)
  func powerLostAtEachStepOfOneBatchLeavesThatBatchOrNothing(seed: UInt64) throws {
    for step in 0..<24 {
      var life = Life(seed: seed)
      var log = try life.start()
      try life.work(log, steps: 12)
      try log.sync()
      life.acknowledge()
      life.disk.cutPower(afterSteps: step)
      do throws(StorageError) { try life.work(log, steps: 12) } catch { #expect(error.isFatal) }
      life.disk.crash(.some(seed: seed &* 1000 &+ UInt64(step)))
      log = try life.start()
      try life.work(log, steps: 3)
    }
  }
}
