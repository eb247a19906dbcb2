import Base
import Vocabulary

/// Turns bytes of a connection into validated requests. It keeps nothing about a connection (`Framing` does): one
/// parser serves all connections of a thread, and allocates nothing after `init` but the text of errors.
public struct RequestParser: ~Copyable {
  /// The longest line, without its end; a RESP request may have two bytes more in all.
  public static let maximumLineBytes = 65_536
  public static let maximumWords = VerbSpec.mostWords
  /// A caller must be able to hold this many unconsumed bytes of a connection: at that many the answer is never
  /// `incomplete`.
  public static let maximumBufferedBytes = maximumLineBytes + 2

  /// What was found at the front of the bytes. Every case but `incomplete` and `fatal` consumes at least one byte.
  public enum Step {
    /// `request` is valid until the next call.
    case request(consumed: Int)
    /// Nothing can be said without more bytes.
    case incomplete
    /// Nothing to answer: a blank line, or part of what is being skipped.
    case empty(consumed: Int)
    /// A request that is answered with `-ERR message`; the connection goes on.
    case refused(consumed: Int, message: String)
    /// Answer with `-ERR message` and close: the framing is lost. Whatever follows is consumed as `empty`.
    case fatal(message: String)
  }

  /// A word of a request and where its first `=` is, or −1.
  struct Word: BitwiseCopyable {
    var start: UnsafeRawPointer
    var count: Int
    var equals: Int
    @inline(__always) var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
  }

  /// The last request found.
  public internal(set) var request: Request
  let language: Language
  let vocabulary: VerbWords
  let rules: UnsafePointer<VerbRule>
  let classes = ByteClass.table
  let words: UnsafeMutablePointer<Word>
  /// By place; a verb of a connection has as many places as words.
  let values: UnsafeMutablePointer<ArgumentValue>
  /// Unescaped words: never more than the line they come from.
  let scratch: UnsafeMutableRawPointer
  var scratchUsed = 0

  /// The scope and the rest of a request about entries.
  var entryBytes = ByteBuffer(capacity: 1024)

  public init(_ language: Language = .standard) {
    self.language = language
    vocabulary = VerbWords(language)
    rules = language.rules
    words = .allocate(capacity: RequestParser.maximumWords)
    values = .allocate(capacity: RequestParser.maximumWords)
    scratch = .allocate(byteCount: RequestParser.maximumLineBytes, alignment: 16)
    request = Request(rule: VerbRule.of(.ping), form: .line, values: values)
  }
  deinit {
    words.deallocate()
    values.deallocate()
    scratch.deallocate()
  }

  /// Looks at the front of `bytes`, which begin with the first byte not yet consumed of a connection. What
  /// the step consumed is then dropped by the caller, and what is behind it given again.
  ///
  /// O(consumed), and never more than O(`maximumBufferedBytes`).
  public mutating func next(_ bytes: UnsafeRawBufferPointer, _ framing: inout Framing) -> Step {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return .incomplete }
    guard framing.skip == .nothing else { return skip(bytes, &framing) }
    return base.load(as: UInt8.self) == UInt8(ascii: "*") ? nextArray(bytes, &framing) : nextLine(bytes, &framing)
  }

  /// Makes a request of the first `count` words, at least one.
  @inline(__always) mutating func step(words count: Int, consumed: Int, form: Request.Form, _ framing: inout Framing)
    -> Step
  {
    do throws(Refusal) {
      try interpret(count)
      request.form = form
      return .request(consumed: consumed)
    } catch {
      return refusal(error, consumed, form, &framing)
    }
  }

  @inline(never) func refusal(
    _ refusal: Refusal, _ consumed: Int, _ form: Request.Form, _ framing: inout Framing
  ) -> Step {
    guard refusal.isFatal && form == .line else { return .refused(consumed: consumed, message: refusal.message) }
    return fatal(refusal.message, &framing)
  }

  func fatal(_ message: String, _ framing: inout Framing) -> Step {
    framing.skip = .everything
    return .fatal(message: message)
  }
}
