import Synchronization
import System

/// What other threads tell the loop. Posting costs a short lock; a system call only if the loop sleeps.
///
/// No wake-up is lost: the loop says that it is about to sleep, *then* looks whether there is mail; a poster puts the
/// mail in, *then* looks whether the loop sleeps. Whichever comes second sees the other.
final class Inbox<Item: Sendable>: Sendable {
  let waker: Waker
  private let items = Mutex<[Item]>([])
  private let hasMail = Atomic<Bool>(false)
  private let isSleeping = Atomic<Bool>(false)

  init() throws(SystemError) { waker = try Waker() }

  /// From any thread.
  func post(_ item: Item) {
    items.withLock { $0.append(item) }
    hasMail.store(true, ordering: .sequentiallyConsistent)
    if isSleeping.load(ordering: .sequentiallyConsistent),
      isSleeping.exchange(false, ordering: .sequentiallyConsistent)
    {
      waker.wake()
    }
  }

  /// From the loop, before it waits.
  /// - Returns: false if there is mail, so that it must not sleep.
  func prepareToSleep() -> Bool {
    isSleeping.store(true, ordering: .sequentiallyConsistent)
    if !hasMail.load(ordering: .sequentiallyConsistent) { return true }
    isSleeping.store(false, ordering: .relaxed)
    return false
  }
  /// From the loop, after it has waited.
  func wokeUp() { isSleeping.store(false, ordering: .relaxed) }

  /// From the loop: whether there is mail.
  var isMailed: Bool { hasMail.load(ordering: .relaxed) }
  /// From the loop: moves all mail into `batch`, which is to be empty.
  func take(into batch: inout [Item]) {
    guard isMailed else { return }
    hasMail.store(false, ordering: .sequentiallyConsistent)
    items.withLock { swap(&batch, &$0) }
  }
}
