/// An index from 64-bit hashes to record numbers, covered by snapshots.
///
/// A cell is 8 bytes: 32 bits of the (remixed) hash and the 32-bit number, so that a find reads a record that is not
/// the one sought once in some 2^32 / count times, and growing never asks for a hash again.
///
/// Growth: extendible hashing (Fagin et al. 1979). The top bits of the 32 choose a page through a directory, the low
/// bits a cell within it, by linear probing. A page that is three quarters full splits in two, alone: so one insert moves
/// at most the cells of one page, no find ever looks in two places, and a snapshot copies only pages that changed.
/// Keys chosen to collide cannot be split apart; they get a chain of pages, and cost only those who ask for them.
///
/// Load is 3/8 to 3/4: 10.7 to 21.3 bytes a value. Cost: find is one cache miss; an insert the same, and some 10 µs when
/// a page splits. Doubling the directory copies 4 bytes an entry, one to four entries a page.
struct HashIndex: StateTable, ~Copyable {
  var table = PageTable()
  var infos: UnsafeMutablePointer<PageInfo>
  var infoRoom: Int
  /// The page of each value of the top `depth` bits.
  var directory: UnsafeMutablePointer<UInt32>
  var depth: UInt32 = 0
  var hasChains = false
  /// How many values there are.
  var count = 0
  /// Cells moved by growth since the index began or was restored: what tests bound for each insert.
  var movedCells: UInt64 = 0

  /// What is known of a page beside its cells.
  struct PageInfo: BitwiseCopyable {
    /// The top `depth` bits that all tags in the page share.
    var prefix: UInt32
    var depth: UInt32
    var count: UInt32
    /// The next page of the chain; 0 for none.
    var next: UInt32
    /// The prefix of a page that only a chain leads to.
    static let link = UInt32.max
    var isLink: Bool { prefix == Self.link }
  }

  static let cellsPerPage = pageByteCount / 8
  /// A page with this many values splits before it takes another.
  static let splitCount = UInt32(cellsPerPage / 4 * 3)
  /// A page with this many values takes no other. Below the number of cells, so that a probe always ends.
  static let fullCount = UInt32(cellsPerPage / 16 * 15)
  /// Prefix bits and cell bits of a tag do not overlap.
  static let maximumDepth = UInt32(32 - cellsPerPage.trailingZeroBitCount)
  static var cellMask: Int { cellsPerPage - 1 }

  init() {
    infoRoom = 16
    infos = .allocate(capacity: infoRoom)
    directory = .allocate(capacity: 1)
    directory.initialize(to: 0)
    infos.initialize(to: PageInfo(prefix: 0, depth: 0, count: 0, next: 0))
  }
  mutating func attach(_ pool: UnsafeMutablePointer<PoolState>) {
    table.attach(pool)
    table.append()
  }
  deinit {
    infos.deallocate()
    directory.deallocate()
  }

  /// The 32 bits of a hash that are kept. Two rounds of multiplication (after Stafford's variants of MurmurHash3's
  /// finaliser), since callers' hashes share their top bits within a shard, or count up.
  @inline(__always) private static func tag(_ hash: UInt64) -> UInt32 {
    var mixed = (hash ^ hash &>> 32) &* 0xD6E8_FEB8_6659_FD93
    mixed = (mixed ^ mixed &>> 32) &* 0xD6E8_FEB8_6659_FD93
    return UInt32(truncatingIfNeeded: mixed &>> 32)
  }
  @inline(__always) private static func cell(_ tag: UInt32, _ value: UInt32) -> UInt64 {
    UInt64(tag) &<< 32 | UInt64(value)
  }
  @inline(__always) private func page(of tag: UInt32) -> Int {
    Int(directory[Int(UInt64(tag) &>> UInt64(32 &- depth))])
  }
  @inline(__always) func cells(_ page: Int) -> UnsafeMutablePointer<UInt64> {
    table.read(page).assumingMemoryBound(to: UInt64.self)
  }

