import Vocabulary

/// One comparison of a condition: a fact, how it is compared, and with what.
struct Comparison: Hashable, Sendable {
  enum Comparator: UInt8, Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, among

    var sign: String {
      switch self {
      case .equal: "="
      case .notEqual: "!="
      case .less: "<"
      case .lessOrEqual: "<="
      case .greater: ">"
      case .greaterOrEqual: ">="
      case .among: "in"
      }
    }
    var isOrder: Bool { self != .equal && self != .notEqual && self != .among }
  }
  /// A value as it is written, and the number that it says, if the fact is a number.
  struct Value: Hashable, Sendable {
    var text: [UInt8]
    var number: Int64 = 0
  }
  /// How it is decided.
  enum Sort { case word, number, date }

  var subject: Subject
  var comparator: Comparator
  /// One, but for `in`.
  var values: [Value]

  var sort: Sort {
    switch subject {
    case .word, .org, .tag: return .word
    case .number: return .number
    case .attribute:
      guard comparator.isOrder else { return .word }
      return Comparison.wholeNumber(values[0].text) == nil ? .date : .number
    }
  }

  /// A value of a fact, with its number; nil if such a fact is never that, and then `requirement` says what it is.
  static func value(_ text: [UInt8], of subject: Subject, _ comparator: Comparator) -> Value? {
    let number: Int64?
    switch subject {
    case .word, .org, .tag: number = 0
    case .attribute: number = comparator.isOrder ? wholeNumber(text) ?? date(text) : 0
    case .number(let fact):
      switch fact.form {
      case .number: number = wholeNumber(text)
      case .date: number = date(text)
      case .weekday: number = FactWords.weekdays.firstIndex { $0.utf8.elementsEqual(text) }.map { Int64($0) + 1 }
      case .today: number = text.elementsEqual(FactWords.today.utf8) ? 1 : nil
      case .yesNo:
        number = text.elementsEqual(FactWords.yes.utf8) ? 1 : text.elementsEqual(FactWords.no.utf8) ? 0 : nil
      }
    }
    return number.map { Value(text: text, number: $0) }
  }
  /// Completes the sentence "hour is compared with …".
  static func requirement(_ subject: Subject) -> String {
    switch subject {
    case .word, .org, .tag: return "a word"
    case .attribute: return "a whole number or a date like 2026-01-31 under <, <=, > and >="
    case .number(let fact):
      switch fact.form {
      case .number: return "a whole number"
      case .date: return "a date like 2026-01-31"
      case .weekday: return "mon, tue, wed, thu, fri, sat or sun"
      case .today: return "today"
      case .yesNo: return "yes or no"
      }
    }
  }
  /// Why a fact is not compared in this way; nil if it is.
  static func objection(to comparator: Comparator, of subject: Subject) -> String? {
    guard comparator.isOrder else { return nil }
    let what: String
    switch subject {
    case .word, .org, .tag: what = "a word"
    case .attribute: return nil
    case .number(let fact):
      switch fact.form {
      case .number, .date: return nil
      case .weekday: what = "a day's name"
      case .today: what = "today or not"
      case .yesNo: what = "yes or no"
      }
    }
    return "\(subject.name) is \(what): compare it with =, != or in, not with \(comparator.sign)"
  }

  /// A whole number of at most 18 digits, with or without a minus.
  static func wholeNumber(_ text: [UInt8]) -> Int64? { text.withUnsafeBytes { wholeNumber($0) } }
  static func wholeNumber(_ text: UnsafeRawBufferPointer) -> Int64? {
    let isNegative = text.first == UInt8(ascii: "-")
    let digits = isNegative ? UnsafeRawBufferPointer(rebasing: text.dropFirst()) : text
    guard (1...18).contains(digits.count) else { return nil }
    var value: Int64 = 0
    for byte in digits {
      guard byte &- 48 < 10 else { return nil }
      value = value &* 10 &+ Int64(byte &- 48)
    }
    return isNegative ? -value : value
  }
  static func date(_ text: [UInt8]) -> Int64? { text.withUnsafeBytes { MomentText.parseDate($0, earliest: 1) } }

  // MARK: Text

  /// As it would be written.
  var text: String {
    let list = values.map { Comparison.quoted($0.text) }.joined(separator: ", ")
    return "\(subject.name) \(comparator.sign) " + (comparator == .among ? "(\(list))" : list)
  }
  /// As it would be said.
  var sentence: String {
    switch comparator {
    case .equal, .among: "\(subject.name) is \(list)"
    case .notEqual: "\(subject.name) is other than \(list)"
    case .less: "\(subject.name) is below \(list)"
    case .lessOrEqual: "\(subject.name) is at most \(list)"
    case .greater: "\(subject.name) is above \(list)"
    case .greaterOrEqual: "\(subject.name) is at least \(list)"
    }
  }
  /// `a, b or c`
  var list: String {
    let words = values.map { String(decoding: $0.text, as: UTF8.self) }
    return words.count < 2 ? words.joined() : words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
  }
  /// A word as it is, all else in the quotes that it has not.
  private static func quoted(_ text: [UInt8]) -> String {
    let isWord = text.withUnsafeBytes { bytes in bytes.allSatisfy { ByteClass.table[Int($0)] != 0 } }
    let word = String(decoding: text, as: UTF8.self)
    return isWord ? word : text.contains(UInt8(ascii: "'")) ? "\"\(word)\"" : "'\(word)'"
  }
}
