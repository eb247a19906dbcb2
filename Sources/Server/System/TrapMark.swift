import Glibc
import Synchronization

/// Leaves word, in memory that outlives the process, that it ended by a trap: by what the program did, and not by what was
/// done to it. See `ApplyingNote`.
enum TrapMark {
  private static let signals = [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE]
  /// The address of the word; what a signal handler reads must be neither lazy nor locked.
  private static let word = Atomic<UInt>(0)

  /// From now on the signal's number is stored at `word` before the process ends by it. Called once, from the main thread.
  static func install(at word: UnsafeMutablePointer<UInt32>) {
    // Made before any signal can want it.
    TrapMark.word.store(UInt(bitPattern: word), ordering: .sequentiallyConsistent)
    // For a loop that has used up its stack.
    var stack = stack_t()
    stack.ss_size = 64 << 10
    stack.ss_sp = malloc(stack.ss_size)
    sigaltstack(&stack, nil)
    var action = sigaction()
    action.__sigaction_handler.sa_sigaction = { signal, info, _ in
      // Sent by somebody: that says nothing of what was being done.
      let isOwn = info.map { $0.pointee.si_code > 0 } ?? true
      let address = TrapMark.word.load(ordering: .relaxed)
      if isOwn, let word = UnsafeMutablePointer<UInt32>(bitPattern: address) { word.pointee = UInt32(signal) }
      // The handler is gone by SA_RESETHAND: the same signal ends the process as soon as this returns.
      raise(signal)
    }
    action.sa_flags = SA_SIGINFO | Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_ONSTACK
    sigemptyset(&action.sa_mask)
    for signal in signals { sigaction(signal, &action, nil) }
  }
}
