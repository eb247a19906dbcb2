import Glibc

/// Lets the calling thread sleep between two tries of something that cannot say when to try again, such as a question
/// to a server, or between two pieces of work that is to go no faster. For what can say so, wait: on a semaphore, a descriptor or
/// a thread.
public func pause(milliseconds: Int) { pause(microseconds: milliseconds * 1_000) }
/// The same, in microseconds; none where it is not positive.
public func pause(microseconds: Int) {
  guard microseconds > 0 else { return }
  var rest = timespec(tv_sec: microseconds / 1_000_000, tv_nsec: microseconds % 1_000_000 * 1_000)
  var left = timespec()
  while nanosleep(&rest, &left) != 0 && errno == EINTR { rest = left }
}
