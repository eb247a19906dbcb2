import Cluster
import Glibc
import Synchronization
import System

/// The operator's log: one line an event, `TIME LEVEL what happened key=value key=value`, in UTC (RFC 3339).
///
/// Logging never waits. Lines go into a bounded buffer that a thread of its own writes out; when whoever reads the
/// other end does not keep up, lines are dropped and counted, and the count is logged once there is room.
public final class Logger: Sendable {
  private struct State {
    var pending: [UInt8] = []
    var isWriting = false
    var dropped: UInt64 = 0
    var droppedBefore: UInt64 = 0
    /// Of threads that wait until all is written.
    var drains: [Semaphore] = []
  }
  /// Lines below it are not logged.
  public var level: LogLevel {
    get { LogLevel(rawValue: lowest.load(ordering: .relaxed)) ?? .info }
    set { lowest.store(newValue.rawValue, ordering: .relaxed) }
  }
  private let lowest: Atomic<UInt8>
  private let descriptor: Int32
  private let capacity: Int
  private let state = Mutex(State())
  private let semaphore = Semaphore()
  private let isClosed = Atomic<Bool>(false)

  /// The longest line, in bytes; what is over is cut.
  public static let lineBytesMax = 4096

  /// - Parameters:
  ///   - descriptor: where lines go; it stays the caller's. 2 is standard error.
  ///   - capacity: how many bytes may wait to be written.
  public init(level: LogLevel = .info, descriptor: Int32 = 2, capacity: Int = 256 << 10) {
    precondition(capacity > Logger.lineBytesMax, "a line fits into the buffer")
    lowest = Atomic(level.rawValue)
    self.descriptor = descriptor
    self.capacity = capacity
    NativeThread(name: "logger") { [self] in write() }.detach()
  }

  /// Logs a line. Costs a few microseconds, never waits for the reader.
  public func log(_ level: LogLevel, _ text: @autoclosure () -> String) {
    guard level >= self.level else { return }
    let line = Logger.line(level, text(), at: Clock.wall())
    let wasEmpty = state.withLock { state in
      guard state.pending.count + line.count <= capacity else {
        state.dropped += 1
        return false
      }
      let wasEmpty = state.pending.isEmpty
      state.pending.append(contentsOf: line)
      return wasEmpty
    }
    if wasEmpty { semaphore.signal() }
  }

  /// How many lines were dropped since the start.
  public var droppedCount: UInt64 { state.withLock { $0.dropped + $0.droppedBefore } }

  /// Waits until all lines are written, but no longer than that.
  public func drain(milliseconds: Int) {
    let drained = Semaphore()
    let isIdle = state.withLock { state in
      guard state.isWriting || !state.pending.isEmpty else { return true }
      state.drains.append(drained)
      return false
    }
    if !isIdle { _ = drained.wait(milliseconds: milliseconds) }
  }
  /// Ends the thread once what is pending has been written.
  public func close() {
    isClosed.store(true, ordering: .sequentiallyConsistent)
    semaphore.signal()
  }

  private func write() {
    var batch: [UInt8] = []
    while true {
      let dropped = state.withLock { state in
        swap(&batch, &state.pending)
        state.isWriting = !batch.isEmpty
        if batch.isEmpty {
          for drained in state.drains { drained.signal() }
          state.drains.removeAll()
        }
        let dropped = state.dropped
        state.droppedBefore += dropped
        state.dropped = 0
        return dropped
      }
      if batch.isEmpty && dropped == 0 {
        if isClosed.load(ordering: .sequentiallyConsistent) { return }
        semaphore.wait()
        continue
      }
      writeAll(batch)
      if dropped > 0 { writeAll(Logger.line(.warning, "log lines dropped count=\(dropped)", at: Clock.wall())) }
      batch.removeAll(keepingCapacity: true)
    }
  }
  /// Writes, waiting as long as it takes. What cannot be written is lost.
  private func writeAll(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let slice = UnsafeRawBufferPointer(rebasing: rest)
        let count = Glibc.write(descriptor, slice.baseAddress, slice.count)
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          var wanted = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = poll(&wanted, 1, -1)
        } else if errno != EINTR {
          return
        }
      }
    }
  }

  /// One line: control characters escaped, cut at `lineBytesMax`, ended by LF.
  static func line(_ level: LogLevel, _ text: String, at wall: Int64) -> [UInt8] {
    let word: StaticString =
      switch level {
      case .debug: "debug"
      case .info: "info"
      case .warning: "warning"
      case .error: "error"
      }
    var line = Array("\(UTCTime(microseconds: wall)) \(word) ".utf8)
    let digits = Array("0123456789abcdef".utf8)
    for byte in text.utf8 {
      if line.count >= lineBytesMax - 5 { break }
      switch byte {
      case 10: line.append(contentsOf: Array("\\n".utf8))
      case 0..<32, 127:
        line.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]])
      default: line.append(byte)
      }
    }
    line.append(10)
    return line
  }
}
