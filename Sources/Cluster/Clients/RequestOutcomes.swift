import Base
import Vocabulary

/// How many requests of each verb were answered how, since the start. Counting one costs an addition.
final class RequestOutcomes {
  /// Rows by `VerbSpec.number`, columns by the code of the error; 0: none.
  private var counts: UnsafeMutablePointer<UInt64>
  private static let columns = 32
  private static let size = VerbRule.capacity * columns

  init() {
    counts = .allocate(capacity: RequestOutcomes.size)
    counts.initialize(repeating: 0, count: RequestOutcomes.size)
  }
  deinit { counts.deallocate() }

  /// - Parameters:
  ///   - verb: 0: none that somebody said.
  ///   - outcome: see `outcome(of:)`.
  @inline(__always) func note(_ verb: UInt16, _ outcome: UInt8) {
    counts[Int(verb) &* RequestOutcomes.columns &+ Int(outcome & 31)] &+= 1
  }
  /// Of an encoded reply.
  @inline(__always) static func outcome(of reply: UnsafeRawBufferPointer) -> UInt8 {
    reply.count > 1 && reply[0] == ReplyTag.error.rawValue ? reply[1] : 0
  }
  /// Of one that begins with that byte where it was rendered.
  static func outcome(ofRendered first: UInt8?) -> UInt8 {
    first == UInt8(ascii: "-") ? ErrorCode.malformed.rawValue : 0
  }

  /// Those that there were, in the order of the vocabulary.
  var all: [(verb: String, outcome: String, count: UInt64)] {
    VerbSpec.all.flatMap { spec -> [(verb: String, outcome: String, count: UInt64)] in
      let row = counts + Int(spec.number) * RequestOutcomes.columns
      return (0..<RequestOutcomes.columns).compactMap { column in
        guard row[column] > 0 else { return nil }
        let code = ErrorCode(rawValue: UInt8(column)).map { "\($0.word)" }
        return (spec.words.joined(separator: " "), column == 0 ? "OK" : code ?? "\(column)", row[column])
      }
    }
  }
}
