import Base
import Rules
import Vocabulary

/// The fields of a version by their names: as numbers, and as they are kept.
struct TermsReader {
  private(set) var terms: [(name: String, number: Int64, bytes: [UInt8])] = []
  init(_ values: EntryValues, _ kind: EntryKind) throws(MalformedBytes) {
    for (number, bytes) in values.fields where !bytes.isEmpty {
      guard let field = kind.field(number: number) else {
        throw MalformedBytes("field \(number) of a \(kind.name) is not known to this build: a newer build wrote it")
      }
      var value: Int64 = 0
      switch field.form {
      case .reference:
        guard let first = bytes.withUnsafeBytes({ Entries.references($0) }).first, first <= Int(Int32.max) else {
          throw MalformedBytes("a reference to nothing")
        }
        value = Int64(first)
      case .shape(let shape) where shape.wire == .text: break
      default: value = bytes.withUnsafeBytes { EntryField.number(stored: $0) }
      }
      terms.append((field.name, value, bytes))
    }
  }
}

/// What becomes of a refund of points that are spent already (R8).
enum RefundPolicy: UInt8, Sendable, BitwiseCopyable {
  case debt = 0
  case reject = 1
  /// The operator's loss.
  case absorb = 2
}

/// What a program says of the points of a member, after the policy for its class.
struct HolderTerms: Hashable, Sendable, BitwiseCopyable {
  var expiry = ExpiryRule.never
  /// Points are pending for so many days. 0: they are active at once.
  var activateDays: Int32 = 0
  var mayTransfer = true
  var mayCashOut = false
  /// Bounds of one redemption or hold; 0: none.
  var redeemMin: Points = 0
  var redeemMax: Points = 0
  var redeemStep: Points = 0
  /// What of a sale's total points may pay, in hundredths of a percent.
  var redeemShare: Int32 = 10_000
  var boundsRedemption: Bool { redeemMin > 0 || redeemMax > 0 || redeemStep > 0 }
}

/// What a version of a program or of a policy says of the points of a member; nil: nothing.
struct PolicyTerms: Hashable, Sendable {
  private var expiry: ExpiryRule?
  private var activateDays: Int32?
  private var mayTransfer: Bool?
  private var mayCashOut: Bool?
  private var redeemMin: Points?
  private var redeemMax: Points?
  private var redeemStep: Points?
  private var redeemShare: Int32?
  private(set) var closing: ClosingText?
  /// Of what a member earns; nil: nothing is said.
  private(set) var caps: [Cap]?

  /// Takes over a field. False: it is none of these.
  mutating func take(_ name: String, _ number: Int64, _ bytes: [UInt8]) throws(MalformedBytes) -> Bool {
    switch name {
    case "expire":
      guard let text = ExpiryText(number: number) else { throw MalformedBytes("an unknown expiry") }
      expiry = ExpiryRule(unit: text.unit, count: Int32(text.count), grace: Int32(text.grace))
    case "activate": activateDays = Int32(try number.within(0...36_500))
    case "transfer": mayTransfer = try number.within(0...1) == 0
    case "cashout": mayCashOut = try number.within(0...1) == 1
    case "redeem-min": redeemMin = Points(try number.within(1...Shape.maximumAmount))
    case "redeem-max": redeemMax = Points(try number.within(1...Shape.maximumAmount))
    case "redeem-step": redeemStep = Points(try number.within(1...Shape.maximumAmount))
    case "redeem-share": redeemShare = Int32(try number.within(0...10_000))
    case "on-close":
      guard let text = bytes.withUnsafeBytes({ ClosingText($0) }) else { throw MalformedBytes("an unknown on-close") }
      closing = text
    case "earn-cap":
      guard let known = bytes.withUnsafeBytes({ Cap.list(parsing: $0) }) else {
        throw MalformedBytes("an unknown earn-cap")
      }
      caps = known
    default: return false
    }
    return true
  }
  /// These over others, which say the rest.
  func terms(over base: HolderTerms = HolderTerms()) -> HolderTerms {
    var terms = base
    if let expiry { terms.expiry = expiry }
    if let activateDays { terms.activateDays = activateDays }
    if let mayTransfer { terms.mayTransfer = mayTransfer }
    if let mayCashOut { terms.mayCashOut = mayCashOut }
    if let redeemMin { terms.redeemMin = redeemMin }
    if let redeemMax { terms.redeemMax = redeemMax }
    if let redeemStep { terms.redeemStep = redeemStep }
    if let redeemShare { terms.redeemShare = redeemShare }
    return terms
  }

