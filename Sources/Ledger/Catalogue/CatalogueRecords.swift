import Base
import Vocabulary

/// The entries that shards know by their kinds and numbers, without what finds them by name: what is written into snapshots, and what
/// renders records of the journal. A copy is cheap, and so is the first change after it (see `ChunkedQueue`): copies are
/// made for other threads.
public struct CatalogueRecords: Sendable {
  var version: UInt32 = 0
  /// Up to then changes that were announced are in force.
  var moment = Stamp.zero
  private var tables = [ChunkedQueue<CatalogueItem>](repeating: ChunkedQueue(), count: CatalogueKind.allCases.count)

  init() {}

  subscript(kind: CatalogueKind) -> ChunkedQueue<CatalogueItem> {
    _read { yield tables[kind.rawValue] }
    _modify { yield &tables[kind.rawValue] }
  }

  fileprivate static let head: UInt8 = 1

  /// About how many bytes `write` gives.
  public var byteCount: Int {
    CatalogueKind.allCases.reduce(0) { $0 + self[$1].count * ($1 == .merchant || $1 == .product ? 64 : 128) }
  }

  /// Writes all of it, block by block. From any thread.
  public func write(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    var writer = BlockWriter()
    try writer.item(to: sink) {
      $0.append(CatalogueRecords.head)
      $0.append(field: 1, zigzag: Int64(version))
      $0.append(field: 2, zigzag: moment.microseconds)
      $0.appendEndOfFields()
    }
    for kind in CatalogueKind.allCases {
      for entry in self[kind] {
        try writer.item(to: sink) {
          $0.append(kind.tag)
          entry.encode(into: &$0)
        }
      }
    }
    try writer.finish(to: sink)
  }
}

/// The kinds that shards know, in the order in which snapshots have them: what others are made of comes before these.
enum CatalogueKind: Int, CaseIterable, Sendable {
  case program = 0, merchant, policy, org, product, cardType, campaign, rule, tier, quota

  /// What stands before an entry in a snapshot, for ever.
  var tag: UInt8 { UInt8(rawValue) + 2 }
  init?(tag: UInt8) { self.init(rawValue: Int(tag) - 2) }
  var entries: EntryKind { CatalogueKind.kinds[rawValue] }
  private static let kinds: [EntryKind] = allCases.map { kind in
    switch kind {
    case .program: .program
    case .merchant: .merchant
    case .policy: .policy
    case .org: .org
    case .product: .product
    case .cardType: .cardType
    case .campaign: .campaign
    case .rule: .rule
    case .tier: .tier
    case .quota: .quota
    }
  }
  /// Of the number that deltas have.
  init?(number: Int) {
    guard let known = CatalogueKind.allCases.first(where: { $0.entries.number == number }) else { return nil }
    self = known
  }
  /// Shards may be told of it before they are told of one with a lower number.
  var mayHaveGaps: Bool { entries.toldSince > entries.since }
}

extension Catalogue {
  /// The catalogue whose records were written, with the cluster's key. Throws if the bytes are something else, and what the source throws.
  public init(restoring source: inout some SnapshotSource, key: HashKey) throws {
    self.init(key: key)
    try BlockReader.read(from: &source) { reader in
      let tag: UInt8 = try reader.read()
      guard tag != CatalogueRecords.head else {
        return try reader.readFields(of: "the catalogue") { number, value throws(MalformedBytes) in
          switch number {
          case 1: version = try value.readSmall()
          case 2: records.moment = Stamp(microseconds: try value.readZigzag())
          default: return false
          }
          return true
        }
      }
      guard let kind = CatalogueKind(tag: tag) else { throw MalformedBytes("an item of a catalogue that is not known") }
      let item = try CatalogueItem(decoding: &reader)
      try check(item.versions, of: kind)
      try put(item, kind, at: records[kind].count)
    }
    lowered = []
  }
}

/// What names programs and merchants: the whole catalogue, or its records alone.
protocol CatalogueNames {
  var programCount: Int { get }
  var merchantCount: Int { get }
  /// Gives a name's bytes, in place.
  func withProgramName<R>(_ program: ProgramRef, _ body: (UnsafeRawBufferPointer) -> R) -> R
  func withMerchantName<R>(_ merchant: MerchantRef, _ body: (UnsafeRawBufferPointer) -> R) -> R
  /// Empty: there is no such rule.
  func ruleName(_ number: UInt32) -> [UInt8]
  func tierName(_ number: Int) -> [UInt8]
}

extension CatalogueNames {
  func has(_ program: ProgramRef) -> Bool { !program.isNone && program.place < programCount }
  func has(_ merchant: MerchantRef) -> Bool { !merchant.isNone && merchant.place < merchantCount }
}

extension Catalogue: CatalogueNames {
  func ruleName(_ number: UInt32) -> [UInt8] { records.ruleName(number) }
  func tierName(_ number: Int) -> [UInt8] { records.tierName(number) }
}
extension CatalogueRecords: CatalogueNames {
  var programCount: Int { self[.program].count }
  var merchantCount: Int { self[.merchant].count }
  func withProgramName<R>(_ program: ProgramRef, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    self[.program][program.place].name.withUnsafeBytes(body)
  }
  func withMerchantName<R>(_ merchant: MerchantRef, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    self[.merchant][merchant.place].name.withUnsafeBytes(body)
  }
  func ruleName(_ number: UInt32) -> [UInt8] {
    Int(number) < self[.rule].count ? self[.rule][Int(number)].name : []
  }
}
