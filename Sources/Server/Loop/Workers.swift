import Cluster
import Glibc
import Synchronization
import System

/// The threads beside the loop: the log, the lanes of jobs, maintenance, and the looking up of names.
final class Workers<Work: DiskWork>: Sendable {
  let pulse = Pulse()
  private let disk: any DiskRunner<Work>
  private let trimming: Trimming
  private let log: Worker<Work.LogBatch>
  private let writeBatch: @Sendable (Work.LogBatch) -> Void
  private let lanes: [Worker<Work.Job>]
  private let resolver: Worker<Lookup>
  private let renderer: Worker<Figures>
  private let maintenance: Maintenance

  struct Lookup: Sendable {
    var request: UInt64
    var address: HostPort
    var isBulk: Bool
  }

  /// - Parameters:
  ///   - slowWrite: a write of the log that takes longer, in microseconds, is slow.
  ///   - onFatal: called, from the log thread, when the log cannot be written: a write that failed once may be lost
  ///     although the next one succeeds, so the process must end.
  init(
    disk: any DiskRunner<Work>, inbox: Inbox<Mail<Work.Completion>>, slowWrite: UInt64,
    onFatal: @escaping @Sendable (String) -> Void
  ) {
    let pulse = self.pulse
    self.disk = disk
    let writeBatch: @Sendable (Work.LogBatch) -> Void = { batch in
      let began = Clock.monotonic()
      pulse.logWrites.add(1, ordering: .relaxed)
      do {
        let completion = try disk.write(batch)
        pulse.logWrites.add(1, ordering: .relaxed)
        inbox.post(.completed(completion))
      } catch {
        onFatal("the log cannot be written, the process ends error=\"\(error)\"")
      }
      let end = Clock.monotonic()
      pulse.noteLogWrite(end - began)
      pulse.longestLogWrite.max(end - began, ordering: .relaxed)
      if end - began > slowWrite { pulse.lastSlowLogWrite.store(end, ordering: .relaxed) }
    }
    self.writeBatch = writeBatch
    log = Worker(name: "log", body: writeBatch)
    precondition(Work.lanes >= 1, "jobs have at least one lane")
    lanes = (0..<Work.lanes).map { lane in
      // One for each lane: they share what is known of the log's writes.
      let pacer = LogPacer(pulse: pulse)
      return Worker(name: "jobs-\(lane)", isBackground: Work.isBackground(lane: lane)) { job in
        inbox.post(.completed(disk.run(job, pacer: pacer)))
      }
    }
    resolver = Worker(name: "resolver") { lookup in
      let address = SocketAddress(lookup.address, numericOnly: false)
      inbox.post(.resolved(request: lookup.request, address: address, isBulk: lookup.isBulk))
    }
    renderer = Worker(name: "renderer") { inbox.post(.rendered($0.rendered())) }
    let trimming = Trimming()
    self.trimming = trimming
    let pacer = LogPacer(pulse: pulse)
    maintenance = Maintenance {
      trimming.trimIfWanted()
      if let completion = disk.maintain(pacer: pacer) { inbox.post(.completed(completion)) }
    }
  }

  /// See `DiskRunner.descriptorsReserved`.
  var descriptorsReserved: Int { disk.descriptorsReserved }
  /// Gives free memory back to the system, soon, on the maintenance thread.
  func trimMemory() { trimming.want() }

  func submit(_ batch: Work.LogBatch) { log.submit(batch) }
  /// Writes a batch at once, on the thread of the caller: the log thread must have none under way.
  func write(_ batch: Work.LogBatch) { writeBatch(batch) }
  func submit(_ job: Work.Job) {
    let lane = Work.lane(of: job)
    precondition(lanes.indices.contains(lane), "a job's lane is one of those that there are")
    lanes[lane].submit(job, yields: Work.yields(job))
  }
  func submit(_ lookup: Lookup) { resolver.submit(lookup) }
  /// Has figures made into text.
  func submit(_ figures: Figures) { renderer.submit(figures) }

  /// Ends the threads. A log write that is under way is waited for, unless it may never end; jobs are not: a crash may cut
  /// them off as well.
  func stop(waitingForLog: Bool) {
    if waitingForLog { log.stop() } else { log.abandon() }
    for lane in lanes { lane.abandon() }
    maintenance.abandon()
    resolver.abandon()
    renderer.abandon()
  }
}

/// Gives back to the system what the C library keeps of memory that is free. The corresponding C function is `malloc_trim`.
/// Costs some milliseconds where there is much, in which other threads may have to wait for memory.
final class Trimming: Sendable {
  private let isWanted = Atomic<Bool>(false)
  func want() { isWanted.store(true, ordering: .relaxed) }
  func trimIfWanted() {
    if isWanted.exchange(false, ordering: .relaxed) { _ = LinuxCalls.shared.trimMemory(0) }
  }
}

/// Calls a function five times a second, on a thread of its own.
final class Maintenance: Sendable {
  private let semaphore: Semaphore
  private let thread: NativeThread

  init(_ body: @escaping @Sendable () -> Void) {
    let semaphore = Semaphore()
    self.semaphore = semaphore
    thread = NativeThread(name: "maintenance") {
      repeat { body() } while !semaphore.wait(milliseconds: 200)
    }
  }
  func abandon() {
    semaphore.signal()
    thread.detach()
  }
}
