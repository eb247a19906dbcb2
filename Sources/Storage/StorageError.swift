/// What went wrong with a file: which, in what operation, and why, in words for an operator.
public struct StorageError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable {
    /// The operating system refused an operation; `errno` says why.
    case system
    /// The disk, or the quota, is full (ENOSPC, EDQUOT). What was asked did not happen; it may succeed later.
    case noSpace
    /// The process, or the machine, has no file descriptor left (EMFILE, ENFILE). As with `noSpace`.
    case noDescriptors
    /// A sync or a write of acknowledged data failed. The kernel may have dropped the pages, and the next sync would
    /// lie, so the process must end at once and start anew.
    case fatal
    /// Bytes read back are not those that were written.
    case damaged
    /// The file was written by a newer format than this program knows.
    case tooNew
    /// Another process holds the directory's lock.
    case locked
    /// The caller's position is not the next one, or the record is larger than the limit.
    case refused
  }
  public var kind: Kind
  public var path: String
  /// The operation, as a verb: "open", "sync".
  public var operation: String
  /// The byte offset in the file, where one is known.
  public var offset: UInt64?
  /// The C error number, 0 when the operating system had no part in it.
  public var errno: Int32
  /// Why, in words.
  public var reason: String

  public init(
    _ kind: Kind, path: String, operation: String, offset: UInt64? = nil, errno: Int32 = 0, reason: String
  ) {
    self.kind = kind
    self.path = path
    self.operation = operation
    self.offset = offset
    self.errno = errno
    self.reason = reason
  }

  /// Whether the process must end: nothing may be acknowledged after this.
  public var isFatal: Bool { kind == .fatal }

  /// Whether what was asked did not happen for want of something that may be there later: room, or descriptors.
  public var isShortage: Bool { kind == .noSpace || kind == .noDescriptors }

  /// Whether the device failed (EIO), and not the request.
  public var isOfTheDevice: Bool { errno == 5 }
  /// Whether bytes cannot be read at all: as good as rotten.
  public var isUnreadable: Bool { isOfTheDevice && operation == "read" }

  /// One line: `cannot sync data/wal/…: Input/output error`, or `data/wal/… at byte 8192: …` for damage.
  public var description: String {
    let place = offset.map { "\(path) at byte \($0)" } ?? path
    switch kind {
    case .damaged: return "\(place) is damaged: \(reason)"
    case .tooNew: return "\(place): \(reason)"
    default: return "cannot \(operation) \(place): \(reason)"
    }
  }

  func asFatal() -> StorageError {
    var copy = self
    copy.kind = .fatal
    return copy
  }
}
