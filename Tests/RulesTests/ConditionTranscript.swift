import Base

@testable import Rules

/// What conditions say, and of which facts they are true.
///
///     when TEXT           its text, as people say it, and what it compares; or what is wrong, under the place
///     request purchase spend=1000 line=sku:category:brand:quantity:amount …
///     request points=50 | request event=review value=3
///     facts tier=gold tag=a,b org=o3,o1 x.city=paris birthday=1990-06-07 at=2026-06-07T12:30 zone=8
///     is TEXT             whether it is true of these
struct ConditionTranscript {
  private var request = PlainRequest(kind: .purchase(spend: 0), moment: World.start, merchant: "m1")
  private var zone = 0
  private var output: [String] = []
  struct Unknown: Error { var line: String }

  /// The file's text with each block's output replaced by what happens now.
  static func replay(_ text: String) throws -> String {
    var transcript = ConditionTranscript()
    var result: [String] = []
    var isInOutput = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) + [""] {
      if line == "----" {
        isInOutput = true
        result += ["----"] + transcript.output
        transcript.output = []
      } else if line.isEmpty {
        isInOutput = false
        result.append("")
      } else if !isInOutput {
        result.append(line)
        if !line.hasPrefix("#") { try transcript.perform(line) }
      }
    }
    while result.last == "" { result.removeLast() }
    return result.joined(separator: "\n") + "\n"
  }

  private mutating func perform(_ line: String) throws {
    let (command, rest) = ConditionTranscript.split(line, at: " ")
    switch command {
    case "when": describe(rest)
    case "request": setRequest(rest)
    case "facts": setFacts(rest)
    case "is": try decide(rest)
    default: throw Unknown(line: line)
    }
  }
  private static func split(_ text: String, at sign: Character) -> (String, String) {
    guard let at = text.firstIndex(of: sign) else { return (text, "") }
    return (String(text[..<at]), String(text[text.index(after: at)...]))
  }

  private mutating func describe(_ text: String) {
    do throws(ConditionError) {
      let condition = try Condition(text)
      output.append(condition.text)
      output.append("  it is true where \(condition.sentence)")
      let jumps = condition.jumps.enumerated().map { place, jump in
        "\(place)→\(ConditionTranscript.target(jump.whenTrue))/\(ConditionTranscript.target(jump.whenFalse))"
      }
      output.append("  goes on \(jumps.joined(separator: " "))")
      let demands = condition.demands.map { demand in
        "\(demand.subject.name) \(demand.words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ","))"
      }
      if !demands.isEmpty { output.append("  demands \(demands.joined(separator: "; "))") }
    } catch {
      output.append("| \(text) |")
      output.append("| " + String(repeating: " ", count: max(0, error.column - 1)) + "^ column \(error.column)")
      output.append("  \(error.message)")
    }
  }
  private static func target(_ place: UInt8) -> String {
    place == Condition.Jump.isTrue ? "yes" : place == Condition.Jump.isFalse ? "no" : "\(place)"
  }
  private mutating func setRequest(_ text: String) {
    request = PlainRequest(kind: .purchase(spend: 0), moment: World.start, merchant: "m1")
    zone = 0
    var (event, value): (String?, Int?)
    for word in text.split(separator: " ") {
      let (key, said) = ConditionTranscript.split(String(word), at: "=")
      switch key {
      case "spend": request.kind = .purchase(spend: Int(said) ?? 0)
      case "points": request.kind = .points(Int(said) ?? 0)
      case "event": event = said
      case "value": value = Int(said)
      case "line":
        let parts = said.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        func part(_ at: Int) -> String? { parts[at].isEmpty ? nil : parts[at] }
        request.lines.append(
          PlainLine(
            sku: parts[0], category: part(1), brand: part(2), quantity: Int(parts[3]) ?? 0, amount: Int(parts[4]) ?? 0))
      default: break
      }
    }
    if let event { request.kind = .event(name: event, value: value) }
  }
  private mutating func setFacts(_ text: String) {
    for word in text.split(separator: " ") {
      let (key, said) = ConditionTranscript.split(String(word), at: "=")
      let list = said.split(separator: ",").map(String.init)
      switch key {
      case "tag": request.tags = list
      case "org": request.orgs = list
      case "merchant": request.merchant = said
      case "birthday": request.birthday = said.isEmpty ? nil : said
      case "zone": zone = (Int(said) ?? 0) * 3_600_000_000
      case "at":
        let (date, time) = ConditionTranscript.split(said, at: "T")
        let parts = time.split(separator: ":").map { Int($0) ?? 0 }
        let day = PlainCalendar.number(PlainCalendar.parse(date)) - PlainCalendar.epoch
        request.moment = day * World.day + (parts[0] * 60 + parts[1]) * 60_000_000
      default: request.facts[key] = said.isEmpty ? nil : said
      }
    }
  }
  /// By a rule that blocks where it is true.
  private mutating func decide(_ text: String) throws {
    var program = PlainProgram()
    program.offset = zone
    var dice = SeededGenerator(seed: 1)
    var shop = try Shop(program, &dice)
    var rule = Rule(.block, .none)
    rule.condition = try Condition(text)
    if case .event(let name, _) = request.kind { rule.event = Array(name.utf8) }
    shop.rules.set([RuleVersion(number: 1, from: .zero, until: .never, rule: rule)], ofRule: 1, id: Array("r".utf8))
    output.append("\(shop.earn(request).reason == 1 ? "true " : "false") \(text)")
  }
}
