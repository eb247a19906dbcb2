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
/// Load is 3/8 to 3/4: 10.7 to 21.3 bytes a key. Cost: find is one cache miss; an insert the same, and some 5 µs when a
/// page splits. Doubling the directory copies 4 bytes an entry, about one or two entries a page.
struct HashIndex: ~Copyable {
  /// How many values there are.
  private(set) var count = 0

  init(_ pool: borrowing PagePool)

  /// The first value under `hash` that `matches` accepts; nil if there is none. `matches` compares the record's key: it
  /// is asked about all values with the same hash and, rarely, about another. Values are never 0.
  @inline(__always) func find(_ hash: UInt64, _ matches: (UInt32) -> Bool) -> UInt32?

  /// Adds a value, which must not be 0. Does not look whether it is there already. The hash may be any 64-bit number
  /// that equal keys share: it is remixed here, so a transaction number will do, or a hash whose top bits are the slot.
  mutating func insert(_ hash: UInt64, _ value: UInt32)

  /// Removes a value; false if it was not there.
  @discardableResult mutating func remove(_ hash: UInt64, _ value: UInt32) -> Bool

  /// Puts `new` in the place of `old`; false if `old` was not there.
  @discardableResult mutating func replace(_ hash: UInt64, _ old: UInt32, with new: UInt32) -> Bool

  /// Cells moved by growth since the index began: what tests bound for each insert.
  private(set) var movedCells: UInt64 = 0

  borrowing func freeze(into snapshot: inout SnapshotBuilder)
  init<Source: SnapshotSource>(_ pool: borrowing PagePool, restoring source: inout SnapshotReader<Source>) throws
}
