/// Where members stand in the tiers of `TierTraffic`, worked out again from nothing but histories (R19 to R21). It shares no code with the
/// ledger. Times in ms.
struct TierBook {
  typealias Tiers = ScenarioPlan.Tiers
  let plan: Tiers
  /// A pool's history: what it has is of several members, whose slots hear of returns later than it does.
  let isOfPool: Bool

  struct Member {
    /// What counted, by years; all in one where periods do not end in a scenario.
    var figures: [Int64: Int64] = [:]
    var tier = 0
    fileprivate var floor = 0
    /// Years whose end has been gone over.
    fileprivate var year: Int64 = 2025
    fileprivate var gifts: [String: Int] = [:]
    fileprivate var rises: Set<Int> = []
    /// It is not known in which year something counted.
    var isUnsure = false
  }
  private struct Sale {
    var member: String
    var year: Int64
    var points: Int64
    var spend: Int64
  }
  private(set) var members: [String: Member] = [:]
  private var sales: [String: Sale] = [:]
  /// A gift that an earning has to be behind.
  private var gift: Int?
  private(set) var requests: [String] = []
  /// The day of the last earning or redemption.
  private(set) var activeDay: Int64 = 0
  private(set) var isMerged: Bool

  /// - Parameter isMerged: another member's figures came to it, and no row says when: no points came with them.
  init(_ plan: Tiers, isOfPool: Bool, isMerged: Bool = false) {
    (self.plan, self.isOfPool, self.isMerged) = (plan, isOfPool, isMerged)
  }

  /// A period, named by the year in which it begins: one from joining is over when a year has passed.
  private func year(_ time: Int64) -> Int64 {
    let (newYear, year) = (Scenario.newYear / 1_000, 365 * ProgrammeBook.day)
    switch plan.span {
    case .ever: return 2025
    case .months: return time < newYear + year / 2 ? 2025 : 2026
    case .year: return time < newYear ? 2025 : time < newYear + year ? 2026 : 2027
    }
  }
  /// So far a node's clock may be behind (ms).
  private static let clockError: Int64 = 500
  func figure(of member: String, at time: Int64) -> Int64 { members[member]?.figures[year(time)] ?? 0 }

  /// Goes over the ends of years up to a moment.
  mutating func goOn(_ name: String, to time: Int64) {
    var member = members[name] ?? Member()
    while member.year < year(time) {
      let reached = plan.reached(member.figures[member.year] ?? 0)
      if reached < member.tier {
        switch plan.down {
        case .earned: member.tier = reached
        case .one: member.tier -= 1
        case .never: break
        }
      }
      member.floor = member.tier
      member.year += 1
    }
    members[name] = member
  }

  /// Takes the next row of a history, the oldest first. What is wrong with it; nil: nothing.
  /// - Parameter begun: when a request was first asked; nil: it is not known.
  mutating func take(_ row: String, of own: String, begun: (String) -> Int64?) -> String? {
    guard let kind = row.field("kind"), let time = row.number("time"), let points = row.number("points") else {
      return "no such row is known"
    }
    let name = isOfPool ? row.field("by").map(String.init) ?? "" : own
    if let request = row.field("request") { requests.append(String(request)) }
    switch kind {
    case "gift": return takeGift(row, name, time, points)
    case "earn":
      activeDay = time / ProgrammeBook.day
      let finding = earn(row, name, time, points, begun)
      gift = nil
      return finding
    case "redeem":
      activeDay = time / ProgrammeBook.day
      return nil
    case "refund": return takeBack(row, time, -points)
    case "merge-in", "merge-out":
      isMerged = true
      return nil
    case "expire", "close": return nil
    default: return "nothing of that kind was asked for"
    }
  }

  private mutating func takeGift(_ row: String, _ name: String, _ time: Int64, _ points: Int64) -> String? {
    guard let tier = row.field("tier").flatMap({ Tiers.names.firstIndex(of: String($0)) }), points == Tiers.gifts[tier]
    else { return "no tier has such a gift" }
    let period = isOfPool ? 0 : year(time)
    let count = members[name, default: Member()].gifts["\(tier) \(period)", default: 0] + 1
    members[name, default: Member()].gifts["\(tier) \(period)"] = count
    guard count <= (isOfPool && plan.span == .year ? 2 : 1) else { return "it was given that before" }
    gift = tier
    return nil
  }
  private mutating func earn(
    _ row: String, _ name: String, _ time: Int64, _ points: Int64, _ begun: (String) -> Int64?
  ) -> String? {
    guard let spend = row.number("spend"), let tx = row.field("tx").map(String.init),
      let request = row.field("request").map(String.init)
    else { return "a sale without what it was for" }
    goOn(name, to: time)
    var member = members[name] ?? Member()
    let tier = member.tier
    if isOfPool {
      guard points == spend || points == 2 * spend else { return "no tier earns that" }
      // It counted when the member's slot had it, by a clock that may be behind.
      if begun(request).map({ year($0 - TierBook.clockError) != year(time) }) ?? true { member.isUnsure = true }
    } else if !isMerged {
      guard points == (tier == 2 ? 2 : 1) * spend else { return "\(Tiers.names[tier]) earns something else" }
    }
    let amount = plan.by == .points ? points : plan.by == .spend ? spend : 1
    member.figures[year(time), default: 0] += amount
    member.tier = max(member.floor, plan.reached(member.figures[year(time)] ?? 0))
    let said = row.field("tier").flatMap { Tiers.names.firstIndex(of: String($0)) }
    if let said { member.rises.insert(said) }
    sales[tx] = Sale(member: name, year: year(time), points: points, spend: spend)
    members[name] = member
    guard !isOfPool, !isMerged else { return nil }
    guard said == (member.tier == tier ? nil : member.tier) else { return "it is in \(Tiers.names[member.tier]) then" }
    if member.tier > tier {
      guard member.gifts["\(member.tier) \(year(time))"] ?? 0 == 1 else { return "it was given nothing for its tier" }
    } else if gift != nil {
      return "it was given something for no tier"
    }
    return nil
  }
  private mutating func takeBack(_ row: String, _ time: Int64, _ points: Int64) -> String? {
    guard let of = row.field("of").map(String.init), let sale = sales[of], let spend = row.number("spend") else {
      return "no such sale is known"
    }
    goOn(sale.member, to: time)
    guard plan.by != .visits, var member = members[sale.member] else { return nil }
    member.figures[sale.year, default: 0] -= plan.by == .points ? points : spend
    if sale.year == member.year { member.tier = max(member.floor, plan.reached(member.figures[sale.year] ?? 0)) }
    members[sale.member] = member
    return nil
  }

  /// What is wrong at the end; nil: nothing.
  func finding(_ name: String) -> String? {
    guard let member = members[name], isOfPool else { return nil }
    for tier in member.rises where member.gifts["\(tier) 0"] ?? 0 == 0 {
      return "was given nothing for \(Tiers.names[tier])"
    }
    return nil
  }
}
