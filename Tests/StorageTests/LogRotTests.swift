import Base
import Testing

@testable import Storage

/// What is left of a log that rots: never anything wrong, never silently less.
@Suite struct LogRotTests {
  private let options = WriteAheadLog.Options(segmentBytes: 32 << 10)
  private let last = ShardID(9)

  private func open(
    _ disk: MemoryFileSystem, marking: (RecoveredShard) -> [UInt8] = { $0.state }
  ) throws(StorageError) -> WriteAheadLog {
    try WriteAheadLog(directory: "d/wal", fileSystem: disk, options: options, marking: marking)
  }
  private func copy(_ disk: MemoryFileSystem) throws -> MemoryFileSystem {
    let copy = MemoryFileSystem()
    try copy.createDirectory("d/wal")
    for path in disk.paths { copy.setContents(path, disk.contents(path) ?? []) }
    return copy
  }

  /// A disk with a log of some length, and what is in it. The last batch holds nothing: its rot cannot be told from a
  /// torn write.
  private func worked(seed: UInt64, steps: Int) throws -> (life: Life, lastPath: String) {
    var life = Life(seed: seed)
    let log = try life.start()
    life.moments = [LogModel()]
    try life.work(log, steps: steps)
    try log.sync()
    life.acknowledge()
    for _ in 0..<2 { try log.write([LogRecord(shard: last, body: .state([1]))]) }
    life.disk.crash(.nothing)
    return (life, log.current.path)
  }

  /// Whether `found` is of the log of the shard as of `moment`. It may end sooner: where entries that were moved to the
  /// log's end are behind a gap.
  private func isLog(_ found: RecoveredShard, of moment: LogModel) -> Bool {
    let known = moment.shards[found.shard] ?? LogModel.Shard()
    var next = found.entries.first?.index
    for entry in found.entries {
      guard entry.index == next else { return false }
      next = entry.index + 1
      let place = Int(entry.index.rawValue) - Int(known.start) - 1
      guard known.entries.indices.contains(place), known.entries[place] == entry else { return false }
    }
    return true
  }
  /// Whether the shards' logs are all as of one moment.
  private func check(_ found: [RecoveredShard], _ life: Life, _ what: String) {
    let found = found.filter { $0.shard != last }
    let isOfOneMoment = life.moments.contains { moment in found.allSatisfy { isLog($0, of: moment) } }
    #expect(isOfOneMoment, "\(what)")
    for shard in found where !shard.isStateLost {
      let known = life.durable.shards[shard.shard] ?? LogModel.Shard()
      #expect(shard.state == known.state, "\(what): a state of shard \(shard.shard)")
      #expect(shard.gone == known.gone, "\(what): the end of shard \(shard.shard)")
    }
  }

  private func rot(
    _ disk: MemoryFileSystem, _ driver: inout LogDriver, kind: Int, sparing lastPath: String
  ) throws -> String {
    // A log whose end is gone without a trace is a shorter log.
    let paths = disk.paths.filter { $0.hasSuffix(".wal") && (kind == 0 || $0 != lastPath) }
    let path = paths[driver.below(paths.count)]
    var bytes = try #require(disk.contents(path))
    let place = driver.below(bytes.count)
    switch kind {
    case 0: disk.flipBit(path, bit: place * 8 + 3)
    case 1:
      for i in place..<min(place + 9000, bytes.count) { bytes[i] = 0x5A }
      disk.setContents(path, bytes)
    default: disk.setContents(path, [UInt8](repeating: 0, count: bytes.count))
    }
    return "\(path) at \(place), kind \(kind)"
  }

