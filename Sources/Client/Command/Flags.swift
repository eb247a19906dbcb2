/// The flags of one command: `--key value`, `--key=value` or `--switch`, and the words between them.
struct Flags: Sendable {
  private var values: [String: String] = [:]
  private var switches: Set<String> = []
  /// The words that are no flags, in order.
  private(set) var words: [String] = []

  /// Throws `.usage`, naming the flag: unknown, without its value, given twice.
  init(_ arguments: [String], accepting known: [Flag]) throws(ClientError) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--" {
        words += rest
        return
      }
      guard argument.hasPrefix("-"), argument != "-" else {
        words.append(argument)
        continue
      }
      let dashes = argument.hasPrefix("--") ? 2 : 1
      let parts = argument.dropFirst(dashes).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let key = parts.first.map(String.init) ?? ""
      guard let flag = known.first(where: { $0.name == key }) else {
        throw .usage("unknown flag \(argument.split(separator: "=").first ?? "")")
      }
      if flag.value == nil {
        guard parts.count == 1 else { throw .usage("\(argument): --\(key) takes no value") }
        switches.insert(key)
      } else {
        guard let value = parts.count > 1 ? String(parts[1]) : rest.popFirst() else {
          throw .usage("\(argument) needs a value")
        }
        // Where a command is about a node, `--to` names that as well as whom to ask.
        let isNode = key == "to" && !value.contains(":") && known.contains { $0.name == Flag.node.name }
        // Where it may post, `--to` names a URL as well.
        let isURL = key == "to" && value.contains("://") && known.contains { $0.name == "to-url" }
        let name = isNode ? Flag.node.name : isURL ? "to-url" : key
        guard values[name] == nil else { throw .usage("--\(key) is given twice") }
        values[name] = value
      }
    }
  }

  func has(_ key: String) -> Bool { switches.contains(key) || values[key] != nil }
  subscript(_ key: String) -> String? { values[key] }

  /// A whole number within bounds, or what stands there instead of the flag.
  func integer(_ key: String, or standard: Int, in bounds: ClosedRange<Int>) throws(ClientError) -> Int {
    guard let text = values[key] else { return standard }
    let plain = text.replacing("_", with: "").replacing(",", with: "")
    var scale = 1
    var digits = plain[...]
    if let last = plain.last, let factor = ["k": 1_000, "K": 1_000, "M": 1_000_000][last] {
      scale = factor
      digits = plain.dropLast()
    }
    guard let number = Int(digits), case let (value, isTooLarge) = number.multipliedReportingOverflow(by: scale),
      !isTooLarge, bounds.contains(value)
    else {
      throw .usage("--\(key) \(text): a whole number from \(bounds.lowerBound) to \(bounds.upperBound) is wanted")
    }
    return value
  }
  /// A decimal number within bounds.
  func number(_ key: String, or standard: Double, in bounds: ClosedRange<Double>) throws(ClientError) -> Double {
    guard let text = values[key] else { return standard }
    guard let value = Double(text), bounds.contains(value) else {
      throw .usage("--\(key) \(text): a number from \(bounds.lowerBound) to \(bounds.upperBound) is wanted")
    }
    return value
  }
}
