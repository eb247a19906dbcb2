/// What the command line asks for.
struct Arguments {
  enum Wish {
    case one(UInt64)
    case many(ClosedRange<UInt64>)
    /// A child of `many`: as that, in this process, with a line before and after each scenario.
    case worker(ClosedRange<UInt64>)
  }
  var wish: Wish
  var isTraced = false
  var jobs = 1
  /// Where the history goes.
  var history: String?

  static let usage =
    "usage: tally-sim --seed N [--trace] [--history FILE] | --seeds A..B [--jobs J] | check FILE | story FILE…"

  struct Mistake: Error { let text: String }

  init(_ words: [String]) throws(Mistake) {
    var found: Wish?
    var rest = words[...]
    while let flag = rest.popFirst() {
      if flag == "--trace" {
        isTraced = true
        continue
      }
      guard ["--seed", "--seeds", "--worker", "--jobs", "--history"].contains(flag) else {
        throw Mistake(text: "\(flag) is not known; \(Arguments.usage)")
      }
      guard let value = rest.popFirst() else { throw Mistake(text: "\(flag) needs a value; \(Arguments.usage)") }
      switch flag {
      case "--seed": found = .one(try Arguments.number(flag, value))
      case "--seeds": found = .many(try Arguments.range(flag, value))
      case "--worker": found = .worker(try Arguments.range(flag, value))
      case "--jobs":
        jobs = Int(try Arguments.number(flag, value))
        guard (1...256).contains(jobs) else { throw Mistake(text: "--jobs must be 1 to 256, not \(value)") }
      default: history = value
      }
    }
    guard let found else { throw Mistake(text: Arguments.usage) }
    if case .one = found {
    } else if isTraced || history != nil {
      throw Mistake(text: "--trace and --history are of one scenario: name it by --seed N")
    }
    wish = found
  }

  private static func number(_ flag: String, _ text: String) throws(Mistake) -> UInt64 {
    guard let number = UInt64(text) else { throw Mistake(text: "\(flag) must be a whole number, not \(text)") }
    return number
  }
  private static func range(_ flag: String, _ text: String) throws(Mistake) -> ClosedRange<UInt64> {
    let ends = text.split(separator: ".", omittingEmptySubsequences: true).compactMap { UInt64($0) }
    guard text.contains(".."), ends.count == 2, ends[0] <= ends[1] else {
      throw Mistake(text: "\(flag) must be like 1..1000, not \(text)")
    }
    return ends[0]...ends[1]
  }
}