  @Test(arguments: 0..<16 as Range<UInt64>)
  func whatIsRecoveredIsTheLogAsItWasAtSomeMomentAndTheLatestStates(seed: UInt64) throws {
    var (life, lastPath) = try worked(seed: seed, steps: 40)
    var damages = 0
    for round in 0..<16 {
      let disk = try copy(life.disk)
      var what = "seed \(seed)"
      // One flipped bit costs one batch at most, and never a state.
      let isSmall = round < 8
      for _ in 0...(isSmall ? 0 : life.driver.below(2)) {
        what += " " + (try rot(disk, &life.driver, kind: isSmall ? 0 : life.driver.below(3), sparing: lastPath))
      }
      let before = try copy(disk)
      let log = try open(disk)
      let recovered = log.takeRecovered()
      if let damage = log.damage, !damage.lost.isEmpty {
        damages += 1
        check(recovered, life, what)
        #expect(recovered.count { $0.isDamaged } == recovered.count, "\(what)")
        if isSmall { #expect(!damage.areStatesInDoubt && recovered.count { $0.isStateLost } == 0, "\(what)") }
      } else if isSmall {
        let kept = recovered.filter { $0.shard != last }
        #expect(life.durable.difference(from: kept) == nil, "\(what)")
        #expect(kept.count { $0.isDamaged } == 0, "\(what)")
      }
      // Opened again, it is the same, and not damaged any more.
      disk.crash(.nothing)
      let again = try open(disk)
      #expect(again.damage == nil, "\(what)")
      var expected = recovered.filter {
        !$0.state.isEmpty || !$0.entries.isEmpty || $0.startIndex > LogIndex(0) || $0.gone > 0
      }
      for i in expected.indices {
        expected[i].isDamaged = false
        expected[i].isStateLost = false
      }
      #expect(again.takeRecovered() == expected, "\(what)")
      // And the same rot gives the same.
      let twin = try open(before)
      #expect(twin.takeRecovered() == recovered, "\(what)")
    }
    #expect(damages > 0)
  }

  @Test(arguments: 0..<6 as Range<UInt64>)
  func powerLostWhileTheLogIsWrittenAnewForgetsNoDamage(seed: UInt64) throws {
    var (life, _) = try worked(seed: seed, steps: 25)
    let rotten = try copy(life.disk)
    var isDamaged = false
    for _ in 0..<400 where !isDamaged {
      let trial = try copy(life.disk)
      let path = trial.paths[life.driver.below(trial.paths.count)]
      let bit = life.driver.below((trial.contents(path) ?? []).count * 8)
      trial.flipBit(path, bit: bit)
      isDamaged = try open(trial).damage?.lost.isEmpty == false
      if isDamaged { rotten.flipBit(path, bit: bit) }
    }
    try #require(isDamaged)
    func marked(_ shard: RecoveredShard) -> [UInt8] { [0xDA] + shard.state }
    let expected = try open(try copy(rotten), marking: marked).takeRecovered().map { ($0.shard, $0.state, $0.entries) }
    var step = 0
    var isFinished = false
    while !isFinished && step < 200 {
      let disk = try copy(rotten)
      disk.cutPower(afterSteps: step)
      do throws(StorageError) {
        _ = try open(disk, marking: marked)
        isFinished = true
      } catch {
        try #require(error.isFatal, "step \(step): \(error)")
      }
      disk.crash(.some(seed: seed &* 1000 &+ UInt64(step)))
      let found = try open(disk, marking: marked).takeRecovered()
      #expect(found.map(\.shard) == expected.map(\.0), "step \(step)")
      #expect(found.map(\.state) == expected.map(\.1), "step \(step)")
      #expect(found.map(\.entries) == expected.map(\.2), "step \(step)")
      step += 1
    }
    #expect(isFinished && step > 10)
  }

  @Test func noOneBadBatchLosesAVote() throws {
    let disk = MemoryFileSystem()
    let log = try open(disk)
    for vote in 1...20 as ClosedRange<UInt8> {
      var records = [LogRecord(shard: ShardID(UInt32(vote) % 3), body: .state([vote]))]
      if vote % 7 == 0 { records.append(entry(shardOne, UInt64(vote) / 7)) }
      try log.write(records)
      if vote == 14 { try log.release(shardOne, through: LogIndex(2)) }
    }
    try log.write([])
    let paths = disk.paths.filter { $0.hasSuffix(".wal") }
    var damages = 0
    for path in paths {
      for block in 1..<8 {
        let copy = try copy(disk)
        copy.flipBit(path, bit: (block * 4096 + 70) * 8)
        let reopened = try open(copy)
        damages += reopened.damage == nil ? 0 : 1
        let states = reopened.takeRecovered().map { $0.isStateLost ? [] : $0.state }
        #expect(states == [[18], [19], [20]], "\(path) block \(block)")
      }
    }
    #expect(damages > 15)
  }

  @Test func whatIsCarriedOverOutlivesABadLastBatch() throws {
    let disk = MemoryFileSystem()
    let log = try open(disk)
    try log.write([LogRecord(shard: shardTwo, body: .state([5]))])
    for i in 1...20 as ClosedRange<UInt64> { try log.write([entry(shardOne, i)]) }
    try log.release(shardOne, through: LogIndex(20))
    while try log.prepareSpare() {}
    let tail = try #require(log.segments.last)
    let bytes = try #require(disk.contents(tail.path))
    let end = try #require(
      (1..<8).last { block in
        bytes.withBytes { BatchHead.decode($0, segment: tail.number, offset: block * 4096) != nil }
      })
    disk.flipBit(tail.path, bit: (end * 4096 + 60) * 8)
    let reopened = try open(disk)
    #expect(reopened.damage == nil)
    #expect(reopened.takeRecovered().first { $0.shard == shardTwo }?.state == [5])
  }

  @Test func statesThatStoodInAMissingFirstSegmentAreMissed() throws {
    let disk = MemoryFileSystem()
    let log = try open(disk)
    // An entry pins the segment.
    try log.write([entry(ShardID(3), 1)])
    for i in 1...5 as ClosedRange<UInt8> { try log.write([LogRecord(shard: shardTwo, body: .state([i]))]) }
    try log.write([])
    for i in 1...4 as ClosedRange<UInt64> { try log.write([entry(shardOne, i)]) }
    try disk.remove("d/wal/" + SegmentPool.name(1))
    let reopened = try open(disk)
    #expect(reopened.damage?.areStatesInDoubt == true)
    #expect(reopened.takeRecovered().map(\.isStateLost) == [true])
  }
}
