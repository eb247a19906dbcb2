import Base

/// A message that every tenant has, whatever its operator sets up. The raw value is its key (`MESSAGE SET`).
enum TextMessage: String, CaseIterable, Sendable {
  case balance = "bal"
  case help
  /// To who is a member: by this message, or before it.
  case join
  case history = "hist"
  case noHistory = "hist-none"
  case expiry = "exp"
  case noExpiry = "exp-none"
  case code
  case unknown
  /// To a number that is nobody's.
  case nobody

  /// As it is where no operator has said it.
  func text(_ language: TextLanguage) -> String {
    switch language {
    case .english: english
    case .chinese: chinese
    }
  }
  private var english: String {
    switch self {
    case .balance: "You have {points} points."
    case .help:
      "Send BAL for your points, HIST for the last movements, EXP for what ends next, JOIN to become a member."
    case .join: "You are a member and have {points} points. Send HELP for what you can ask."
    case .history: "Last movements: {history}"
    case .noHistory: "There are no movements yet."
    case .expiry: "{expiring} points are good until {expires}."
    case .noExpiry: "None of your points end."
    case .code: "Codes are not taken by text message here."
    case .unknown: "Not understood. Send HELP for what you can ask."
    case .nobody: "This number belongs to no member. Send JOIN to become one."
    }
  }
  private var chinese: String {
    switch self {
    case .balance: "您有{points}积分。"
    case .help: "发送BAL查询积分，HIST查询最近变动，EXP查询即将到期的积分，JOIN加入会员。"
    case .join: "您已是会员，有{points}积分。发送HELP获取帮助。"
    case .history: "最近变动：{history}"
    case .noHistory: "暂无积分变动。"
    case .expiry: "{expiring}积分有效期至{expires}。"
    case .noExpiry: "您没有即将到期的积分。"
    case .code: "此处暂不受理产品码。"
    case .unknown: "无法识别，请发送HELP获取帮助。"
    case .nobody: "此号码不是会员，请发送JOIN加入。"
    }
  }
}

/// A language that messages are in where no operator has said them.
enum TextLanguage: String, Sendable {
  case english = "en"
  case chinese = "zh"

  /// Of a member's language, like `zh-CN`; nil: another one.
  init?(of language: String) {
    self.init(rawValue: TextLanguage.short(language))
  }
  /// Without the region: `zh` of `zh-CN`.
  static func short(_ language: String) -> String {
    language.lowercased().split(whereSeparator: { $0 == "-" || $0 == "_" }).first.map(String.init) ?? ""
  }

  /// What moved points, as `HISTORY` calls it.
  func name(ofKind kind: String) -> String {
    guard self == .chinese else { return kind }
    return switch kind {
    case "earn": "获得"
    case "redeem": "兑换"
    case "hold": "冻结"
    case "capture": "扣除"
    case "release", "lapse": "解冻"
    case "refund": "退回"
    case "transfer-out": "转出"
    case "transfer-in", "transfer-back": "转入"
    case "expire": "到期"
    case "adjust": "调整"
    case "gift": "赠送"
    default: kind
    }
  }
  var listMark: String { self == .chinese ? "；" : "; " }
}

/// What placeholders of a message stand for.
struct TextFacts: Hashable, Sendable {
  var name = ""
  var program = ""
  var balance: Int64 = 0
  var available: Int64 = 0
  var held: Int64 = 0
  var expiring: Int64 = 0
  /// The last day on which those can be spent.
  var expires = ""
  var history = ""

  /// In bytes: what an answer has at most, however long names and messages are.
  static let mostBytes = 1_024
  /// In characters, with its braces.
  private static let longestPlaceholder = 11

  private func value(_ placeholder: Substring) -> String? {
    switch placeholder {
    case "name": name
    case "program": program
    case "balance": "\(balance)"
    case "points", "available": "\(available)"
    case "held": "\(held)"
    case "expiring": "\(expiring)"
    case "expires": expires
    case "history": history
    default: nil
    }
  }
  /// Placeholders that ask for a member's points.
  private static let figures = ["program", "balance", "points", "available", "held", "expiring", "expires"]
  static func areWanted(by message: String) -> Bool { figures.contains { message.contains("{\($0)}") } }
  /// It can be answered to whoever asks.
  static func areNone(in message: String) -> Bool {
    !areWanted(by: message) && !message.contains("{name}") && !message.contains("{history}")
  }

  /// A message with what its placeholders stand for. What they stand for is not looked at again.
  func filled(into message: String) -> String {
    var text = ""
    var rest = message[...]
    while let open = rest.firstIndex(of: "{") {
      text += rest[..<open]
      rest = rest[open...]
      // No placeholder is longer: so however many braces there are, each costs as much.
      let near = rest.prefix(TextFacts.longestPlaceholder)
      guard let close = near.firstIndex(of: "}"), let value = value(near[near.index(after: open)..<close]) else {
        text += "{"
        rest = rest.dropFirst()
        continue
      }
      text += value
      rest = rest[rest.index(after: close)...]
    }
    return TextFacts.cut(text + rest)
  }
  private static func cut(_ text: String) -> String {
    guard text.utf8.count > mostBytes else { return text }
    var (kept, count) = ("", 0)
    for character in text {
      count += character.utf8.count
      guard count <= mostBytes - 3 else { break }
      kept.append(character)
    }
    return kept + "…"
  }

  /// `2026-06-07`
  static func day(_ moment: Stamp, zone: Int64) -> String {
    let date = CivilTime.date(day: CivilTime.day(of: moment, offset: zone))
    func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(date.year)-\(two(date.month))-\(two(date.day))"
  }
}
