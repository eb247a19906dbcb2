import Base

/// What points of a quota were waited for by.
struct QuotaAsk: Hashable, Sendable, BitwiseCopyable {
  var quota: UInt32
  /// See `Deferral.since`.
  var since: TransactionID

  /// What has been waited for first, of a quota's asks of a lease.
  static func first(of quota: UInt32, _ slot: Slot, in asks: [QuotaAsk]) -> TransactionID? {
    asks.first { $0.quota == quota && $0.since.slot == slot }?.since
  }
}

/// What a request that has to wait waits for.
public struct Deferral: Hashable, Sendable, BitwiseCopyable {
  /// A transaction of its shard: `Ledger.takeAnsweredWaits` tells when that is over. `.none`: those before it in its slot.
  public var awaited: TransactionID
  /// The number of the quota that it asked; nil: it waits for none.
  public var quota: UInt32?
  /// The first ask that was sent after the request came: a final grant of that, or of a later one, is true of it.
  public var since: TransactionID

  init(awaited: TransactionID, quota: UInt32? = nil, since: TransactionID = .none) {
    (self.awaited, self.quota, self.since) = (awaited, quota, since)
  }
  /// For those before it in its slot.
  public static var behind: Deferral { Deferral(awaited: .none) }
  /// For something that is to come to an end elsewhere.
  public init(awaiting transaction: TransactionID) { self.init(awaited: transaction) }

  /// What a deferred command wrote in place of a reply.
  public init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    awaited = TransactionID(rawValue: try reader.read())
    let number: UInt32 = try reader.read()
    quota = number == .max ? nil : number
    since = TransactionID(rawValue: try reader.read())
  }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(awaited.rawValue)
    buffer.append(quota ?? .max)
    buffer.append(since.rawValue)
  }
}
