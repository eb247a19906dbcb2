import Base
import Rules
import Vocabulary

/// What of a program is not looked at with each earn.
struct ProgramDetails: Sendable {
  /// When points may be redeemed; empty: always.
  var windows: [YearWindow] = []
  var closing = ClosingText.lapse
  /// In which windows it, or some policy of it, bounds what a member earns, or has: what is credited counts in all of them, so that a change
  /// of class finds it (A22).
  var capWindows: [CapWindow.Kind] = []
  var mayHaveCaps: Bool { !capWindows.isEmpty }
  /// What several factors do together.
  var combination = EarningTerms.Combination.max
  /// Its policies by their classes: numbers among `Catalogue.policies`.
  var policies: [(holderClass: [UInt8], number: Int)] = []
}

// What holds for holders of a class: a policy says some of it, the program the rest, each as it is at the moment.
extension Catalogue {
  /// The terms for a holder of a class; of an unknown or empty class those of the program. Without a moment: those of now.
  func terms(ofProgram program: ProgramRef, holderClass: Bytes, at moment: Stamp? = nil) -> HolderTerms {
    let base = rule(ofProgram: program, at: moment).terms
    return policy(ofProgram: program, holderClass: holderClass, at: moment)?.terms(over: base) ?? base
  }
  /// What becomes of the points of a holder of a class whose membership ends.
  func closing(ofProgram program: ProgramRef, holderClass: Bytes) -> ClosingText {
    policy(ofProgram: program, holderClass: holderClass, at: nil)?.closing ?? programDetails[program.place].closing
  }

  /// A policy in force at a moment, and not stopped; nil if there is none. O(policies of the program).
  func policy(ofProgram program: ProgramRef, holderClass: Bytes, at moment: Stamp?) -> PolicyTerms? {
    guard programRows[program.place].hasPolicies else { return nil }
    let known = programDetails[program.place].policies.first { $0.holderClass.elementsEqual(holderClass) }
    guard let known else { return nil }
    let item = policies[known.number]
    let moment = moment ?? records.moment
    guard item.isInForce(at: moment), let version = item.version(at: moment) else { return nil }
    var isActive = false
    let terms = try? PolicyTerms(policy: version.values, isActive: &isActive)
    return isActive ? terms : nil
  }

  // MARK: Rows

  static func checkPolicy(_ versions: some Sequence<EntryValues>) throws(MalformedBytes) {
    var isActive = false
    for values in versions { _ = try PolicyTerms(policy: values, isActive: &isActive) }
  }
  /// Takes a policy in, or what it is by now. Its versions are sound. Throws, and changes nothing, if its program is not there or there
  /// are too many.
  mutating func putPolicy(_ item: CatalogueItem, at number: Int) throws(MalformedBytes) {
    let parts = item.name.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    let program = parts[0].withUnsafeBytes { self.program($0, tenant: item.tenant) }
    guard parts.count == 2, let program, number < Catalogue.maximumPolicies else {
      throw MalformedBytes("a policy of no program, or too many")
    }
    noteCaps(item, ofProgram: program.place)
    if number < policies.count {
      policies[number] = item
      return
    }
    policies.append(item)
    programDetails[program.place].policies.append((Array(parts[1]), number))
    programRows[program.place].hasPolicies = true
  }
  static let maximumPolicies = EntryKind.policy.most.all
}
