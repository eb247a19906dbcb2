import Base

/// The programs and merchants of a cluster: a value, changed by versioned deltas alone. The directory group decides
/// (`decide`, then `apply` to its own); each shard applies the same deltas from its own log.
public struct Catalogue: Sendable {
  public typealias Bytes = UnsafeRawBufferPointer
  /// Rises by 1 with each delta.
  public private(set) var version: UInt32 = 0
  public init() {}

  /// What `PROGRAM SET` says; nil leaves a setting as it is. Texts are as sent: `12m`, `3d`, `+08:00`, `1/100`.
  public struct ProgramSettings {
    public var kind: Bytes?, title: Bytes?, earn: Bytes?, expire: Bytes?, backdate: Bytes?
    public var utcOffset: Bytes?, refundWindow: Bytes?
    public init() {}
  }
  /// What `MERCHANT SET` says.
  public struct MerchantSettings {
    public var title: Bytes?, program: Bytes?, earn: Bytes?, region: Bytes?, state: Bytes?
    public init() {}
  }
  /// A request as bytes, for the directory's log. Not checked yet.
  public static func appendProgramSet(
    to buffer: inout ByteBuffer, tenant: TenantID, name: Bytes, settings: ProgramSettings
  ) {}
  public static func appendMerchantSet(
    to buffer: inout ByteBuffer, tenant: TenantID, name: Bytes, settings: MerchantSettings
  ) {}
  /// Decides a request: the delta to apply here and in every shard, or nil if nothing changes (`+OK` is written) or it is
  /// refused (the error is written). `stamp` is the directory entry's: when the new rule begins.
  public func decide(_ request: Bytes, stamp: Stamp, into reply: inout ReplyWriter) -> [UInt8]? { nil }
  /// Applies a delta. One of a version it has already is ignored (false), so that sending twice is harmless; throws if
  /// it is malformed or not the next.
  @discardableResult public mutating func apply(_ delta: Bytes) throws(MalformedBytes) -> Bool { false }
  /// The version of a delta.
  public static func version(ofDelta delta: Bytes) throws(MalformedBytes) -> UInt32 { 0 }

  public func encode(into buffer: inout ByteBuffer) {}
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {}

  /// `PROGRAM LIST`: an array of records `program kind earn expire title backdate utc-offset refund-window`.
  public func listPrograms(tenant: TenantID, into reply: inout ReplyWriter) {}
  /// `MERCHANT LIST`: an array of records `merchant program earn region state title`.
  public func listMerchants(tenant: TenantID, into reply: inout ReplyWriter) {}
  public var programCount: Int { 0 }
  public var merchantCount: Int { 0 }
  public func hasProgram(_ name: Bytes, tenant: TenantID) -> Bool { false }
  public func hasMerchant(_ name: Bytes, tenant: TenantID) -> Bool { false }
}
