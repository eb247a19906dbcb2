import OpenSSL
import System

/// Bytes on their way to a socket, in order. A single piece is never copied; small ones are joined, so that a turn's
/// output costs one system call.
struct OutputQueue {
  private var chunks: [[UInt8]] = []
  private var head = 0
  private var sent = 0
  /// Bytes not yet taken by the kernel.
  private(set) var byteCount = 0

  private static let joinedBytesMax = 64 << 10

  enum Progress {
    case drained
    /// The kernel takes no more for now.
    case blocked
    /// The connection is of no use any more; `errno`.
    case failed(Int32)
  }

  var isEmpty: Bool { byteCount == 0 }

  mutating func append(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    byteCount += bytes.count
    if chunks.count > head, chunks[chunks.count - 1].count + bytes.count <= OutputQueue.joinedBytesMax {
      chunks[chunks.count - 1].append(contentsOf: bytes)
    } else {
      chunks.append(bytes)
    }
  }

  /// Hands over as much as the kernel takes. One system call a chunk.
  mutating func send(to stream: inout SecureStream) -> Progress {
    if stream.unsentCount > 0 {
      switch stream.flush() {
      case .moved: break
      case .wouldBlock: return .blocked
      case .failed(let code): return .failed(code)
      case .ended: return .failed(0)
      }
    }
    while head < chunks.count {
      let count = chunks[head].count
      let result = chunks[head].withUnsafeBytes { bytes in
        stream.send(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
      }
      switch result {
      case .moved(let n):
        sent += n
        byteCount -= n
        guard sent == count else {
          // A socket that took a part is full: asking again would only say so. TLS takes a few records at a time.
          if stream.isSecure && stream.unsentCount == 0 { continue }
          return .blocked
        }
        chunks[head] = []
        head += 1
        sent = 0
      case .wouldBlock: return compact()
      case .failed(let code): return .failed(code)
      case .ended: return .failed(0)
      }
    }
    chunks.removeAll(keepingCapacity: chunks.capacity <= 16)
    head = 0
    return stream.unsentCount == 0 ? .drained : .blocked
  }
  /// Forgets the places of chunks that are gone.
  private mutating func compact() -> Progress {
    if head >= 64 && head * 2 >= chunks.count {
      chunks.removeFirst(head)
      head = 0
    }
    return .blocked
  }
}
