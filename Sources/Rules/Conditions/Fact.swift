/// A fact that is a word: compared for equality alone.
public enum WordFact: UInt8, CaseIterable, Sendable {
  case merchant, region, terminal, channel, type, `class`, tier, cardtype, event
  /// Of a line.
  case sku, category, brand

  public static let count = 12
  /// As conditions name it.
  public var name: String { "\(self)" }
}

/// A fact that is a whole number, or is kept as one.
public enum NumberFact: UInt8, CaseIterable, Sendable {
  /// Of a line: pieces, and minor units.
  case quantity, amount
  /// What the request says: minor units, points, and an event's value.
  case spend, points, value
  /// Of the effective moment in the program's zone. Weekdays count from 1, Monday; a date is days since 1970-01-01.
  case weekday, hour, date, day, month
  /// Whole years, and 1 where the member's birthday is today, else 0.
  case age, birthday
  /// 1 where it is the member's first purchase, else 0.
  case first
  /// Purchases this year, days in a row with this event, days since the last purchase.
  case visits, streak, since
  case stock

  public static let count = 17
  /// As conditions name it.
  public var name: String { "\(self)" }

  /// What values of it look like, and so how it may be compared.
  enum Form { case number, date, weekday, today, yesNo }
  var form: Form {
    switch self {
    case .date: .date
    case .weekday: .weekday
    case .birthday: .today
    case .first: .yesNo
    default: .number
    }
  }
}

/// Some of the facts that conditions may compare.
public struct FactSet: OptionSet, Hashable, Sendable, BitwiseCopyable {
  public var rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public init(_ fact: WordFact) { rawValue = 1 << UInt64(fact.rawValue) }
  public init(_ fact: NumberFact) { rawValue = 1 << UInt64(16 + fact.rawValue) }

  public static let org = FactSet(rawValue: 1 << 40)
  public static let tag = FactSet(rawValue: 1 << 41)
  /// Any `x.NAME`.
  public static let attributes = FactSet(rawValue: 1 << 42)

  public static let ofLines: FactSet = [
    FactSet(.sku), FactSet(.category), FactSet(.brand), FactSet(.quantity), FactSet(.amount),
  ]
  /// Made of the effective moment, and of the member's birthday.
  public static let calendar: FactSet = [
    FactSet(.weekday), FactSet(.hour), FactSet(.date), FactSet(.day), FactSet(.month), .ofBirthday,
  ]
  public static let ofBirthday: FactSet = [FactSet(.age), FactSet(.birthday)]
}

/// Which fact a comparison is about.
enum Subject: Hashable, Sendable {
  case word(WordFact)
  case number(NumberFact)
  case org, tag
  /// `x.NAME`, without the `x.`.
  case attribute([UInt8])

  /// Of a name as conditions have it; nil if there is no such fact.
  init?(named name: UnsafeRawBufferPointer) {
    if name.count > 2, name[0] == UInt8(ascii: "x"), name[1] == UInt8(ascii: ".") {
      self = .attribute(Array(name[2...]))
      return
    }
    switch String(decoding: name, as: UTF8.self) {
    case "org": self = .org
    case "tag": self = .tag
    case let text:
      if let fact = WordFact.allCases.first(where: { $0.name == text }) {
        self = .word(fact)
      } else if let fact = NumberFact.allCases.first(where: { $0.name == text }) {
        self = .number(fact)
      } else {
        return nil
      }
    }
  }
  var name: String {
    switch self {
    case .word(let fact): fact.name
    case .number(let fact): fact.name
    case .org: "org"
    case .tag: "tag"
    case .attribute(let name): "x." + String(decoding: name, as: UTF8.self)
    }
  }
  var facts: FactSet {
    switch self {
    case .word(let fact): FactSet(fact)
    case .number(let fact): FactSet(fact)
    case .org: .org
    case .tag: .tag
    case .attribute: .attributes
    }
  }
  /// All names, for errors.
  static let names =
    (WordFact.allCases.map(\.name) + ["org", "tag"] + NumberFact.allCases.map(\.name)).sorted()
    .joined(separator: " ") + " x.NAME"
}

/// The words that facts are compared with where they are no words of an operator's.
enum FactWords {
  static let weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
  static let today = "today"
  static let no = "no"
  static let yes = "yes"
}
