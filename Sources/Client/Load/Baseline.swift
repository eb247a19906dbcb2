import Foundation
import System

/// What this machine takes for the two things that no durable request can do without, measured in the same run so
/// that a latency can be stated as a ratio.
struct Baseline: Sendable {
  /// p50 of one 4 KiB `pwrite` and `fdatasync` on blocks written before.
  var syncNanoseconds: UInt64
  /// p50 of 64 bytes there and back over loopback TCP, between two threads.
  var roundTripNanoseconds: UInt64

  /// Takes about a second. `directory` should lie on the disk that the nodes use.
  static func measure(directory: String, rounds: Int = 1_000) throws(ClientError) -> Baseline {
    Baseline(
      syncNanoseconds: try measureSync(directory: directory, rounds: rounds),
      roundTripNanoseconds: try measureRoundTrip(rounds: rounds * 5))
  }

  private static func measureSync(directory: String, rounds: Int) throws(ClientError) -> UInt64 {
    let path = "\(directory)/.tally-baseline-\(getpid())"
    let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .local("--baseline: \(path): \(SystemError.text(of: errno))") }
    defer {
      close(file)
      unlink(path)
    }
    let block = 4096
    let blockCount = 1024
    let bytes = [UInt8](repeating: 0x5A, count: block)
    for i in 0..<blockCount where pwrite(file, bytes, block, off_t(i * block)) != block {
      throw .local("--baseline: write \(path): \(SystemError.text(of: errno))")
    }
    guard fsync(file) == 0 else { throw .local("--baseline: sync \(path): \(SystemError.text(of: errno))") }
    var histogram = Histogram()
    for i in 0..<rounds {
      let start = Clock.monotonicNanoseconds()
      let written = pwrite(file, bytes, block, off_t((i % blockCount) * block))
      guard written == block, fdatasync(file) == 0 else {
        throw .local("--baseline: sync \(path): \(SystemError.text(of: errno))")
      }
      histogram.record(Clock.monotonicNanoseconds() - start)
    }
    return histogram.percentile(50)
  }

  private static func measureRoundTrip(rounds: Int) throws(ClientError) -> UInt64 {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
        bind(listener, rebound, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, rebound, &size) == 0
      }
    }
    guard isListening else { throw .local("--baseline: listen: \(SystemError.text(of: errno))") }
    let echo = Thread {
      let peer = accept(listener, nil, nil)
      var on: Int32 = 1
      setsockopt(peer, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
      var bytes = [UInt8](repeating: 0, count: 64)
      while recv(peer, &bytes, 64, Int32(MSG_WAITALL)) == 64, send(peer, bytes, 64, Int32(MSG_NOSIGNAL)) == 64 {}
      close(peer)
    }
    echo.start()
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(client) }
    let isConnected = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, size) == 0 }
    }
    guard isConnected else { throw .local("--baseline: connect: \(SystemError.text(of: errno))") }
    var on: Int32 = 1
    setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    var bytes = [UInt8](repeating: 0x5A, count: 64)
    var histogram = Histogram()
    for _ in 0..<rounds {
      let start = Clock.monotonicNanoseconds()
      guard send(client, bytes, 64, Int32(MSG_NOSIGNAL)) == 64, recv(client, &bytes, 64, Int32(MSG_WAITALL)) == 64
      else {
        throw .local("--baseline: loopback: \(SystemError.text(of: errno))")
      }
      histogram.record(Clock.monotonicNanoseconds() - start)
    }
    return histogram.percentile(50)
  }
}
