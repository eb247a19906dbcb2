import Base

/// How many members' periods end on which days, by program: when there is something to go over. Which members they are, the sweep finds by
/// looking. Sorted.
struct TierDues: EncodedTable, Sendable {
  struct Row: BitwiseCopyable, Hashable {
    /// The first of the next period, in the program's zone.
    var day: Int32
    /// Its place in the catalogue.
    var program: Int32
    var count: Int64
    fileprivate func precedes(_ day: Int32, _ program: Int32) -> Bool { (self.day, self.program) < (day, program) }
  }
  private(set) var rows: [Row] = []
  /// The place of the member with whom the sweep goes on.
  var cursor: UInt64 = 0
  static var tag: TableTag { TableTag(50, "ends of members' periods", since: Semantics.programme) }

  /// Counts a member in (+1) or out (-1). False if it is to be counted out and never was counted in. O(log rows), O(rows) for a new day.
  mutating func change(_ day: Int32, _ program: Int32, by difference: Int64) -> Bool {
    var low = 0
    var high = rows.count
    while low < high {
      let middle = (low + high) / 2
      if rows[middle].precedes(day, program) { low = middle + 1 } else { high = middle }
    }
    guard low < rows.count, rows[low].day == day, rows[low].program == program else {
      guard difference > 0 else { return false }
      rows.insert(Row(day: day, program: program, count: difference), at: low)
      return true
    }
    rows[low].count &+= difference
    if rows[low].count == 0 { rows.remove(at: low) }
    return true
  }
  /// The first moment at which a period ends. O(programs whose periods end on that day or the next).
  /// - Parameter offset: of a program's zone: less than a day.
  func first(offset: (Int32) -> Int64) -> Stamp? {
    guard let first = rows.first else { return nil }
    var moment = Stamp.never
    for row in rows {
      guard row.day <= first.day + 1 else { break }
      moment = min(moment, CivilTime.midnight(ofDay: Int64(row.day), offset: offset(row.program)))
    }
    return moment
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(cursor)
    buffer.append(UInt64(rows.count))
    for row in rows {
      buffer.append(UInt64(UInt32(bitPattern: row.day)) << 32 | UInt64(UInt32(bitPattern: row.program)))
      buffer.append(row.count)
    }
  }
  init() {}
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    cursor = try reader.read()
    let count: UInt64 = try reader.read()
    guard count <= UInt64(reader.remaining / 16) else {
      throw MalformedBytes("ends of periods longer than their bytes")
    }
    for _ in 0..<count {
      let key: UInt64 = try reader.read()
      rows.append(
        Row(
          day: Int32(bitPattern: UInt32(key >> 32)), program: Int32(bitPattern: UInt32(truncatingIfNeeded: key)),
          count: try reader.read()))
    }
  }
}
