/// Configurations of a search, each once, in the order they came.
///
/// A configuration is `stride` words: the member's balance, how much of it is held, and one bit for each action under way
/// that says whether it has taken effect. The bits decide the other two.
struct ConfigurationSet {
  let stride: Int
  private(set) var words: [UInt64] = []
  private(set) var count = 0
  /// Places of configurations plus 1, by hash; 0 is free. Used from `linearLimit` configurations on.
  private var table: [UInt32] = []
  private static let linearLimit = 8

  init(stride: Int) { self.stride = stride }

  mutating func removeAll() {
    words.removeAll(keepingCapacity: true)
    count = 0
    if !table.isEmpty { table = [] }
  }

  @inline(__always) func copy(_ index: Int, to node: UnsafeMutablePointer<UInt64>) {
    let start = index * stride
    for i in 0..<stride { node[i] = words[start + i] }
  }

  @inline(__always) func hasBit(_ bit: Int, at index: Int) -> Bool {
    words[index * stride + 2 + bit >> 6] >> UInt64(bit & 63) & 1 == 1
  }

  /// False if it was there.
  @discardableResult
  mutating func insert(_ node: UnsafePointer<UInt64>) -> Bool {
    if count < ConfigurationSet.linearLimit {
      for index in 0..<count where equals(index, node) { return false }
    } else {
      if table.count < count * 2 { grow() }
      let mask = table.count - 1
      var cell = ConfigurationSet.hash(node, stride) & mask
      while table[cell] != 0 {
        if equals(Int(table[cell] - 1), node) { return false }
        cell = (cell + 1) & mask
      }
      table[cell] = UInt32(count + 1)
    }
    words.append(contentsOf: UnsafeBufferPointer(start: node, count: stride))
    count += 1
    return true
  }

  /// Keeps the configurations for which fewest bits are set from `firstBit` on.
  mutating func keep(_ limit: Int, fewestFrom firstBit: Int) {
    guard count > limit else { return }
    let order = (0..<count).map { (bits: bitCount($0, from: firstBit), index: $0) }.sorted { $0 < $1 }
    var kept = ConfigurationSet(stride: stride)
    words.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      for entry in order.prefix(limit) { kept.insert(base + entry.index * stride) }
    }
    self = kept
  }

  /// The bits that are set in all configurations, as words of a configuration.
  func commonBits() -> [UInt64] {
    guard count > 0 else { return [UInt64](repeating: 0, count: stride) }
    var common = Array(words[0..<stride])
    for index in 1..<max(count, 1) {
      for i in 2..<stride { common[i] &= words[index * stride + i] }
    }
    return common
  }

  private func bitCount(_ index: Int, from firstBit: Int) -> Int {
    var bits = 0
    for i in firstBit >> 6..<stride - 2 {
      var word = words[index * stride + 2 + i]
      if i == firstBit >> 6 { word &= ~0 << UInt64(firstBit & 63) }
      bits += word.nonzeroBitCount
    }
    return bits
  }

  @inline(__always) private func equals(_ index: Int, _ node: UnsafePointer<UInt64>) -> Bool {
    let start = index * stride
    var i = stride - 1
    while i >= 0 {
      if words[start + i] != node[i] { return false }
      i -= 1
    }
    return true
  }

  private mutating func grow() {
    var capacity = 64
    while capacity < count * 4 { capacity *= 2 }
    table = [UInt32](repeating: 0, count: capacity)
    let mask = capacity - 1
    words.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      for index in 0..<count {
        var cell = ConfigurationSet.hash(base + index * stride, stride) & mask
        while table[cell] != 0 { cell = (cell + 1) & mask }
        table[cell] = UInt32(index + 1)
      }
    }
  }

  private static func hash(_ node: UnsafePointer<UInt64>, _ stride: Int) -> Int {
    var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
    for i in 2..<stride {
      hash = (hash ^ node[i]) &* 0xBF58_476D_1CE4_E5B9
      hash ^= hash >> 29
    }
    return Int(truncatingIfNeeded: hash >> 8)
  }
}
