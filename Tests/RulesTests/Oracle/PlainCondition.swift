import Base

/// A condition as a tree of texts, decided by looking texts up: slow, and made of the specification alone.
indirect enum PlainCondition {
  case compare(fact: String, sign: String, values: [String])
  case not(PlainCondition)
  case and(PlainCondition, PlainCondition)
  case or(PlainCondition, PlainCondition)

  static let wordFacts = [
    "merchant", "region", "terminal", "channel", "type", "class", "tier", "cardtype", "event", "sku", "category",
    "brand",
  ]
  static let lineFacts = ["sku", "category", "brand", "quantity", "amount"]

  var asksForLines: Bool {
    switch self {
    case .compare(let fact, _, _): Self.lineFacts.contains(fact)
    case .not(let one): one.asksForLines
    case .and(let a, let b), .or(let a, let b): a.asksForLines || b.asksForLines
    }
  }

  /// Whether it is true of facts that are texts; facts of several words have several.
  func isTrue(_ facts: [String: [String]]) -> Bool {
    switch self {
    case .not(let one): return !one.isTrue(facts)
    case .and(let a, let b): return a.isTrue(facts) && b.isTrue(facts)
    case .or(let a, let b): return a.isTrue(facts) || b.isTrue(facts)
    case .compare(let fact, let sign, let values):
      guard let known = facts[fact], !known.isEmpty else { return false }
      switch sign {
      case "=", "in": return known.contains { one in values.contains { Self.isSame(fact, one, $0) } }
      case "!=": return !known.contains { Self.isSame(fact, $0, values[0]) }
      default: return Self.inOrder(known[0], sign, values[0])
      }
    }
  }
  private static func isSame(_ fact: String, _ a: String, _ b: String) -> Bool {
    let isText = wordFacts.contains(fact) || fact == "org" || fact == "tag" || fact.hasPrefix("x.")
    guard !isText, let a = Int(a), let b = Int(b) else { return a == b }
    return a == b
  }
  private static func inOrder(_ a: String, _ sign: String, _ b: String) -> Bool {
    // Dates of four digits a year are in the order of their texts.
    let order: (Bool, Bool)
    if let b = Int(b) {
      guard let a = Int(a) else { return false }
      order = (a < b, a == b)
    } else {
      guard PlainCalendar.isDate(a) else { return false }
      order = (a < b, a == b)
    }
    switch sign {
    case "<": return order.0
    case "<=": return order.0 || order.1
    case ">": return !order.0 && !order.1
    default: return !order.0
    }
  }

  /// As an operator might write it: more blanks and parentheses than it needs, or fewer.
  func text(_ dice: inout SeededGenerator, inside: String = "or") -> String {
    func blank() -> String { dice.next() % 4 == 0 ? "  " : " " }
    func tight() -> String { dice.next() % 3 == 0 ? "" : blank() }
    func value(_ text: String) -> String {
      switch text.contains(" ") ? dice.next() % 2 : dice.next() % 5 {
      case 0: "'\(text)'"
      case 1: "\"\(text)\""
      default: text
      }
    }
    let mine: String
    let rank: String
    switch self {
    case .compare(let fact, "in", let values):
      let list = values.map(value).joined(separator: tight() + "," + tight())
      (mine, rank) = (fact + blank() + "in" + tight() + "(" + tight() + list + tight() + ")", "not")
    case .compare(let fact, let sign, let values):
      (mine, rank) = (fact + tight() + sign + tight() + value(values[0]), "not")
    case .not(let one): (mine, rank) = ("not" + blank() + one.text(&dice, inside: "not"), "not")
    case .and(let a, let b):
      (mine, rank) = (a.text(&dice, inside: "and") + blank() + "and" + blank() + b.text(&dice, inside: "and"), "and")
    case .or(let a, let b):
      (mine, rank) = (a.text(&dice, inside: "or") + blank() + "or" + blank() + b.text(&dice, inside: "or"), "or")
    }
    let ranks = ["or": 0, "and": 1, "not": 2]
    let needs = ranks[rank, default: 0] < ranks[inside, default: 0]
    return needs || dice.next() % 10 == 0 ? "(" + tight() + mine + tight() + ")" : mine
  }
}

/// The calendar, by counting days.
enum PlainCalendar {
  struct Day: Equatable { var year = 1900, month = 1, day = 1 }

  static func length(_ year: Int, _ month: Int) -> Int {
    if month == 2 { return year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) ? 29 : 28 }
    return [4, 6, 9, 11].contains(month) ? 30 : 31
  }
  /// Days since 1900-01-01, a Monday.
  static func number(_ day: Day) -> Int {
    var count = day.day - 1
    for year in 1900..<day.year { count += length(year, 2) == 29 ? 366 : 365 }
    for month in 1..<day.month { count += length(day.year, month) }
    return count
  }
  static let epoch = number(Day(year: 1970))
  static func day(_ number: Int) -> Day {
    var (rest, day) = (number, Day())
    while rest >= (length(day.year, 2) == 29 ? 366 : 365) {
      rest -= length(day.year, 2) == 29 ? 366 : 365
      day.year += 1
    }
    while rest >= length(day.year, day.month) {
      rest -= length(day.year, day.month)
      day.month += 1
    }
    day.day = rest + 1
    return day
  }
  static func text(_ day: Day) -> String { pad(day.year, 4) + "-" + pad(day.month, 2) + "-" + pad(day.day, 2) }
  private static func pad(_ number: Int, _ digits: Int) -> String {
    String(repeating: "0", count: max(0, digits - "\(number)".count)) + "\(number)"
  }
  static func parse(_ text: String) -> Day {
    let parts = text.split(separator: "-").map { Int($0) ?? 0 }
    return Day(year: parts[0], month: parts[1], day: parts[2])
  }
  static func isDate(_ text: String) -> Bool {
    let parts = text.split(separator: "-").map { Int($0) }
    return text.utf8.count == 10 && parts.count == 3 && !parts.contains(nil)
  }
  /// Where a window of a kind begins, in days since 1970.
  static func window(_ kind: String, _ number: Int) -> Int {
    var day = day(number)
    switch kind {
    case "day": return number - epoch
    case "week": return number - number % 7 - epoch
    case "month": day.day = 1
    case "year": (day.month, day.day) = (1, 1)
    default: return 0
    }
    return self.number(day) - epoch
  }
}
