import Glibc

/// Lets the calling thread sleep between two tries of something that cannot say when to try again, such as a question
/// to a server. For what can say so, wait: on a semaphore, a descriptor or a thread.
public func pause(milliseconds: Int) {
  var rest = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
  var left = timespec()
  while nanosleep(&rest, &left) != 0 && errno == EINTR { rest = left }
}
