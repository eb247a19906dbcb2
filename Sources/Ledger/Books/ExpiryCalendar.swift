import Base

/// At which moments lots end, and how many do: few moments, since expiries fall on days or months. Sorted. It says when
/// there is something to sweep; which lots they are, the sweep finds by looking.
struct ExpiryCalendar: EncodedTable, Sendable {
  struct Row: BitwiseCopyable {
    var expiresAt: Stamp
    var lots: Int64
  }
  private(set) var rows: [Row] = []
  static var tag: TableTag { TableTag(2, "the calendar") }

  /// The first moment with a lot.
  var first: Stamp? { rows.first?.expiresAt }

  /// Counts a lot in (+1) or out (-1). False if it is to be counted out and never was counted in. O(log rows), O(rows) for
  /// a new moment.
  mutating func change(_ expiresAt: Stamp, by difference: Int64) -> Bool {
    guard expiresAt != .never else { return true }
    var low = 0
    var high = rows.count
    while low < high {
      let middle = (low + high) / 2
      if rows[middle].expiresAt < expiresAt { low = middle + 1 } else { high = middle }
    }
    if low < rows.count && rows[low].expiresAt == expiresAt {
      rows[low].lots &+= difference
      if rows[low].lots == 0 { rows.remove(at: low) }
    } else {
      guard difference > 0 else { return false }
      rows.insert(Row(expiresAt: expiresAt, lots: difference), at: low)
    }
    return true
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(UInt64(rows.count))
    for row in rows {
      buffer.append(row.expiresAt.microseconds)
      buffer.append(row.lots)
    }
  }
  init() {}
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    let count: UInt64 = try reader.read()
    guard count <= UInt64(reader.remaining / 16) else { throw MalformedBytes("a calendar longer than its bytes") }
    for _ in 0..<count {
      rows.append(Row(expiresAt: Stamp(microseconds: try reader.read()), lots: try reader.read()))
    }
  }
}
