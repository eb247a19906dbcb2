extension Shape {
  /// What stands for a value of it in a line of help.
  var placeholder: String {
    switch self {
    case .text, .note: "TEXT"
    case .rate: "P/M"
    case .fraction: "N/D"
    case .basisPoints: "BPS"
    case .spend: "MINOR"
    case .expiry: "never|Nd|Nm|Nq|Ny[+Nd]|activity:Nd"
    case .yearWindows: "MM-DD..MM-DD[,…]"
    case .closing: "lapse|transfer:MEMBER"
    case .entryKey: "KEY"
    case .word, .tags: "WORD"
    case .alias: "KIND:VALUE"
    case .memberState, .standing, .direction: choices.joined(separator: "|")
    case .role: "ROLE"
    case .date: "YYYY-MM-DD"
    case .attributes: "TEXT"
    case .days, .backdate: "Nd"
    case .utcOffset: "±HH:MM"
    case .span: "off|Ns|Nm|Nh"
    case .byteRate: "off|NKB|NMB|NGB"
    case .dateOrMoment: "MOMENT"
    case .moment: "TIME"
    case .transaction: "TX"
    case .ttl, .wait: "SECONDS"
    case .cursor: "CURSOR"
    case .shardNumber: "S"
    case .version: "VERSION"
    case .slot: "SLOT"
    case .readMode, .yesNo: choices.reversed().joined(separator: "|")
    case .lines: "sku:quantity:amount,…"
    case .caps: "N/day|week|month|year[,…]"
    case .points, .priority, .limit, .historyLimit, .shardCount, .replicaCount, .moveCount, .amount: "N"
    case .free, .identifier, .newMember, .who: "WORD"
    case .holder: "WHO"
    }
  }

  private static func span(_ seconds: Int64) -> String {
    guard seconds > 0 else { return "off" }
    for (unit, letter) in [(86_400, "d"), (3_600, "h"), (60, "m")] as [(Int64, String)] where seconds % unit == 0 {
      return "\(seconds / unit)\(letter)"
    }
    return "\(seconds)s"
  }
  private static func byteRate(_ bytes: Int64) -> String {
    guard bytes > 0 else { return "off" }
    for (unit, name) in [(1_000_000_000, "GB"), (1_000_000, "MB")] as [(Int64, String)] where bytes % unit == 0 {
      return "\(bytes / unit)\(name)"
    }
    return "\(bytes / 1_000)KB"
  }
  /// The text of which a number was made, in its shortest form.
  public func text(of number: Int64) -> String {
    switch self {
    case .rate, .fraction: return "\(number >> 32)/\(number & 0xFFFF_FFFF)"
    case .days, .backdate: return "\(number)d"
    case .expiry: return ExpiryText(number: number)?.text ?? ""
    case .utcOffset:
      let minutes = number.magnitude
      let digits = [minutes / 600, minutes / 60 % 10, minutes % 60 / 10, minutes % 10]
      return "\(number < 0 ? "-" : "+")\(digits[0])\(digits[1]):\(digits[2])\(digits[3])"
    case .span: return Shape.span(number)
    case .byteRate: return Shape.byteRate(number)
    case .readMode, .yesNo, .memberState, .role, .standing, .direction:
      return choices.indices.contains(Int(number)) ? choices[Int(number)] : ""
    default: return "\(number)"
    }
  }
}
