import Replies

/// Records as a table for people: a column a key, in the order in which the keys first come; numbers to the right.
enum Table {
  static func render(_ records: [Record], columns wanted: [String] = []) -> String {
    var columns: [String] = []
    for key in wanted where records.contains(where: { $0[key] != nil }) { columns.append(key) }
    for record in records {
      for field in record.fields where !columns.contains(field.key) { columns.append(field.key) }
    }
    let rows = records.map { record in columns.map { record[$0] ?? "" } }
    return render(header: columns, rows: rows)
  }

  static func render(header: [String], rows: [[String]]) -> String {
    var widths = header.map(\.count)
    var isNumeric = header.map { _ in true }
    for row in rows {
      for (i, cell) in row.enumerated() {
        widths[i] = max(widths[i], cell.count)
        if !cell.isEmpty, !looksNumeric(cell) { isNumeric[i] = false }
      }
    }
    func line(_ cells: [String]) -> String {
      var text = ""
      for (i, cell) in cells.enumerated() {
        let padding = String(repeating: " ", count: widths[i] - cell.count)
        let isLast = i == cells.count - 1
        text += isNumeric[i] ? padding + cell : cell + (isLast ? "" : padding)
        if !isLast { text += "  " }
      }
      return text
    }
    return ([line(header)] + rows.map(line)).joined(separator: "\n")
  }

  private static func looksNumeric(_ cell: String) -> Bool {
    var hasDigit = false
    // A sign goes first: `3-1042` is a name.
    for byte in cell.hasPrefix("-") ? cell.utf8.dropFirst() : cell.utf8[...] {
      switch byte {
      case 48...57: hasDigit = true
      case UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: "%"): continue
      default: return false
      }
    }
    return hasDigit
  }
}
