/// The accounts of a program in a shard. Points move between them, and over all of them they add up to 0. The raw value is
/// part of the state and of what replicas compare: never change one, only add. One more is one line of this list.
public enum AccountCode: UInt8, CaseIterable, Sendable, BitwiseCopyable {
  /// The balances of all members.
  case members = 0
  /// What a merchant has issued: negative, for it came from there.
  case merchantIssues = 1
  /// What was redeemed at a merchant.
  case merchantRedeems = 2
  /// What lapsed.
  case breakage = 3
  case adjustments = 4
  /// What has left members here, and whose arrival is not recorded here yet.
  case inTransit = 5
  /// Net points that arrived from other shards, negated. Over all shards, at one stamp, it is between -(in transit) and 0.
  case betweenShards = 6
  /// What members have earned that is not active yet.
  case pending = 7

  /// How many a program has room for.
  static let room = 16
  /// Where a merchant's part has it; nil: it is the program's own.
  @inline(__always) var placeInPart: Int? {
    switch self {
    case .merchantIssues: 0
    case .merchantRedeems: 1
    default: nil
    }
  }
  /// Points only come back from here that came before.
  var isNeverNegative: Bool { self == .merchantRedeems || self == .breakage || self == .inTransit || self == .pending }
  @inline(__always) var digestField: UInt64 { 64 + UInt64(rawValue) }
}

/// One account of a program: one of its own, or a merchant's.
struct Account: BitwiseCopyable {
  let code: AccountCode
  /// `.none` where it is no merchant's.
  var merchant = MerchantRef.none

  static var pending: Account { Account(code: .pending) }
  static var members: Account { Account(code: .members) }
  static var breakage: Account { Account(code: .breakage) }
  static var adjustments: Account { Account(code: .adjustments) }
  static var inTransit: Account { Account(code: .inTransit) }
  static var betweenShards: Account { Account(code: .betweenShards) }
  static func issues(of merchant: MerchantRef) -> Account { Account(code: .merchantIssues, merchant: merchant) }
  static func redeems(at merchant: MerchantRef) -> Account { Account(code: .merchantRedeems, merchant: merchant) }
}

extension Ledger {
  /// Moves points from one account of a program to another. Nothing else changes a figure: so they add up to 0, whatever
  /// is posted. What members have by their accounts (`adjust`) must come to the same.
  @inline(__always) mutating func post(_ points: Points, _ program: ProgramRef, from: Account, to: Account) {
    add(0 &- points, to: from, program)
    add(points, to: to, program)
  }
  @inline(__always) private mutating func add(_ points: Points, to account: Account, _ program: ProgramRef) {
    if let place = account.code.placeInPart {
      core.add(Int128(points.rawValue), to: &part(account.merchant, program).pointee.figures[place])
      core.digest.add(partDigestKey(account.merchant, program), account.code.digestField, points)
    } else {
      let record = tables.programs.write(Ref(place: program.place))
      core.add(Int128(points.rawValue), to: &record.pointee.figures[Int(account.code.rawValue)])
      // Of members the digest knows each account.
      if account.code != .members { core.digest.add(programKey(program), account.code.digestField, points) }
    }
  }

  @inline(__always) func partDigestKey(_ merchant: MerchantRef, _ program: ProgramRef) -> UInt64 {
    DigestSum.mix(catalogue.merchantRows[merchant.place].key, programKey(program))
  }
  mutating func part(_ merchant: MerchantRef, _ program: ProgramRef) -> UnsafeMutablePointer<PartRecord> {
    var next = tables.firstParts.read(merchant.place).pointee
    while next != .none {
      let part = tables.parts.write(next)
      if part.pointee.program == program { return part }
      next = part.pointee.next
    }
    let place = tables.parts.append(
      PartRecord(merchant: merchant, program: program, next: tables.firstParts.read(merchant.place).pointee))
    tables.firstParts[merchant.place] = place
    return tables.parts.write(place)
  }
}
