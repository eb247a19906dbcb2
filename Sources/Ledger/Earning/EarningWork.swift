import Base
import Rules

/// What an earning is worked out in, and what came of it. No part of the state: it is kept so that nothing is allocated anew.
struct EarningWork: Sendable {
  var facts = Facts()
  var work = RuleWork()
  var outcome = Rules.Outcome()
  var books = EarnedBooks()
  /// What budgets had not.
  var shortages: [Ledger.Shortage] = []
  /// Of a question, for which nothing is booked: what is known of budgets.
  var known: KnownDraws?
  /// The policy, counted from 1, whose `earn-cap=` held; 0: the program's.
  var capPolicy: UInt32 = 0
  /// The steps; of an `earn-cap=` the version says whose it is.
  var steps: [Step] {
    outcome.steps.map { step in
      var step = step
      if step.source == .programCap { step.version = capPolicy }
      return step
    }
  }
  var points: Int64 = 0
  /// What is paid, if the request says it.
  var spend: Money { if case .purchase(let spend) = facts.request { Money(spend) } else { .none } }
  var detail = EarningDetail()
  /// The detail as the record has it; empty where there is nothing to keep.
  var bytes: [UInt8] = []

  mutating func clear() {
    facts.clear()
    points = 0
    detail = EarningDetail()
    books.used.removeAll(keepingCapacity: true)
    books.budgets.removeAll(keepingCapacity: true)
    shortages.removeAll(keepingCapacity: true)
    bytes = []
  }
}

/// An earning that is worked out and about to be booked. Caps and budgets of what it brings about go by it: what it takes of them is not there
/// any more.
struct PromisedEarning {
  var program: ProgramRef
  var points: Int64
  var windows: [EarningDetail.Window]
  var draws: [EarningDetail.Drawn]

  init(_ work: EarningWork, _ program: ProgramRef) {
    (self.program, points, windows, draws) = (program, work.points, work.detail.windows, work.detail.draws)
  }
  /// What it is to draw of a period.
  func drawn(of period: QuotaPeriod) -> Int64 { draws.reduce(0) { $0 + ($1.period == period ? $1.points : 0) } }
}

/// The earnings that are worked out and about to be booked.
struct OpenEarnings {
  /// The program of the one that is in `Ledger.earning`; nil: that is none.
  var program: ProgramRef?
  /// Those behind which something is worked out that comes of them.
  var promised: [PromisedEarning] = []
}

/// What a purchase or an event asks rules.
struct EarningRequest {
  var call: Call
  var member: Ref<MemberRecord>
  var program: ProgramRef
  var merchant: MerchantRef
  var request: Facts.Request
  /// Nil: now.
  var effective: Stamp?
  var rate = EarnRate.none
  var isMerchantsRate = false
  /// Of an event its name; empty: it is a purchase.
  var event: [UInt8] = []
  /// Of an event that the ledger raises: the member's channel, which no request says.
  var channel: [UInt8] = []
  /// Of a question: the tier that the member would be in by then; nil: the present one.
  var tier: Int?
  /// Of an event that the ledger raises: what is about to be booked before it.
  var behind: [PromisedEarning] = []
  var tenant: TenantID

  var isPurchase: Bool { event.isEmpty }
}

/// What a member was credited in windows of caps.
struct EarnedBooks: EarningBooks, Sendable {
  struct Used: Sendable {
    var rule: UInt32?
    var window: CapWindow
    var points: Int64
  }
  var used: [Used] = []

  func used(ofRule number: UInt32?, in window: CapWindow) -> Int64 {
    used.first { $0.rule == number && $0.window == window }?.points ?? 0
  }
  mutating func count(_ points: Int64, ofRule number: UInt32?, in window: CapWindow) {
    guard let place = used.firstIndex(where: { $0.rule == number && $0.window == window }) else {
      return used.append(Used(rule: number, window: window, points: points))
    }
    used[place].points = Ledger.sum(used[place].points, points)
  }
  /// What this shard may draw on budgets by itself, once that is known.
  var budgets: [(quota: UInt32, left: Int64)] = []
  func left(ofBudget number: UInt32) -> Int64? { budgets.first { $0.quota == number }?.left }
}

extension CounterKey {
  /// Of what was credited in a window of a rule's cap, or of a program's.
  init(_ window: CapWindow, ofRule rule: UInt32?, program: ProgramRef) {
    let subject = (rule ?? UInt32(program.place)) << 3 | UInt32(window.kind.rawValue)
    self.init(rule == nil ? .earned : .ruled, of: subject, from: window.start)
  }
  /// The window that it counts in; nil: it counts something else.
  var window: CapWindow? {
    guard kind == Kind.earned.rawValue || kind == Kind.ruled.rawValue,
      let known = CapWindow.Kind(rawValue: UInt8(subject & 7))
    else { return nil }
    return CapWindow(kind: known, start: start)
  }
}

extension CapWindow {
  /// The day after its last; nil: it never ends.
  var end: Int64? {
    let first = Int64(start)
    switch kind {
    case .sale, .ever: return nil
    case .day: return first + 1
    case .week: return first + 7
    case .month, .year:
      let (year, month) = CivilTime.yearAndMonth(day: first)
      if kind == .year { return CivilTime.days(year: year + 1, month: 1, day: 1) }
      return CivilTime.days(year: month == 12 ? year + 1 : year, month: month == 12 ? 1 : month + 1, day: 1)
    }
  }
}
