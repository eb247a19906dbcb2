/// Which versions stand under a key: event, merchant or none, dimension, word. Open addressing, at most half full; the versions
/// of a key are a chain.
struct PostingIndex: Sendable {
  struct Key: Equatable, BitwiseCopyable, Sendable {
    var event: Word
    /// `unknown`: of all merchants.
    var merchant: Word
    var dimension: Dimension
    /// `unknown` in the dimension `all`.
    var word: Word
  }
  private struct Cell: BitwiseCopyable {
    var key: Key
    /// A node's place and 1; 0: the cell is empty.
    var head: UInt32
  }
  private struct Node: BitwiseCopyable {
    var record: Int32
    var next: UInt32
  }
  private static let empty = Cell(
    key: Key(event: .unknown, merchant: .unknown, dimension: .all, word: .unknown), head: 0)
  private let seed: UInt64
  private var cells = [Cell](repeating: PostingIndex.empty, count: 16)
  private var nodes: [Node] = []
  private var free: [UInt32] = []
  private var count = 0
  /// How many postings each dimension has: of all merchants, and of some.
  private(set) var sizes = InlineArray<18, Int32>(repeating: 0)

  init(seed: UInt64) { self.seed = seed }

  @inline(__always) func has(_ dimension: Dimension, ofMerchant: Bool) -> Bool {
    sizes[PostingIndex.place(dimension, ofMerchant)] > 0
  }
  private static func place(_ dimension: Dimension, _ ofMerchant: Bool) -> Int {
    Int(dimension.rawValue) * 2 + (ofMerchant ? 1 : 0)
  }
  @inline(__always) private func hash(_ key: Key) -> UInt64 {
    var mixed = seed ^ (UInt64(key.event.number) << 32 | UInt64(key.merchant.number))
    mixed = (mixed ^ mixed >> 32) &* 0xBF58_476D_1CE4_E5B9
    mixed ^= UInt64(key.dimension.rawValue) << 32 | UInt64(key.word.number)
    mixed = (mixed ^ mixed >> 29) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 32
  }
  /// Its cell, or the empty one where it would be.
  @inline(__always) private func cell(_ key: Key) -> Int {
    let mask = cells.count &- 1
    var at = Int(truncatingIfNeeded: hash(key)) & mask
    while cells[at].head != 0, cells[at].key != key { at = (at &+ 1) & mask }
    return at
  }
  /// Gives each record under a key.
  @inline(__always) func forEach(_ key: Key, _ body: (Int32) -> Void) {
    var next = cells[cell(key)].head
    while next != 0 {
      let node = nodes[Int(next) &- 1]
      body(node.record)
      next = node.next
    }
  }

  mutating func insert(_ record: Int32, _ key: Key) {
    if (count + 1) * 2 > cells.count { grow() }
    let at = cell(key)
    if cells[at].head == 0 { count += 1 }
    let node = Node(record: record, next: cells[at].head)
    if let place = free.popLast() {
      nodes[Int(place)] = node
      cells[at] = Cell(key: key, head: place + 1)
    } else {
      nodes.append(node)
      cells[at] = Cell(key: key, head: UInt32(nodes.count))
    }
    sizes[PostingIndex.place(key.dimension, key.merchant != .unknown)] += 1
  }
  private mutating func grow() {
    let old = cells
    cells = [Cell](repeating: PostingIndex.empty, count: old.count * 2)
    for one in old where one.head != 0 { cells[cell(one.key)] = one }
  }
  /// O(records under the key).
  mutating func remove(_ record: Int32, _ key: Key) {
    let at = cell(key)
    var (before, next) = (UInt32(0), cells[at].head)
    while next != 0, nodes[Int(next) - 1].record != record { (before, next) = (next, nodes[Int(next) - 1].next) }
    guard next != 0 else { return }
    let after = nodes[Int(next) - 1].next
    if before == 0 {
      cells[at].head = after
    } else {
      nodes[Int(before) - 1].next = after
    }
    free.append(next - 1)
    sizes[PostingIndex.place(key.dimension, key.merchant != .unknown)] -= 1
    if cells[at].head == 0 {
      closeGap(at)
      count -= 1
    }
  }
  /// Moves those behind an emptied cell that would not be found any more.
  private mutating func closeGap(_ cell: Int) {
    let mask = cells.count - 1
    var (gap, at) = (cell, cell)
    while true {
      at = (at + 1) & mask
      guard cells[at].head != 0 else { break }
      let home = Int(truncatingIfNeeded: hash(cells[at].key)) & mask
      if (at - home) & mask >= (at - gap) & mask {
        cells[gap] = cells[at]
        gap = at
      }
    }
    cells[gap] = PostingIndex.empty
  }
}
