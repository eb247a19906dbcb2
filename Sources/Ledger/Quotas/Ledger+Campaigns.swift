import Base
import Rules

// Campaigns: their points draw on budgets, and this shard's part of what they gave is kept.
extension Ledger {
  /// What a budget has, for a question: what no shard had drawn when they were asked, else what leases here have.
  private func left(of period: QuotaPeriod, _ known: KnownDraws) -> Int64 {
    guard let row = catalogue.quota(period.quota), row.isActive else { return 0 }
    guard core.semantics >= Semantics.checked else { return max(0, row.limit - drawn(of: period)) }
    guard let drawn = known.drawn(of: period) else { return drawable(period) }
    return max(0, row.limit - drawn)
  }
  /// Whether budgets here have less than was worked out. Then `books` say what they have.
  func lacksBudget(_ ask: EarningRequest, into worked: inout EarningWork) -> Bool {
    let day = CivilTime.day(of: ask.effective ?? now, offset: catalogue.programRows[ask.program.place].offset)
    for draw in worked.outcome.draws {
      guard let budget = draw.budget, !worked.books.budgets.contains(where: { $0.quota == budget }),
        let period = catalogue.period(ofQuota: budget, day: day)
      else { continue }
      let wanted = worked.outcome.draws.reduce(0) { $0 + ($1.budget == budget ? $1.wanted : 0) }
      let kept = worked.known.map { self.left(of: period, $0) } ?? drawable(period)
      // Those draw it when they are booked: by then it must be there.
      let left = max(0, kept - ask.behind.reduce(0) { $0 + $1.drawn(of: period) })
      worked.books.budgets.append((budget, left))
      if left < wanted { worked.shortages.append(Shortage(period: period, wanted: wanted)) }
    }
    return !worked.shortages.isEmpty
  }

  /// Draws on budgets what is booked, and counts it.
  mutating func book(_ draws: [EarningDetail.Drawn], of award: Award) {
    for draw in draws {
      if let period = draw.period { self.draw(draw.points, of: period) }
      let key = CounterKey(.campaign, of: draw.campaign, from: 0)
      let isFirst = counter(award.parties.number, key) == 0
      count(1, of: award.parties.number, key)
      countCampaign(draw.campaign) {
        if isFirst { $0.members &+= 1 }
        $0.transactions &+= 1
        $0.points &+= Int128(draw.points)
        if award.spend.isSaid { $0.spend &+= Int128(award.spend.rawValue) }
      }
    }
  }
  /// Gives back to budgets what a return takes of what was drawn (R6): in the end all of it.
  mutating func unbook(_ draws: [EarningDetail.Drawn], of t: TransactionRecord, points: Points, spend: Money) {
    for draw in draws {
      let before = Ledger.share(of: draw.points, t.reversedPoints, t.points)
      let back = Ledger.share(of: draw.points, t.reversedPoints + points, t.points) - before
      if let period = draw.period { giveBack(back, to: period, near: t.id.slot) }
      countCampaign(draw.campaign) {
        $0.points &-= Int128(back)
        $0.spend &-= Int128(spend.rawValue)
      }
    }
  }
  /// The same of a purchase that was not booked after all.
  mutating func undraw(_ draws: [EarningDetail.Drawn], spend: Money, near slot: Slot) {
    for draw in draws {
      if let period = draw.period { giveBack(draw.points, to: period, near: slot) }
      countCampaign(draw.campaign) {
        $0.transactions &-= 1
        $0.points &-= Int128(draw.points)
        if spend.isSaid { $0.spend &-= Int128(spend.rawValue) }
      }
    }
  }
  private static func share(of drawn: Int64, _ part: Points, _ whole: Points) -> Int64 {
    guard whole > 0 else { return 0 }
    return Int64(clamping: Int128(drawn) * Int128(min(part, whole).rawValue) / Int128(whole.rawValue))
  }
  mutating func countCampaign(_ campaign: UInt32, _ body: (inout CampaignRecord) -> Void) {
    guard Int(campaign) < catalogue.records[.campaign].count else { return fail(.records) }
    while tables.quotas.campaigns.count <= Int(campaign) { _ = tables.quotas.campaigns.append(CampaignRecord()) }
    let ref = Ref<CampaignRecord>(place: Int(campaign))
    count(tables.quotas.campaigns.read(ref), -1)
    body(&tables.quotas.campaigns.write(ref).pointee)
    count(tables.quotas.campaigns.read(ref), 1)
  }
  /// What a campaign gave in this shard.
  func campaignFigures(_ campaign: UInt32) -> CampaignRecord {
    guard Int(campaign) < tables.quotas.campaigns.count else { return CampaignRecord() }
    return tables.quotas.campaigns.read(Ref(place: Int(campaign))).pointee
  }
}
