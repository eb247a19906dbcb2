/// What a connection's owner keeps between calls of the parser, beside the bytes not yet consumed: how far those are
/// known to hold no end of line, and what is still to be thrown away of a request that was too long.
public struct Framing: Sendable, BitwiseCopyable {
  enum Skip: UInt8, Sendable, BitwiseCopyable {
    case nothing
    /// Up to and with the next LF.
    case line
    /// `bytes` of a bulk string, then `bulks` more bulk strings.
    case bulks
    /// The connection is lost: everything.
    case everything
  }
  var skip = Skip.nothing
  var scanned: UInt32 = 0
  var bulks: UInt32 = 0
  var bytes: Int = 0

  public init() {}
}
