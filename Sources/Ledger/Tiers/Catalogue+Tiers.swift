import Base
import Rules
import Vocabulary

// The tiers of each program, as ladders by the moments from which they hold: made anew when a tier is set.
extension Catalogue {
  /// Takes a tier in, or what it is by now. Its versions are sound. Throws, and changes nothing, if its program is not there or there are
  /// too many.
  mutating func putTier(_ item: CatalogueItem, at number: Int) throws(MalformedBytes) {
    let program = item.name.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false).first
      .flatMap { $0.withUnsafeBytes { self.program($0, tenant: item.tenant) } }
    guard let program, number < EntryKind.tier.most.all, let first = item.versions.first,
      let terms = try? TierTerms(first.values)
    else { throw MalformedBytes("a tier of no program, or too many") }
    if number < records[.tier].count { records[.tier][number] = item } else { records[.tier].append(item) }
    var set = tierSets[program.place] ?? TierSet(by: terms.by, span: terms.span)
    if !set.numbers.contains(number) { set.numbers.append(number) }
    set.ladders = ladders(of: set)
    tierSets[program.place] = set
    programRows[program.place].hasTiers = true
    noteRules(ofProgram: program.place)
  }
  private func ladders(of set: TierSet) -> [TierLadder] {
    let items = set.numbers.map { records[.tier][$0] }
    let moments = Set(items.flatMap { $0.versions.map(\.from) }).sorted()
    return moments.map { moment in
      var ladder = TierLadder(from: moment)
      for (number, item) in zip(set.numbers, items) where item.isInForce(at: moment) {
        guard let version = item.version(at: moment), let terms = try? TierTerms(version.values) else { continue }
        var rung = terms.rung
        rung.number = number
        ladder.rungs.append(rung)
      }
      ladder.rungs.sort { ($0.rank, $0.at, $0.number) < ($1.rank, $1.at, $1.number) }
      return ladder
    }
  }
  /// Whether a program has rules for birthdays.
  mutating func noteBirthdayRules(ofProgram number: Int) {
    guard !birthdayPrograms.contains(number), ruleSets[number].hasRule(ofEvent: Ledger.birthday.bytes) else { return }
    birthdayPrograms.append(number)
    birthdayPrograms.sort()
  }
  /// The tiers of a program that are in force; nil: it has none.
  func ladder(ofProgram program: ProgramRef, at moment: Stamp) -> TierLadder? {
    tierSets[program.place]?.ladder(at: moment)
  }
}

extension CatalogueRecords {
  /// A tier's name, without its program's; empty: there is no such tier.
  func tierName(_ number: Int) -> [UInt8] {
    guard self[.tier].indices.contains(number) else { return [] }
    return self[.tier][number].name.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false).last.map {
      Array($0)
    } ?? []
  }
}
