/// `expire=`: how long points live (R3).
///
/// As a number, for ever: 0 `never`; N days; −N months; else 2^40 and, from its bits, the unit (36 to 39), the count (16 to 35)
/// and the days of grace (0 to 15).
public struct ExpiryText: Hashable, Sendable {
  public enum Unit: Int64, Sendable {
    case never = 0
    case days = 1
    case months = 2
    case quarters = 3
    case years = 4
    /// Days without an earn or a redeem.
    case activity = 5

    fileprivate var letter: String { ["", "d", "m", "q", "y", "d"][Int(rawValue)] }
    fileprivate var range: ClosedRange<Int64> {
      switch self {
      case .never: 0...0
      case .days, .activity: 1...36_500
      case .months: 0...1_200
      case .quarters: 0...400
      case .years: 0...100
      }
    }
  }
  public let unit: Unit
  public let count: Int64
  /// Days.
  public let grace: Int64

  private static let mostGrace: Int64 = 36_500
  private static let form: Int64 = 1 << 40

  init?(_ unit: Unit, _ count: Int64, grace: Int64 = 0) {
    guard unit.range.contains(count), (0...Self.mostGrace).contains(grace),
      grace == 0 || unit != .never && unit != .activity
    else { return nil }
    (self.unit, self.count, self.grace) = (unit, count, grace)
  }
  init?(_ text: UnsafeRawBufferPointer) {
    let all = String(decoding: text, as: UTF8.self)
    if all == "never" {
      self.init(.never, 0)
      return
    }
    if all.hasPrefix("activity:") {
      guard let days = Self.counted(all.dropFirst(9), "d") else { return nil }
      self.init(.activity, days)
      return
    }
    let parts = all.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
    var grace: Int64 = 0
    if parts.count == 2 {
      guard let days = Self.counted(parts[1], "d"), days > 0 else { return nil }
      grace = days
    }
    for unit in [Unit.days, .months, .quarters, .years] {
      if let count = Self.counted(parts[0], unit.letter) {
        self.init(unit, count, grace: grace)
        return
      }
    }
    return nil
  }
  private static func counted(_ text: Substring, _ letter: String) -> Int64? {
    guard text.hasSuffix(letter) else { return nil }
    let digits = text.dropLast(letter.count)
    guard !digits.isEmpty, digits.utf8.count <= 6, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
      return nil
    }
    return Int64(digits)
  }

  /// Nil: no text is kept as that.
  public init?(number: Int64) {
    switch number {
    case 0: self.init(.never, 0)
    case 1...36_500: self.init(.days, number)
    case -1_200 ... -1: self.init(.months, -number)
    default:
      guard number >> 40 == 1, let unit = Unit(rawValue: number >> 36 & 15) else { return nil }
      self.init(unit, number >> 16 & 0xF_FFFF, grace: number & 0xFFFF)
      guard self.number == number else { return nil }
    }
  }
  public var number: Int64 {
    switch unit {
    case .never: return 0
    case .days where grace == 0: return count
    case .months where grace == 0 && count > 0: return -count
    default: return Self.form | unit.rawValue << 36 | count << 16 | grace
    }
  }
  /// A build of semantics before `EntryField.policies` knows it.
  var isOld: Bool { number >> 40 != 1 }
  public var text: String {
    switch unit {
    case .never: "never"
    case .activity: "activity:\(count)d"
    default: "\(count)\(unit.letter)" + (grace > 0 ? "+\(grace)d" : "")
    }
  }
  static var requirement: String {
    "never, days like 90d (1 to 36500), or months, quarters or years like 12m, 4q or 1y after that of the earning (0m to 1200m,"
      + " 0q to 400q, 0y to 100y), each with days of grace like +30d, or activity:90d"
  }
}

/// Days of each year, both ends included: `MM-DD..MM-DD`. One that ends before it begins goes over the turn of the year.
public struct YearWindow: Hashable, Sendable {
  /// Month × 32 + day.
  public let first: Int
  public let last: Int

  public static let most = 8
  static let requirement = "one to \(most) of MM-DD..MM-DD, divided by commas, like 06-01..06-18,11-11..11-11"

  public func contains(month: Int, day: Int) -> Bool {
    let place = month * 32 + day
    return first <= last ? first <= place && place <= last : first <= place || place <= last
  }
  /// Nil if it is something else.
  public static func parse(_ text: UnsafeRawBufferPointer) -> [YearWindow]? {
    let parts = String(decoding: text, as: UTF8.self).split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count <= most else { return nil }
    var all: [YearWindow] = []
    for part in parts {
      let bytes = Array(part.utf8)
      guard bytes.count == 12, bytes[5] == UInt8(ascii: "."), bytes[6] == UInt8(ascii: "."),
        let first = place(bytes[0..<5]), let last = place(bytes[7..<12])
      else { return nil }
      all.append(YearWindow(first: first, last: last))
    }
    return all
  }
  private static func place(_ text: ArraySlice<UInt8>) -> Int? {
    let digits = text.map { Int($0) - 0x30 }
    guard text[text.startIndex + 2] == UInt8(ascii: "-"), [0, 1, 3, 4].allSatisfy({ (0...9).contains(digits[$0]) })
    else {
      return nil
    }
    let (month, day) = (digits[0] * 10 + digits[1], digits[3] * 10 + digits[4])
    let days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard (1...12).contains(month), day >= 1, day <= days[month - 1] else { return nil }
    return month * 32 + day
  }
}

/// `on-close=`: what becomes of the points of a member that is closed (C20).
public enum ClosingText: Hashable, Sendable {
  case lapse
  /// The member that gets them.
  case transfer([UInt8])

  public init?(_ text: UnsafeRawBufferPointer) {
    let transfer = "transfer:".utf8
    if text.elementsEqual("lapse".utf8) {
      self = .lapse
    } else if text.starts(with: transfer) {
      let member = UnsafeRawBufferPointer(rebasing: text.dropFirst(transfer.count))
      guard member.isIdentifier else { return nil }
      self = .transfer(Array(member))
    } else {
      return nil
    }
  }
}
