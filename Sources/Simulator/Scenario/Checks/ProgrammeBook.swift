/// A member's movements in the program of `ProgrammeTraffic`, worked out again from nothing but the history that the ledger tells: lots by
/// lots, oldest end first (R1 to R8, R17 and R18 of the rules of the business). It shares no code with the ledger. Times in ms.
struct ProgrammeBook {
  let plan: ScenarioPlan.Programme
  /// Whether a sale of that request, booked at that moment, may be worked out by a rate.
  let mayHaveRate: (_ rate: Int64, _ request: String, _ time: Int64) -> Bool

  private struct Sale {
    var points: Int64
    var time: Int64
    /// When it becomes active, and when the lot ends that it joins then.
    var active: Int64
    var ends: Int64
    var pending: Int64 = 0
    var returned: Int64 = 0
  }
  /// What is there less what is owed.
  private(set) var balance: Int64 = 0
  /// What is there, by the date on which it ends: sales of one date make one lot.
  private var lots: [Int64: Int64] = [:]
  private var sales: [String: Sale] = [:]
  /// Of each date, what ended without being spent; and what of that the next return takes, by its sale.
  private var lapsed: [Int64: Int64] = [:]
  private var broughtBack: [String: Int64] = [:]
  private var creditedByDay: [Int64: Int64] = [:]
  private var creditedByMonth: [Int: Int64] = [:]
  private(set) var requests: [String] = []

  init(_ plan: ScenarioPlan.Programme, mayHaveRate: @escaping (Int64, String, Int64) -> Bool) {
    self.plan = plan
    self.mayHaveRate = mayHaveRate
  }

  // MARK: Calendar

  static let day: Int64 = 86_400_000
  /// 2026 begins.
  private static let year: Int64 = 1_767_225_600_000
  /// The months that a scenario sees, and the last again and again.
  private static func month(of time: Int64) -> Int { time < year ? 0 : time < year + 31 * day ? 1 : 2 }

  private func end(ofLotFrom time: Int64) -> Int64 {
    let next = (time / ProgrammeBook.day + 1) * ProgrammeBook.day
    let isOld = time < ProgrammeBook.year
    switch plan.expiry {
    case .days1: return next + ProgrammeBook.day
    case .days2: return next + 2 * ProgrammeBook.day
    case .month: return ProgrammeBook.year + (isOld ? 0 : 31 * ProgrammeBook.day)
    case .year: return ProgrammeBook.year + (isOld ? 0 : 365 * ProgrammeBook.day)
    }
  }

  // MARK: Movements

  /// Takes the next row of a history, the oldest first. What is wrong with it; nil: nothing.
  mutating func take(_ row: String) -> String? {
    guard let kind = row.field("kind"), let tx = row.field("tx").map(String.init), let time = row.number("time"),
      let points = row.number("points"), let told = row.number("balance")
    else { return "no such row is known" }
    if let request = row.field("request") { requests.append(String(request)) }
    let finding: String?
    switch kind {
    case "earn": finding = earn(row, tx, time, points)
    case "activate": finding = activate(time, points)
    case "redeem": finding = redeem(time, -points)
    case "expire": finding = expire(time, -points)
    case "expire-back": finding = expireBack(row, points)
    case "refund": finding = takeBack(row, time, -points)
    default: finding = "nothing of that kind was asked for"
    }
    return finding ?? (told == balance ? nil : "the balance should be \(balance)")
  }

