import Cluster
import Glibc
import Synchronization

/// What the watch looks at: written by the threads that it watches, read by the watch and by the loop.
final class Pulse: Sendable {
  /// Odd while a log write is under way; rises by one at its begin and at its end.
  let logWrites = Atomic<UInt64>(0)
  /// The longest log write since it was last asked for, in microseconds.
  let longestLogWrite = Atomic<UInt64>(0)
  /// When a log write that was slow has ended, on the monotonic clock.
  let lastSlowLogWrite = Atomic<UInt64>(0)
  /// Rises with each turn of the loop.
  let turns = Atomic<UInt64>(0)
  /// How long a log write takes when nothing is written in the background: a mean that follows slowly, in microseconds.
  let usualLogWrite = Atomic<UInt64>(0)
  /// The longest since a background writer last asked.
  let worstLogWrite = Atomic<UInt64>(0)
  /// How long log writes have taken.
  let logWriteTimes = Mutex(Histogram())
  /// How many background writers are at work.
  let pacing = Atomic<Int>(0)

  /// Called by whoever writes the log, one at a time.
  func noteLogWrite(_ duration: UInt64) {
    worstLogWrite.max(duration, ordering: .relaxed)
    logWriteTimes.withLock { $0.note(duration) }
    guard pacing.load(ordering: .relaxed) == 0 else { return }
    let usual = usualLogWrite.load(ordering: .relaxed)
    usualLogWrite.store(usual == 0 ? duration : usual - usual / 16 + duration / 16, ordering: .relaxed)
  }
}

/// A thread that looks once a second whether the others still live, and that takes the process's signals.
///
/// - A log write under way for 20 of its looks means a disk that has stopped answering: the process ends, so that
///   others take over. Looks are counted, not time, so that a process that was itself stopped for a while is not
///   mistaken for one whose disk is.
/// - The same holds for a loop that has not come round for 20 looks.
/// - SIGTERM or SIGINT asks the loop to stop; a second one, or `stopSeconds`, ends the process anyway. That works also
///   when the loop hangs.
/// - SIGHUP has certificates loaded anew.
final class Watch: Sendable {
  static let looksMax = 20
  private let pulse: Pulse
  private let handlesSignals: Bool
  private let stopSeconds: Int
  private let onStop: @Sendable () -> Void
  private let onReload: @Sendable () -> Void
  private let onFatal: @Sendable (String) -> Void
  private let isClosed = Atomic<Bool>(false)
  private let semaphore = Semaphore()

  /// - Parameters:
  ///   - handlesSignals: whether it takes the signals, which the main thread must not (`blockSignals`).
  ///   - onStop: called at the first signal.
  ///   - onReload: called at each SIGHUP.
  ///   - onFatal: called when the process is to end at once, with the reason.
  init(
    pulse: Pulse, handlesSignals: Bool, stopSeconds: Int, onStop: @escaping @Sendable () -> Void,
    onReload: @escaping @Sendable () -> Void = {}, onFatal: @escaping @Sendable (String) -> Void
  ) {
    self.pulse = pulse
    self.handlesSignals = handlesSignals
    self.stopSeconds = stopSeconds
    self.onStop = onStop
    self.onReload = onReload
    self.onFatal = onFatal
    NativeThread(name: "watch") { [self] in run() }.detach()
  }
  func close() {
    isClosed.store(true, ordering: .sequentiallyConsistent)
    semaphore.signal()
  }

  /// SIGTERM and SIGINT end the process at once, with 0: it has not begun to serve, and there is nothing to hand over.
  static func endAtSignals() {
    for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
  }
  /// Leaves SIGTERM, SIGINT and SIGHUP to the watch. Called on the main thread, the only other one that takes signals.
  static func blockSignals() {
    var signals = signals()
    pthread_sigmask(Int32(SIG_BLOCK), &signals, nil)
    for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_DFL) }
  }
  /// A reader that is gone is told by `EPIPE`, and a terminal that is closed does not stop a node: SIGHUP does nothing until
  /// the watch takes it.
  static func ignoreSignals() {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGHUP, SIG_IGN)
  }
  private static func signals() -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGHUP)
    return signals
  }

  private func run() {
    var judge = StallJudge()
    var looksSinceStop: Int?
    while !isClosed.load(ordering: .sequentiallyConsistent) {
      let signal = lookOut()
      if signal == SIGHUP {
        onReload()
        continue
      }
      if signal != nil {
        if looksSinceStop != nil { return onFatal("stopped by a second signal, without handing over") }
        looksSinceStop = 0
        onStop()
        continue
      }
      if let looks = looksSinceStop {
        looksSinceStop = looks + 1
        if looks > stopSeconds { return onFatal("stopping took over \(stopSeconds) s: ended without handing over") }
      }
      let problem = judge.look(
        logWrites: pulse.logWrites.load(ordering: .relaxed), turns: pulse.turns.load(ordering: .relaxed))
      if let problem { return onFatal(problem) }
    }
  }
  /// Waits for a second, or for a signal.
  /// - Returns: the signal; nil: there was none.
  private func lookOut() -> Int32? {
    guard handlesSignals else {
      _ = semaphore.wait(milliseconds: 1000)
      return nil
    }
    var signals = Watch.signals()
    var second = timespec(tv_sec: 1, tv_nsec: 0)
    let signal = sigtimedwait(&signals, nil, &second)
    return signal > 0 ? signal : nil
  }
}

/// Tells a thread that has stopped from one that is only busy, by looks at counters.
struct StallJudge {
  private var logWrites: UInt64 = 0
  private var logLooks = 0
  private var turns: UInt64 = 0
  private var turnLooks = 0

  /// - Parameters:
  ///   - logWrites: odd while a write is under way.
  ///   - turns: of the loop, which turns at least each 10 ms.
  /// - Returns: why the process must end, nil if it need not.
  mutating func look(logWrites: UInt64, turns: UInt64) -> String? {
    logLooks = logWrites % 2 == 1 && logWrites == self.logWrites ? logLooks + 1 : 0
    turnLooks = turns == self.turns ? turnLooks + 1 : 0
    self.logWrites = logWrites
    self.turns = turns
    if logLooks >= Watch.looksMax { return "a write to the log has taken over \(Watch.looksMax) s: the disk is stuck" }
    if turnLooks >= Watch.looksMax { return "the loop has stood still for over \(Watch.looksMax) s" }
    return nil
  }
}
