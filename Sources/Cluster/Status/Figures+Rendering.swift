import Base

// The text that Prometheus reads, version 0.0.4.

extension Metric {
  /// As `/metrics` names it: with the product in front, in base units, and a counter ends in `_total`. Nil: it is not shown.
  var exposedName: String? {
    var name = "\(name)"
    switch kind {
    case .fact: return nil
    case .counter:
      // Those of INFO are told apart from those that are counted by verb.
      if name == "requests" && "\(labels)".isEmpty { name = "requests_understood" }
      name += "_total"
    case .gauge, .histogram: break
    }
    switch unit {
    case .none: break
    case .bytes: if !name.hasSuffix("_bytes") { name += "_bytes" }
    case .microseconds: name = String(name.dropLast("_us".utf8.count)) + "_seconds"
    case .milliseconds: name = String(name.dropLast("_ms".utf8.count)) + "_seconds"
    case .permille: name = String(name.dropLast("_permille".utf8.count)) + "_ratio"
    case .seconds: name += "_seconds"
    }
    return "tally_\(name)"
  }
  /// How many digits of its values stand behind the point.
  fileprivate var decimals: Int {
    switch unit {
    case .microseconds: 6
    case .milliseconds, .permille: 3
    case .none, .bytes, .seconds: 0
    }
  }
}

extension Figures {
  /// All of them as text. Some 3 ms for 500 shards.
  public func rendered() -> [UInt8] {
    var text = Exposition()
    for family in Figures.families { text.family(family.metric) { family.write(self, &$0) } }
    for (metric, value) in plain {
      guard metric.kind != .fact, let number = Int64(value) else { continue }
      text.family(metric) { $0.sample([], Exposition.decimal(number, metric.decimals)) }
    }
    return text.bytes
  }
}

/// Families of samples, as text.
struct Exposition {
  private(set) var bytes: [UInt8] = []
  private var name = ""

  init() { bytes.reserveCapacity(64 << 10) }

  /// One that has no sample is left out.
  mutating func family(_ metric: Metric, _ write: (inout Exposition) -> Void) {
    guard let name = metric.exposedName else { return }
    self.name = name
    let mark = bytes.count
    append("# HELP \(name) \(metric.help)\n# TYPE \(name) \(metric.kind.rawValue)\n")
    let begun = bytes.count
    write(&self)
    if bytes.count == begun { bytes.removeSubrange(mark...) }
  }
  mutating func sample(_ labels: [(String, String)], suffix: StaticString = "", _ value: String) {
    append(name)
    append("\(suffix)")
    for (i, label) in labels.enumerated() {
      append(i == 0 ? "{" : ",")
      append(label.0)
      append("=\"")
      for byte in label.1.utf8 { append(escaped: byte) }
      append("\"")
    }
    append(labels.isEmpty ? " " : "} ")
    append(value)
    append("\n")
  }
  mutating func histogram(_ histogram: Histogram) {
    var count: UInt64 = 0
    for place in histogram.counts.indices {
      count += histogram.counts[place]
      let bound = place < Histogram.bounds.count ? Exposition.decimal(Int64(Histogram.bounds[place]), 6) : "+Inf"
      sample([("le", bound)], suffix: "_bucket", "\(count)")
    }
    sample([], suffix: "_sum", Exposition.decimal(Int64(clamping: histogram.sum), 6))
    sample([], suffix: "_count", "\(count)")
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }
  private mutating func append(escaped byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\\"), UInt8(ascii: "\""):
      bytes.append(UInt8(ascii: "\\"))
      bytes.append(byte)
    case 0x0A: bytes.append(contentsOf: "\\n".utf8)
    default: bytes.append(byte)
    }
  }

  /// A number whose last digits stand behind a point, without zeros at the end.
  static func decimal(_ value: Int64, _ digits: Int) -> String {
    guard digits > 0 else { return "\(value)" }
    var scale: UInt64 = 1
    for _ in 0..<digits { scale *= 10 }
    var fraction = "\(value.magnitude % scale)"
    fraction = String(repeating: "0", count: digits - fraction.utf8.count) + fraction
    while fraction.hasSuffix("0") { fraction.removeLast() }
    let whole = (value < 0 ? "-" : "") + "\(value.magnitude / scale)"
    return fraction.isEmpty ? whole : "\(whole).\(fraction)"
  }
}
