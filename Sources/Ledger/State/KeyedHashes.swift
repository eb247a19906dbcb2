import Base

/// The hashes by which state finds its records: of texts by SipHash-2-4, of numbers by a multiplication, both with the
/// cluster's key. A stranger who chooses ids, or the order of transactions, makes nothing collide.
///
/// What is public for ever (a key's slot) or compared between replicas (digests) goes by `Slot.hash` instead.
struct KeyedHashes: BitwiseCopyable, Sendable {
  private let key: HashKey
  /// The states that all texts of a kind begin with, of the first tenant: most have no other.
  private let member: SipHash
  private let card: SipHash
  private let program: SipHash
  private let merchant: SipHash
  private let multiplier: UInt128
  private let summand: UInt128

  /// The raw value is part of what is hashed.
  enum Kind: UInt8 {
    case member = 1
    case card = 2
    case program = 3
    case merchant = 4
    case delivery = 5
    case number = 6
  }

  init(_ key: HashKey) {
    self.key = key
    member = KeyedHashes.begin(key, .member, .first)
    card = KeyedHashes.begin(key, .card, .first)
    program = KeyedHashes.begin(key, .program, .first)
    merchant = KeyedHashes.begin(key, .merchant, .first)
    func number(_ n: UInt64) -> UInt128 {
      var hash = SipHash(wide: key)
      hash.absorb(UInt64(Kind.number.rawValue) | n &<< 32)
      let (low, high) = hash.finishedWide()
      return UInt128(high) &<< 64 | UInt128(low)
    }
    multiplier = number(1)
    summand = number(2)
  }
  private static func begin(_ key: HashKey, _ kind: Kind, _ tenant: TenantID) -> SipHash {
    var hash = SipHash(wide: key)
    hash.absorb(UInt64(kind.rawValue) | UInt64(tenant.rawValue) &<< 32)
    return hash
  }

  /// The state behind a member's id: the beginning of its request ids' hashes.
  @inline(__always) func member(_ id: UnsafeRawBufferPointer, _ tenant: TenantID) -> SipHash {
    var hash = tenant == .first ? member : KeyedHashes.begin(key, .member, tenant)
    hash.absorbEnd(id)
    return hash
  }
  @inline(__always) func card(_ number: UnsafeRawBufferPointer, _ tenant: TenantID) -> SipHash {
    var hash = tenant == .first ? card : KeyedHashes.begin(key, .card, tenant)
    hash.absorbEnd(number)
    return hash
  }
  @inline(__always) func program(_ name: UnsafeRawBufferPointer, _ tenant: TenantID) -> UInt64 {
    var hash = tenant == .first ? program : KeyedHashes.begin(key, .program, tenant)
    hash.absorbEnd(name)
    return hash.finishedLow()
  }
  @inline(__always) func merchant(_ name: UnsafeRawBufferPointer, _ tenant: TenantID) -> UInt64 {
    var hash = tenant == .first ? merchant : KeyedHashes.begin(key, .merchant, tenant)
    hash.absorbEnd(name)
    return hash.finishedLow()
  }
  /// What a delivery is known by.
  func delivery(_ from: TransactionID, _ step: UInt8) -> (low: UInt64, high: UInt64) {
    var hash = SipHash(wide: key)
    hash.absorb(UInt64(Kind.delivery.rawValue) | UInt64(step) &<< 8)
    hash.absorb(from.rawValue)
    return hash.finishedWide()
  }

  /// Where an index keeps a number. Multiply-shift in 128 bits (Dietzfelbinger 1996) is strongly
  /// universal: to whoever sees neither key nor hashes, any two numbers collide as random ones do. It costs two
  /// multiplications.
  @inline(__always) func number(_ number: UInt64) -> UInt64 {
    UInt64(truncatingIfNeeded: (multiplier &* UInt128(number) &+ summand) &>> 64)
  }
  /// Where an index keeps a transaction, or a step of it: a slot leaves two bits of the 64 free.
  @inline(__always) func number(_ tx: TransactionID, step: UInt8 = 0) -> UInt64 {
    number(tx.rawValue &+ UInt64(step) &<< 62)
  }
}

/// Of a command: what its party, its merchant and its request id are found by, hashed once.
struct RequestHashes: BitwiseCopyable {
  /// The member's or, of a command about a card, the card's.
  var party: UInt64
  var key: RequestKey
  /// None where it names none, or there is none of that name.
  var merchant: MerchantRef

  /// Of what has no scope, or none that is known yet.
  static var none: RequestHashes {
    RequestHashes(
      party: 0, key: RequestKey(low: 0, high: 0, fingerprint: 0, slot: Slot(0), isNone: true), merchant: .none)
  }
}

/// A request id in its scope: tenant, member (or card), merchant. Two that differ are never taken for one: 113 bits of a
/// keyed hash over all of them, and the slot.
struct RequestKey: BitwiseCopyable {
  var low: UInt64
  /// The slot in 14 bits, a bit that is 0, and 49 of the hash.
  var high: UInt64
  var fingerprint: UInt64
  /// Where what it concerns lies, for a split of the shard.
  var slot: Slot
  /// Without an id nothing is kept, and nobody resends it.
  var isNone: Bool

  /// - Parameters:
  ///   - scope: the hash's state behind the member's id or the card's number.
  ///   - merchant: `.none` where none is in the scope, `.unknown` where there is none of that name: nothing is kept of that.
  @inline(__always) init(
    _ scope: SipHash, merchant: MerchantRef = .none, _ request: UnsafeRawBufferPointer,
    fingerprint: UInt64, slot: Slot
  ) {
    var hash = scope
    hash.absorb(UInt64(UInt32(bitPattern: merchant.rawValue)))
    hash.absorbEnd(request)
    (low, high) = hash.finishedWide()
    high = RequestKey.high(high, slot)
    self.fingerprint = fingerprint
    self.slot = slot
    isNone = request.isEmpty
  }
  init(low: UInt64, high: UInt64, fingerprint: UInt64, slot: Slot, isNone: Bool = false) {
    self.low = low
    self.high = RequestKey.high(high, slot)
    self.fingerprint = fingerprint
    self.slot = slot
    self.isNone = isNone
  }
  @inline(__always) private static func high(_ hash: UInt64, _ slot: Slot) -> UInt64 {
    UInt64(slot.rawValue) &<< 50 | hash & (1 &<< 49 &- 1)
  }
}