  private mutating func earn(_ row: String, _ tx: String, _ time: Int64, _ points: Int64) -> String? {
    guard let spend = row.number("spend"), spend > 0, let request = row.field("request").map(String.init) else {
      return "a sale without what it was for"
    }
    let whole = points + (row.number("capped") ?? 0)
    guard whole % spend == 0, mayHaveRate(whole / spend, request, time) else {
      return "a rate of \(whole)/\(spend) was not in force"
    }
    let (day, month) = (time / ProgrammeBook.day, ProgrammeBook.month(of: time))
    let room = min(
      plan.capOfDay - creditedByDay[day, default: 0], plan.capOfMonth - creditedByMonth[month, default: 0])
    guard points == min(whole, max(0, room)) else { return "there was room for \(room)" }
    creditedByDay[day, default: 0] += points
    creditedByMonth[month, default: 0] += points
    let active = plan.isPending ? (time / ProgrammeBook.day + 1) * ProgrammeBook.day : time
    var sale = Sale(points: points, time: time, active: active, ends: end(ofLotFrom: active))
    guard sales[tx] == nil else { return "it is there twice" }
    if !plan.isPending {
      credit(points, ends: sale.ends)
    } else {
      guard points == 0 || row.number("active") == active else { return "it becomes active at \(active)" }
      sale.pending = points
    }
    sales[tx] = sale
    return nil
  }
  /// What is owed is repaid first.
  private mutating func credit(_ points: Int64, ends: Int64) {
    lots[ends, default: 0] += points - min(points, max(0, -balance))
    balance += points
  }

  private mutating func activate(_ time: Int64, _ points: Int64) -> String? {
    let due = sales.filter { $0.value.active <= time && $0.value.pending > 0 }
    let sum = due.values.reduce(0) { $0 + $1.pending }
    // One movement for each date.
    guard Set(due.values.map(\.active)).count == 1, sum == points else { return "\(sum) were to become active" }
    for (tx, sale) in due {
      credit(sale.pending, ends: sale.ends)
      sales[tx]?.pending = 0
    }
    return nil
  }

  private mutating func redeem(_ time: Int64, _ points: Int64) -> String? {
    let available = lots.reduce(0) { $0 + ($1.key > time ? $1.value : 0) }
    guard points > 0, points <= available else { return "\(available) were available" }
    balance -= points
    spend(points, at: time)
    return nil
  }
  /// From what ends first.
  private mutating func spend(_ points: Int64, at time: Int64) {
    var left = points
    for date in lots.keys.sorted() where date > time { left -= takeLot(date, left) }
  }
  private mutating func takeLot(_ date: Int64, _ wanted: Int64) -> Int64 {
    let part = min(wanted, lots[date] ?? 0)
    lots[date, default: 0] -= part
    return part
  }

  /// One movement for each date.
  private mutating func expire(_ time: Int64, _ points: Int64) -> String? {
    guard let date = lots.keys.sorted().first(where: { $0 <= time && lots[$0] ?? 0 > 0 }), let there = lots[date],
      points > 0, points <= there
    else { return "nothing had ended" }
    // More than one only where a part became active after it should have ended.
    guard points == there || plan.isPending else { return "\(there) had ended" }
    lots[date] = there - points
    lapsed[date, default: 0] += points
    balance -= points
    return nil
  }
  private mutating func expireBack(_ row: String, _ points: Int64) -> String? {
    let of = row.field("of").map(String.init) ?? ""
    guard let sale = sales[of], points > 0, points <= lapsed[sale.ends, default: 0] else {
      return "of its lot, nothing like that had lapsed"
    }
    lapsed[sale.ends, default: 0] -= points
    broughtBack[of, default: 0] += points
    balance += points
    return nil
  }

  private mutating func takeBack(_ row: String, _ time: Int64, _ points: Int64) -> String? {
    let of = row.field("of").map(String.init) ?? ""
    guard let sale = sales[of], points >= 0, sale.returned + points <= sale.points else {
      return "no more than the sale gave can be taken back"
    }
    creditedByDay[sale.time / ProgrammeBook.day, default: 0] -= points
    creditedByMonth[ProgrammeBook.month(of: sale.time), default: 0] -= points
    var left = points
    left -= min(left, sale.pending)
    sales[of]?.pending -= points - left
    sales[of]?.returned += points
    balance -= left
    if sale.ends > time { left -= takeLot(sale.ends, left) }
    let back = broughtBack.removeValue(forKey: of) ?? 0
    guard back == min(left, back + lapsed[sale.ends, default: 0]) else { return "of what lapsed, \(back) came back" }
    spend(left - back, at: time)
    return nil
  }
}
