import Base

/// Replies to bytes: RESP2, where a record is one line of `key=value`, or RESP3, where it is a map.
public enum ReplyRenderer {
  /// Renders the reply at the front of `reply` (`ReplyWriter` wrote it) and gives how many of its bytes that was.
  /// Throws if no `ReplyWriter` wrote it; `output` is then as it was.
  @discardableResult public static func render(
    _ reply: UnsafeRawBufferPointer, resp3: Bool, into output: inout ByteBuffer
  ) throws(MalformedBytes) -> Int { 0 }
  public static func ok(into output: inout ByteBuffer) {}
  public static func error(_ code: ErrorCode, _ text: String, into output: inout ByteBuffer) {}
  public static func simple(_ text: String, into output: inout ByteBuffer) {}
  public static func integer(_ value: Int64, into output: inout ByteBuffer) {}
  public static func bulk(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer) {}
  public static func bulk(_ text: String, into output: inout ByteBuffer) {}
  public static func null(resp3: Bool, into output: inout ByteBuffer) {}
  public static func array(count: Int, into output: inout ByteBuffer) {}
  /// Opens a map of `count` pairs; in RESP2 an array of twice as many.
  public static func map(count: Int, resp3: Bool, into output: inout ByteBuffer) {}
}
