import Glibc

/// The clocks of the machine. Some 25 ns a call.
public enum Clock {
  /// Nanoseconds since the machine started; never goes back.
  @inlinable public static func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.tv_nsec))
  }
  /// Microseconds since the machine started; never goes back.
  @inlinable public static func monotonic() -> UInt64 { monotonicNanoseconds() / 1000 }
  /// Microseconds since 1970.
  @inlinable public static func wall() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1000
  }
}
