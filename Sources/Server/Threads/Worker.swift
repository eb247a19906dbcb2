import Synchronization

/// A thread that does things in the order they were submitted. A submission costs a short lock, and a system call only
/// if the worker sleeps.
final class Worker<Input: Sendable>: Sendable {
  private struct State {
    var items: [Input] = []
    var stopped = false
    var thread: NativeThread?
  }
  private let state = Mutex(State())
  private let semaphore = Semaphore()

  init(name: String, body: @escaping @Sendable (Input) -> Void) {
    let thread = NativeThread(name: name) { [self] in run(body) }
    state.withLock { $0.thread = thread }
  }

  func submit(_ item: Input) {
    let wasEmpty = state.withLock { state in
      state.items.append(item)
      return state.items.count == 1
    }
    if wasEmpty { semaphore.signal() }
  }

  private func run(_ body: @Sendable (Input) -> Void) {
    var batch: [Input] = []
    while true {
      let stopped = state.withLock { state in
        swap(&batch, &state.items)
        return state.stopped
      }
      if batch.isEmpty {
        if stopped { return }
        semaphore.wait()
        continue
      }
      for item in batch { body(item) }
      batch.removeAll(keepingCapacity: batch.capacity <= 1024)
    }
  }

  /// Ends the thread once all that was submitted is done. Called once.
  func stop() {
    let thread = state.withLock { state in
      state.stopped = true
      return state.thread.take()
    }
    semaphore.signal()
    thread?.join()
  }
  /// Ends the thread after what it is doing, without waiting for that. Called once, in place of `stop`.
  func abandon() {
    let thread = state.withLock { state in
      state.stopped = true
      state.items = []
      return state.thread.take()
    }
    semaphore.signal()
    thread?.detach()
  }
}