  /// The first value under `hash` that `matches` accepts; nil if there is none. `matches` compares the record's key: it
  /// is asked about all values with the same hash and, rarely, about another. Values are never 0.
  @inline(__always) func find(_ hash: UInt64, _ matches: (UInt32) -> Bool) -> UInt32? {
    let tag = Self.tag(hash)
    var page = page(of: tag)
    while true {
      let cells = cells(page)
      var at = Int(tag) & Self.cellMask
      while true {
        let cell = cells[at]
        if cell == 0 { break }
        let value = UInt32(truncatingIfNeeded: cell)
        if UInt32(truncatingIfNeeded: cell &>> 32) == tag && matches(value) { return value }
        at = (at &+ 1) & Self.cellMask
      }
      if !hasChains { return nil }
      page = Int(infos[page].next)
      if page == 0 { return nil }
    }
  }

  /// The cell where a search for `hash` begins, whatever it holds: a load that no branch waits for, so that many can be
  /// under way at once before the searches themselves.
  @inline(__always) func firstCell(_ hash: UInt64) -> UInt64 {
    let tag = Self.tag(hash)
    return cells(page(of: tag))[Int(tag) & Self.cellMask]
  }

  /// Adds a value, which must not be 0. Does not look whether it is there already. The hash may be any 64-bit number
  /// that equal keys share: it is remixed here, so a transaction number will do, or a hash whose top bits are the slot.
  mutating func insert(_ hash: UInt64, _ value: UInt32) {
    precondition(value != 0, "0 is an empty cell")
    let tag = Self.tag(hash)
    var page = page(of: tag)
    if infos[page].count >= Self.splitCount && split(page) { page = self.page(of: tag) }
    while infos[page].count >= Self.fullCount {
      if infos[page].next == 0 { chain(page) }
      page = Int(infos[page].next)
    }
    Self.place(Self.cell(tag, value), in: table.write(page).assumingMemoryBound(to: UInt64.self))
    infos[page].count &+= 1
    count &+= 1
  }

  /// Removes a value; false if it was not there.
  @discardableResult mutating func remove(_ hash: UInt64, _ value: UInt32) -> Bool {
    guard let (page, at) = locate(Self.cell(Self.tag(hash), value)) else { return false }
    Self.close(at, in: table.write(page).assumingMemoryBound(to: UInt64.self))
    infos[page].count -= 1
    count -= 1
    return true
  }

  /// Puts `new` (not 0) in the place of `old`; false if `old` was not there.
  @discardableResult mutating func replace(_ hash: UInt64, _ old: UInt32, with new: UInt32) -> Bool {
    precondition(new != 0, "0 is an empty cell")
    let tag = Self.tag(hash)
    guard let (page, at) = locate(Self.cell(tag, old)) else { return false }
    table.write(page).assumingMemoryBound(to: UInt64.self)[at] = Self.cell(tag, new)
    return true
  }

  /// Where a cell is.
  private func locate(_ sought: UInt64) -> (page: Int, at: Int)? {
    precondition(UInt32(truncatingIfNeeded: sought) != 0, "0 is an empty cell")
    let tag = UInt32(truncatingIfNeeded: sought &>> 32)
    var page = page(of: tag)
    while true {
      let cells = cells(page)
      var at = Int(tag) & Self.cellMask
      while cells[at] != 0 {
        if cells[at] == sought { return (page, at) }
        at = (at &+ 1) & Self.cellMask
      }
      page = Int(infos[page].next)
      if page == 0 { return nil }
    }
  }

  /// Puts a cell in the first empty place from its own on.
  @inline(__always) static func place(_ cell: UInt64, in cells: UnsafeMutablePointer<UInt64>) {
    var at = Int(truncatingIfNeeded: cell &>> 32) & cellMask
    while cells[at] != 0 { at = (at &+ 1) & cellMask }
    cells[at] = cell
  }

  /// Empties a cell and moves back those behind it that would no longer be found (Knuth, 6.4, algorithm R).
  private static func close(_ at: Int, in cells: UnsafeMutablePointer<UInt64>) {
    var hole = at
    var next = (at &+ 1) & cellMask
    while cells[next] != 0 {
      let home = Int(truncatingIfNeeded: cells[next] &>> 32) & cellMask
      if (next &- home) & cellMask >= (next &- hole) & cellMask {
        cells[hole] = cells[next]
        hole = next
      }
      next = (next &+ 1) & cellMask
    }
    cells[hole] = 0
  }
}
