/// Errors by code, counted without making a string of each.
struct ErrorCounts: Sendable {
  private var words: [UInt64] = []
  private var counts: [UInt64] = []
  private(set) var samples: [String] = []
  private var pairs: [(code: String, count: UInt64)] = []

  /// `line` is what follows the `-`. A code's first eight letters tell it apart.
  mutating func count(_ line: UnsafeRawBufferPointer) {
    var key: UInt64 = 0
    for byte in line.prefix(8) {
      if byte == 32 { break }
      key = key << 8 | UInt64(byte)
    }
    for i in words.indices where words[i] == key {
      counts[i] += 1
      return
    }
    guard words.count < 64 else { return }
    words.append(key)
    counts.append(1)
    samples.append(String(decoding: line.prefix(200), as: UTF8.self))
  }

  /// Counts what has no error line, such as a lost connection, under a word of our own.
  mutating func count(_ code: String, by n: UInt64 = 1) {
    guard n > 0 else { return }
    if let i = pairs.firstIndex(where: { $0.code == code }) {
      pairs[i].count += n
    } else {
      pairs.append((code, n))
    }
  }

  /// Code and count, sorted by code.
  var byCode: [(code: String, count: UInt64)] {
    var all = pairs
    for (i, sample) in samples.enumerated() {
      let code = String(sample.prefix { $0 != " " })
      if let at = all.firstIndex(where: { $0.code == code }) {
        all[at].count += counts[i]
      } else {
        all.append((code, counts[i]))
      }
    }
    return all.sorted { $0.code < $1.code }
  }
  var total: UInt64 { byCode.reduce(0) { $0 + $1.count } }

  mutating func merge(_ other: ErrorCounts) {
    for (code, n) in other.byCode { count(code, by: n) }
    mergedSamples += other.samples
  }
  private var mergedSamples: [String] = []
  /// One whole error line a code.
  var examples: [String] {
    var seen: Set<String> = []
    return (samples + mergedSamples).filter { seen.insert(String($0.prefix { $0 != " " })).inserted }
  }
}
