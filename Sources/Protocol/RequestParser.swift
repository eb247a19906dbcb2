import Base

/// Turns bytes of a connection into validated requests. It keeps nothing about a connection (`Framing` does): one
/// parser serves all connections of a thread, and allocates nothing after `init` but the text of errors.
public struct RequestParser: ~Copyable {
  /// The longest line, without its end; a RESP request may have as many bytes in all.
  public static let maximumLineBytes = 65_536
  public static let maximumWords = 256
  /// A caller must be able to hold this many unconsumed bytes of a connection: then `incomplete` means that room is
  /// left for more, and every request is either taken or skipped.
  public static let maximumBufferedBytes = maximumLineBytes + 2

  /// What was found at the front of the bytes. Every case but `incomplete` consumes at least one byte.
  public enum Step {
    /// `request` is valid until the next call.
    case request(consumed: Int)
    /// Nothing can be said without more bytes; fewer than `maximumBufferedBytes` are kept.
    case incomplete
    /// Nothing to answer: a blank line, or part of what is being skipped.
    case empty(consumed: Int)
    /// A request that is answered with `-ERR message`; the connection goes on.
    case refused(consumed: Int, message: String)
    /// Answer with `-ERR message` and close: the framing is lost.
    case fatal(message: String)
  }

  /// The last request found.
  public internal(set) var request: Request

  public init() { preconditionFailure("being written") }
  /// Looks at the front of `bytes`, which begin with the first byte not yet consumed. O(consumed).
  public mutating func next(_ bytes: UnsafeRawBufferPointer, _ framing: inout Framing) -> Step { .incomplete }
}
