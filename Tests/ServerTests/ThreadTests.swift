import Base
import Cluster
import Glibc
import Synchronization
import System
import Testing

@testable import Server

@Suite struct ThreadTests {
  /// Nobody waits for snapshots and backups; somebody does for the log, the journals and the archive.
  @Test func aThreadInTheBackgroundLetsOthersGoFirst() {
    for isBackground in [false, true] {
      let seen = Atomic<Int32>(-99)
      NativeThread(name: "background", isBackground: isBackground) {
        seen.store(getpriority(Int32(PRIO_PROCESS.rawValue), 0), ordering: .relaxed)
      }.join()
      let own = getpriority(Int32(PRIO_PROCESS.rawValue), 0)
      #expect(seen.load(ordering: .relaxed) == (isBackground ? min(19, own + 5) : own))
    }
    #expect((0..<NodeWork.lanes).filter(NodeWork.isBackground) == [1, 2, 3, 4])
  }

  @Test func logBatchesAreWrittenOneAtATimeAndInOrder() throws {
    let node = try RunningNode()
    let clients = try (0..<4).map { _ in try TestSocket(node.port) }
    for number in 1...200 { try clients[number % 4].send("LOG \(number)\n") }
    for number in 1...200 { #expect(try clients[number % 4].line() == ":\(number)") }
    node.stop()
    let written = node.events.all.filter { $0.hasPrefix("write ") }.flatMap { line in
      line.dropFirst(6).split(separator: ",").compactMap { Int($0) }
    }
    #expect(written.sorted() == Array(1...200))
    for client in 0..<4 {
      let own = written.filter { $0 % 4 == client }
      #expect(own == own.sorted())
    }
  }

  /// What yields lets go before it all that has come meanwhile, and is done one at a time; nothing is left.
  @Test func aWorkerDoesFirstWhatDoesNotYield() {
    let order = Mutex<[String]>([])
    let isBusy = Semaphore()
    let mayGoOn = Semaphore()
    let isDone = Semaphore()
    let itself = Mutex<Worker<String>?>(nil)
    let worker = Worker<String>(name: "test") { item in
      order.withLock { $0.append(item) }
      if item == "first" {
        isBusy.signal()
        mayGoOn.wait()
      }
      if item == "walk 1" { itself.withLock { $0 }?.submit("urgent 3") }
      if item == "last" { isDone.signal() }
    }
    itself.withLock { $0 = worker }
    worker.submit("first")
    isBusy.wait()
    for number in 1...3 { worker.submit("walk \(number)", yields: true) }
    for number in 1...2 { worker.submit("urgent \(number)") }
    worker.submit("last", yields: true)
    mayGoOn.signal()
    isDone.wait()
    worker.stop()
    itself.withLock { $0 = nil }
    let expected = ["first", "urgent 1", "urgent 2", "walk 1", "urgent 3", "walk 2", "walk 3", "last"]
    #expect(order.withLock { $0 } == expected)
  }

  @Test func aLoopThatIsIdleMayWriteTheLogItself() throws {
    var options = LoopOptions()
    options.writesWhenIdle = true
    let node = try RunningNode(options)
    let clients = try (0..<4).map { _ in try TestSocket(node.port) }
    for number in 1...100 {
      try clients[0].send("LOG \(number)\n")
      #expect(try clients[0].line() == ":\(number)")
    }
    for number in 101...300 { try clients[number % 4].send("LOG \(number)\n") }
    for number in 101...300 { #expect(try clients[number % 4].line() == ":\(number)") }
    node.stop()
    let written = node.events.all.filter { $0.hasPrefix("write ") }.flatMap { line in
      line.dropFirst(6).split(separator: ",").compactMap { Int($0) }
    }
    #expect(written.sorted() == Array(1...300))
  }

  @Test func aLoopThatHasSeenASlowWriteLeavesTheLogToItsThread() throws {
    var options = LoopOptions()
    options.writesWhenIdle = true
    options.slowLogWrite = 0
    let node = try RunningNode(options)
    let client = try TestSocket(node.port)
    for number in 1...5 {
      try client.send("LOG \(number)\n")
      #expect(try client.line() == ":\(number)")
    }
    node.stop()
    let writers = node.events.all.filter { $0.hasPrefix("thread ") }
    #expect(writers.count == 5)
    #expect(Set(writers.dropFirst()).count == 1 && writers[0] != writers[1])
  }

  @Test func aPoolCallsEachTurnOnceAndAShardAlwaysOnTheSameThread() {
    let pool = TurnPool(threads: 3)
    let calls = Mutex<[UInt32: [UInt]]>([:])
    let shards = (1...10).map { ShardID(UInt32($0)) }
    for round in 1...50 {
      pool.run(shards) { place in
        let thread = UInt(pthread_self())
        calls.withLock { $0[shards[place].rawValue, default: []].append(thread) }
      }
      // It returns only when all is done.
      #expect(calls.withLock { $0.count == 10 && $0.values.allSatisfy { $0.count == round } })
    }
    calls.withLock { calls in
      #expect(calls.values.allSatisfy { $0.count == 50 && Set($0).count == 1 })
      #expect(Set(calls.values.compactMap(\.first)).count == 4)
    }
  }

  /// A worker that is put aside right after it has told that it is done must have no part in what the caller does next.
  @Test func aPoolGoesOnForLongOnABusyMachine() {
    let isOver = Atomic<Bool>(false)
    let spinners = (0..<6).map { number in
      NativeThread(name: "spinner-\(number)") { while !isOver.load(ordering: .relaxed) {} }
    }
    let pool = TurnPool(threads: 2)
    let calls = Atomic<Int>(0)
    let shards = (1...6).map { ShardID(UInt32($0)) }
    for _ in 0..<10_000 {
      pool.run(shards) { _ in calls.add(1, ordering: .relaxed) }
    }
    isOver.store(true, ordering: .relaxed)
    for spinner in spinners { spinner.join() }
    #expect(calls.load(ordering: .relaxed) == 6 * 10_000)
  }

  @Test func jobsOfALaneAreDoneInOrder() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    try client.send((1...100).map { "JOB \($0)\n" }.joined())
    var replies: [String] = []
    for _ in 1...100 { replies.append(try client.line() ?? "") }
    node.stop()
    let done = node.events.all.filter { $0.hasPrefix("job ") }.compactMap { Int($0.dropFirst(4)) }
    #expect(done.filter { $0 % 2 == 0 } == stride(from: 2, through: 100, by: 2).map { $0 })
    #expect(done.filter { $0 % 2 == 1 } == stride(from: 1, through: 100, by: 2).map { $0 })
    #expect(Set(replies).count == 100)
  }

  @Test func aLogThatCannotBeWrittenEndsTheProcessAndAcknowledgesNothing() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    node.disk.failFromNowOn()
    try client.send("LOG 1\nhello\n")
    #expect(node.fatal.waits(for: "the log cannot be written"))
    #expect(try client.line() == "hello")
    node.stop()
    #expect(try client.line() == nil)
  }

