import Synchronization

/// A thread that does things in the order they were submitted; those that yield, one at a time whenever it has done all
/// others that have come meanwhile. So neither kind can hold up the other for long: who does not yield waits for one thing
/// that does, at most. A submission costs a short lock, and a system call only if the worker sleeps.
final class Worker<Input: Sendable>: Sendable {
  private struct State {
    var items: [Input] = []
    var yielding: [Input] = []
    var stopped = false
    var thread: NativeThread?
  }
  private let state = Mutex(State())
  private let semaphore = Semaphore()

  /// - Parameter isBackground: see `NativeThread`.
  init(name: String, isBackground: Bool = false, body: @escaping @Sendable (Input) -> Void) {
    let thread = NativeThread(name: name, isBackground: isBackground) { [self] in run(body) }
    state.withLock { $0.thread = thread }
  }

  func submit(_ item: Input, yields: Bool = false) {
    let wasEmpty = state.withLock { state in
      if yields { state.yielding.append(item) } else { state.items.append(item) }
      return state.items.count + state.yielding.count == 1
    }
    if wasEmpty { semaphore.signal() }
  }

  private func run(_ body: @Sendable (Input) -> Void) {
    var batch: [Input] = []
    while true {
      // What yields is taken together with all that came before it, and done behind that.
      let (yielding, stopped) = state.withLock { state -> (Input?, Bool) in
        swap(&batch, &state.items)
        return (state.yielding.isEmpty ? nil : state.yielding.removeFirst(), state.stopped)
      }
      if batch.isEmpty && yielding == nil {
        if stopped { return }
        semaphore.wait()
        continue
      }
      for item in batch { body(item) }
      if let yielding { body(yielding) }
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
      state.yielding = []
      return state.thread.take()
    }
    semaphore.signal()
    thread?.detach()
  }
}
