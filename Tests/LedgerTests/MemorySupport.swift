import Base

@testable import Ledger

/// A record without padding, for memory tests.
struct TestRecord: BitwiseCopyable, Equatable {
  var key: UInt64
  var value: UInt64
  var sum: UInt64
  init(_ key: UInt64, _ value: UInt64) {
    self.key = key
    self.value = value
    sum = key ^ value
  }
}

/// Whether two runs of bytes are the same. Comparing them within an expectation would print the difference, which
/// takes minutes for megabytes.
func same(_ a: [UInt8], _ b: [UInt8]) -> Bool { a == b }

/// All bytes of a snapshot.
func written(_ snapshot: FrozenSnapshot) -> [UInt8] {
  var bytes: [UInt8] = []
  snapshot.write { bytes.append(contentsOf: $0) }
  return bytes
}

extension HashIndex {
  /// All values under a hash, in the order of finding.
  func values(_ hash: UInt64) -> [UInt32] {
    var all: [UInt32] = []
    _ = find(hash) {
      all.append($0)
      return false
    }
    return all
  }
}

// What has a pool from the beginning.
extension PagedArray {
  init(_ pool: borrowing PagePool) {
    self.init()
    attach(pool.state)
  }
}
extension PagedQueue {
  init(_ pool: borrowing PagePool) {
    self.init()
    attach(pool.state)
  }
}
extension PagedBlob {
  init(_ pool: borrowing PagePool) {
    self.init()
    attach(pool.state)
  }
}
extension HashIndex {
  init(_ pool: borrowing PagePool) {
    self.init()
    attach(pool.state)
  }
}
