import Foundation
import System

/// A day of the proleptic Gregorian calendar, counted from 1970-01-01.
struct Day: Hashable, Comparable, Sendable, CustomStringConvertible {
  var number: Int

  init(number: Int) { self.number = number }

  /// `YYYY-MM-DD`; `nil` for anything else.
  init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].utf8.count == 4, parts[1].utf8.count == 2, parts[2].utf8.count == 2,
      let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]),
      (1...12).contains(month), (1...31).contains(day)
    else { return nil }
    // Days from civil, Hinnant, "chrono-compatible low-level date algorithms".
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    number = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    guard description == text else { return nil }
  }

  /// The day before the one that the clock shows, in UTC.
  static var yesterday: Day { Day(number: Int(Date().timeIntervalSince1970) / 86_400 - 1) }

  var description: String {
    let z = number + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    func two(_ n: Int) -> String { n < 10 ? "0\(n)" : "\(n)" }
    return "\(String(repeating: "0", count: max(0, 4 - "\(year)".count)))\(year)-\(two(month))-\(two(day))"
  }

  static func < (a: Day, b: Day) -> Bool { a.number < b.number }
}

/// Purchases from a file of comma-separated values with the columns `customer`, `date` and `cents` (others are
/// ignored), one purchase a line, in the order of the file.
struct Purchases: Sendable {
  struct Purchase: Sendable, Equatable {
    /// Index into `customers`.
    var customer: Int
    var day: Day
    var cents: Int64
  }
  private(set) var customers: [String] = []
  private(set) var all: [Purchase] = []
  private(set) var lastDay = Day(number: 0)
  private(set) var firstDay = Day(number: 0)

  /// Reads a file; one that ends in `.gz` through `gzip`. Throws `.local` naming file and line.
  init(path: String) throws(ClientError) {
    try self.init(text: try Purchases.contents(of: path), path: path)
  }

  init(text: String, path: String) throws(ClientError) {
    var lines = text.utf8.split(separator: 10)[...]
    guard let header = lines.popFirst() else { throw .local("\(path): empty") }
    let columns = Purchases.cells(header)
    guard let customerColumn = columns.firstIndex(of: "customer"), let dateColumn = columns.firstIndex(of: "date"),
      let centsColumn = columns.firstIndex(of: "cents")
    else { throw .local("\(path): the first line must name the columns customer, date and cents") }
    var numbers: [String: Int] = [:]
    for (i, line) in lines.enumerated() {
      let cells = Purchases.cells(line)
      guard cells.count == columns.count, let day = Day(cells[dateColumn]), let cents = Int64(cells[centsColumn]),
        cents >= 0, Purchases.isIdentifier(cells[customerColumn])
      else { throw .local("\(path): line \(i + 2) is no purchase: \(String(decoding: line, as: UTF8.self))") }
      let name = cells[customerColumn]
      let number = numbers[name] ?? customers.count
      if number == customers.count {
        numbers[name] = number
        customers.append(name)
      }
      all.append(Purchase(customer: number, day: day, cents: cents))
    }
    guard let last = all.map(\.day).max(), let first = all.map(\.day).min() else {
      throw .local("\(path): no purchase")
    }
    (firstDay, lastDay) = (first, last)
  }

  private static func cells(_ line: Substring.UTF8View.SubSequence) -> [String] {
    line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { cell in
      var bytes = cell
      if bytes.last == 13 { bytes = bytes.dropLast() }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  private static func isIdentifier(_ text: String) -> Bool {
    (1...48).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case 48...57, 65...90, 97...122, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
      }
  }

  private static func contents(of path: String) throws(ClientError) -> String {
    guard let file = FileHandle(forReadingAtPath: path) else { throw .local("\(path): \(SystemError.text(of: errno))") }
    do {
      guard path.hasSuffix(".gz") else { return String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self) }
      let gzip = Process()
      gzip.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      gzip.arguments = ["gzip", "-dc"]
      gzip.standardInput = file
      let pipe = Pipe()
      gzip.standardOutput = pipe
      try gzip.run()
      let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
      gzip.waitUntilExit()
      guard gzip.terminationStatus == 0 else { throw ClientError.local("\(path): gzip cannot read it") }
      return String(decoding: data, as: UTF8.self)
    } catch let error as ClientError {
      throw error
    } catch {
      throw .local("\(path): \(error.localizedDescription)")
    }
  }
}