  @Test func aStopAsksTheNodeAndReturnsItsCode() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    try client.send("hello\n")
    #expect(try client.line() == "hello")
    #expect(node.stop() == 0)
    #expect(node.events.count("stop") == 1)
    #expect(try client.line() == nil)
  }

  @Test func aStopThatTakesTooLongEndsTheProcessAnyway() throws {
    var options = LoopOptions()
    options.stopSeconds = 1
    let node = try RunningNode(options, stopsAtOnce: false)
    node.requestStop()
    node.requestStop()
    #expect(node.join() == 1)
    #expect(node.events.count("stop") == 1)
  }

  @Test func aTickComesAlsoWhenNothingHappens() throws {
    let node = try RunningNode()
    #expect(node.events.waits(for: "tick", count: 20))
    node.stop()
  }

  @Test func mailWakesASleepingLoopAndIsNeverLost() throws {
    let inbox = try Inbox<Int>()
    let poller = try Poller()
    try poller.add(inbox.waker.rawDescriptor, [.readable, .edgeTriggered], token: 1)
    let posted = 20_000
    let threads = (0..<2).map { thread in
      NativeThread(name: "poster") { for i in 0..<posted { inbox.post(i * 2 + thread) } }
    }
    var got: [Int] = []
    var batch: [Int] = []
    var isLate = false
    while got.count < 2 * posted && !isLate {
      if inbox.prepareToSleep() {
        isLate = poller.wait(milliseconds: 10_000) == 0 && !Task.isCancelled
        inbox.wokeUp()
      }
      inbox.take(into: &batch)
      if !batch.isEmpty { isLate = false }
      got += batch
      batch.removeAll()
    }
    for thread in threads { thread.join() }
    #expect(!isLate)
    for thread in 0..<2 { #expect(got.filter { $0 % 2 == thread } == (0..<posted).map { $0 * 2 + thread }) }
  }

  @Test func aWorkerDoesAllThatWasSubmittedBeforeItStops() {
    let done = Mutex<[Int]>([])
    let worker = Worker<Int>(name: "worker") { item in done.withLock { $0.append(item) } }
    for i in 0..<1000 { worker.submit(i) }
    worker.stop()
    #expect(done.withLock { $0 } == Array(0..<1000))
  }

  @Test func aWriteThatDoesNotEndIsToldFromOneThatIsSlow() {
    var judge = StallJudge()
    for look in 0..<100 { #expect(judge.look(logWrites: UInt64(look) * 2 + 1, turns: UInt64(look)) == nil) }
    var idle = StallJudge()
    for look in 0..<100 { #expect(idle.look(logWrites: 8, turns: UInt64(look)) == nil) }
    var stuck = StallJudge()
    var looks = 0
    var verdict: String?
    while verdict == nil && looks < 100 {
      verdict = stuck.look(logWrites: 9, turns: UInt64(looks))
      looks += 1
    }
    #expect(looks == Watch.looksMax + 1)
    #expect(verdict?.contains("disk is stuck") == true)
    var hung = StallJudge()
    #expect((0...Watch.looksMax).compactMap { _ in hung.look(logWrites: 8, turns: 5) }.first?.contains("loop") == true)
  }
}

@Suite struct LoggerTests {
  /// A pipe whose ends are closed by nobody before the test ends.
  private func makePipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    return (ends[0], ends[1])
  }
  private func readLines(_ descriptor: Int32, until found: (String) -> Bool) -> [String] {
    var pending: [UInt8] = []
    var lines: [String] = []
    var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    var buffer = [UInt8](repeating: 0, count: 4096)
    while poll(&wanted, 1, 5000) > 0 {
      let count = read(descriptor, &buffer, buffer.count)
      if count <= 0 { break }
      pending += buffer[..<count]
      while let end = pending.firstIndex(of: 10) {
        lines.append(String(decoding: pending[..<end], as: UTF8.self))
        pending.removeFirst(end + 1)
        if let last = lines.last, found(last) { return lines }
      }
    }
    return lines
  }

  @Test func aLineHasItsTimeItsLevelAndNoControlCharacters() {
    let line = Logger.line(.warning, "odd\nname=\"a\tb\" é", at: 1_767_323_045_678_901)
    #expect(String(decoding: line, as: UTF8.self) == "2026-01-02T03:04:05.678Z warning odd\\nname=\"a\\x09b\" é\n")
    #expect(Logger.line(.info, String(repeating: "x", count: 10_000), at: 0).count <= Logger.lineBytesMax)
    #expect(UTCTime(microseconds: 951_782_400_000_000).description == "2000-02-29T00:00:00.000Z")
    #expect(UTCTime(microseconds: -1).description == "1969-12-31T23:59:59.999Z")
  }

  @Test func linesBelowTheLevelAreNotLogged() throws {
    let ends = try makePipe()
    let logger = Logger(level: .warning, descriptor: ends.write)
    logger.log(.info, "quiet")
    logger.log(.error, "loud")
    #expect(readLines(ends.read) { $0.hasSuffix("loud") }.count == 1)
    logger.close()
  }

  @Test func aFullPipeHoldsNobodyUpAndTheDroppedLinesAreCounted() throws {
    let ends = try makePipe()
    let logger = Logger(level: .info, descriptor: ends.write, capacity: 8192)
    let text = String(repeating: "y", count: 100)
    // A pipe holds 64 KiB: far less than this. That it ends is what is tested.
    for _ in 0..<5000 { logger.log(.info, text) }
    let dropped = logger.droppedCount
    #expect(dropped > 3000)
    logger.drain(milliseconds: 20)
    var written = 0
    var reported = 0
    _ = readLines(ends.read) { line in
      if line.hasSuffix(text) { written += 1 }
      if let count = line.split(separator: "dropped count=").dropFirst().first { reported += Int(count) ?? 0 }
      return written + reported == 5000
    }
    #expect(written + reported == 5000)
    #expect(reported == Int(dropped))
    logger.close()
  }
}
