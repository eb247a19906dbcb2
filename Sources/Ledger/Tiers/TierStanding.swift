import Base

/// Where a member stands in a program's tiers: what is kept of it in the member's counters.
///
/// The tier is the higher of two: the one with which the period began (`floor`), and the one that the period's counter reaches. A late sale
/// of a period that is over raises the floor. So a return that takes the counter down takes the tier down no further than to the floor.
struct TierStanding: Hashable, BitwiseCopyable {
  /// Numbers among the tiers of the catalogue.
  var tier: Int
  var floor: Int
  /// The day with which the period ends; 0: it never does.
  var end: Int32

  /// As the counter has it. 20 bits for each tier, 22 for the day.
  var packed: Int64 { Int64(tier + 1) << 42 | Int64(floor + 1) << 22 | Int64(end) & 0x3F_FFFF }
  init(tier: Int, floor: Int, end: Int32) {
    (self.tier, self.floor, self.end) = (tier, floor, end)
  }
  /// Nil: none is kept.
  init?(packed: Int64) {
    guard packed > 0 else { return nil }
    self.init(
      tier: Int(packed >> 42) - 1, floor: Int(packed >> 22 & 0xF_FFFF) - 1, end: Int32(packed & 0x3F_FFFF))
  }
}

/// What happens to a standing as time goes on and figures change. Decides; books nothing.
struct TierWalk {
  let set: TierSet
  let offset: Int64
  /// The day on which the member was added.
  let joined: Int64
  var standing: TierStanding
  /// When the tier became what it is, if it has changed meanwhile.
  var since: Stamp?
  /// Periods whose end made the tier higher: that comes of tiers that were changed.
  var risen: [TierSet.Period] = []

  /// The present period.
  var period: TierSet.Period {
    standing.end == 0 ? set.period(of: 0, joined: joined) : set.period(of: Int64(standing.end) - 1, joined: joined)
  }
  func period(of day: Int64) -> TierSet.Period { set.period(of: day, joined: joined) }

  /// Goes over the ends of periods up to a day.
  /// - Parameter figure: what the counter of the period that begins on a day came to.
  mutating func goOn(to day: Int64, figure: (Int32) -> Int64) {
    while standing.end > 0, Int64(standing.end) <= day {
      let closed = period
      let moment = CivilTime.midnight(ofDay: Int64(standing.end), offset: offset)
      standing.end = period(of: Int64(standing.end)).end
      guard let ladder = set.ladder(at: moment) else { continue }
      let before = ladder.place(of: standing.tier)
      let after = ladder.place(after: before, figure: figure(closed.start))
      if after > before { risen.append(closed) }
      move(to: ladder.rungs[after].number, at: moment)
      standing.floor = standing.tier
    }
  }
  /// The counter of a period has changed to `figure`: the present one, or one that is over.
  mutating func take(_ figure: Int64, of period: TierSet.Period, at moment: Stamp) {
    guard let ladder = set.ladder(at: moment) else { return }
    let reached = ladder.place(reachedBy: figure)
    let floor = ladder.place(of: standing.floor)
    if period == self.period {
      move(to: ladder.rungs[max(floor, reached)].number, at: moment)
    } else if reached > floor {
      standing.floor = ladder.rungs[reached].number
      if ladder.place(of: standing.tier) < reached { move(to: standing.floor, at: moment) }
    }
  }
  /// A tier that is no lower than another is there already, to the end of the present period at least.
  mutating func raise(to tier: Int, at moment: Stamp) {
    guard let ladder = set.ladder(at: moment) else { return }
    if ladder.place(of: tier) > ladder.place(of: standing.floor) { standing.floor = tier }
    if ladder.place(of: tier) > ladder.place(of: standing.tier) { move(to: tier, at: moment) }
  }
  private mutating func move(to tier: Int, at moment: Stamp) {
    guard tier != standing.tier else { return }
    standing.tier = tier
    since = moment
  }
}