  init() {}
  /// What a version of a policy says. Throws if that is what this build does not know, or no `POLICY SET` can say.
  init(policy values: EntryValues, isActive: inout Bool) throws(MalformedBytes) {
    isActive = true
    for (name, number, bytes) in try TermsReader(values, EntryKind.policy).terms {
      if name == "state" {
        isActive = try number.within(0...1) == 0
      } else if try !take(name, number, bytes) {
        throw MalformedBytes("\(name) of a policy is not known to this build")
      }
    }
  }
}

/// What a version of a program says.
struct ProgramTerms: Hashable, Sendable {
  var rate = EarnRate.none
  var policy = PolicyTerms()
  /// Of its zone, of how far back a purchase may be, and of refunds, in microseconds.
  var offset: Int64 = 0
  var backdate: Int64 = 0
  var refundWindow: Int64 = 0
  var isActive = false
  /// When it was made its tenant's default, later than all others; the least: never.
  var claim = Int64.min
  /// What a member may send on one day; 0: as much as there is.
  var transferLimit: Points = 0
  var refundPolicy = RefundPolicy.debt
  /// How long points live that come back after their lot has ended.
  var graceDays: Int32 = 7
  /// When points may be redeemed; empty: always.
  var windows: [YearWindow] = []
  var combination = EarningTerms.Combination.max

  /// Throws if it says what this build does not know, or what no `PROGRAM SET` can say.
  init(_ values: EntryValues) throws(MalformedBytes) {
    for (name, number, bytes) in try TermsReader(values, EntryKind.program).terms {
      switch name {
      case "kind": break
      case "earn": rate = EarnRate(number)
      case "backdate": backdate = try number.within(0...36_500) * CivilTime.microsecondsPerDay
      case "utc-offset": offset = try number.within(-840...840) * 60 * CivilTime.microsecondsPerSecond
      case "refund-window": refundWindow = try number.within(0...36_500) * CivilTime.microsecondsPerDay
      case "default": claim = number
      case "state": isActive = try number.within(0...1) == 0
      case "transfer-limit": transferLimit = Points(try number.within(1...Shape.maximumAmount))
      case "refund-policy":
        refundPolicy = RefundPolicy(rawValue: UInt8(try number.within(0...2))) ?? .debt
      case "refund-grace": graceDays = Int32(try number.within(0...36_500))
      case "combine": combination = try number.within(0...1) == 0 ? .max : .product
      case "redeem-window":
        guard let known = bytes.withUnsafeBytes({ YearWindow.parse($0) }) else {
          throw MalformedBytes("a redeem-window that cannot be")
        }
        windows = known
      default:
        guard try policy.take(name, number, bytes) else {
          throw MalformedBytes("\(name) of a program is not known to this build")
        }
      }
    }
    guard rate.isSound else { throw MalformedBytes("a program's rate is out of bounds") }
  }
}

extension Int64 {
  func within(_ range: ClosedRange<Int64>) throws(MalformedBytes) -> Int64 {
    guard range.contains(self) else { throw MalformedBytes("a setting is out of bounds") }
    return self
  }
}
extension EarnRate {
  /// Of a number of `Shape.rate`.
  init(_ number: Int64) { self.init(points: Points(number >> 32), money: Money(number & 0xFFFF_FFFF)) }
  var isSound: Bool {
    let terms = 0...Int64(EarnRate.largestTerm)
    return self == .none || (terms.contains(points.rawValue) && terms.contains(money.rawValue) && money > 0)
  }
}
