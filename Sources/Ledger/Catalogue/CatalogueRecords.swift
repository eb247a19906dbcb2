import Base

/// The programs, merchants and policies by their numbers, without what finds them by name: what is written into snapshots, and what
/// renders records of the journal. A copy is cheap, and so is the first change after it (see `ChunkedQueue`): copies are
/// made for other threads.
public struct CatalogueRecords: Sendable {
  var version: UInt32 = 0
  /// Up to then changes that were announced are in force.
  var moment = Stamp.zero
  var programs = ChunkedQueue<CatalogueItem>()
  var merchants = ChunkedQueue<CatalogueItem>()
  var policies = ChunkedQueue<CatalogueItem>()

  init() {}

  fileprivate enum Item: UInt8 { case head = 1, program = 2, merchant = 3, policy = 4 }

  /// About how many bytes `write` gives.
  public var byteCount: Int { (programs.count + policies.count) * 128 + merchants.count * 64 }

  /// Writes all of it, block by block. From any thread.
  public func write(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    var writer = BlockWriter()
    try writer.item(to: sink) {
      $0.append(Item.head.rawValue)
      $0.append(field: 1, zigzag: Int64(version))
      $0.append(field: 2, zigzag: moment.microseconds)
      $0.appendEndOfFields()
    }
    for (item, queue) in [(Item.program, programs), (Item.merchant, merchants), (Item.policy, policies)] {
      for entry in queue {
        try writer.item(to: sink) {
          $0.append(item.rawValue)
          entry.encode(into: &$0)
        }
      }
    }
    try writer.finish(to: sink)
  }
}

extension Catalogue {
  /// The catalogue whose records were written, with the cluster's key. Throws if the bytes are something else, and what the source throws.
  public init(restoring source: inout some SnapshotSource, key: HashKey) throws {
    self.init(key: key)
    try BlockReader.read(from: &source) { reader in
      switch CatalogueRecords.Item(rawValue: try reader.read()) {
      case .head:
        try reader.readFields(of: "the catalogue") { number, value throws(MalformedBytes) in
          switch number {
          case 1: version = try value.readSmall()
          case 2: records.moment = Stamp(microseconds: try value.readZigzag())
          default: return false
          }
          return true
        }
      case .program:
        let item = try CatalogueItem(decoding: &reader)
        for version in item.versions { _ = try ProgramTerms(version.values) }
        try putProgram(item, at: programs.count)
      case .merchant:
        let item = try CatalogueItem(decoding: &reader)
        for version in item.versions { _ = try MerchantTerms(version.values, programCount: programs.count) }
        try putMerchant(item, at: merchants.count)
      case .policy:
        let item = try CatalogueItem(decoding: &reader)
        try Catalogue.checkPolicy(item.versions.lazy.map(\.values))
        try putPolicy(item, at: policies.count)
      case nil: throw MalformedBytes("an item of a catalogue that is not known")
      }
    }
  }
}

/// What names programs and merchants: the whole catalogue, or its records alone.
protocol CatalogueNames {
  var programCount: Int { get }
  var merchantCount: Int { get }
  /// Gives a name's bytes, in place.
  func withProgramName<R>(_ program: ProgramRef, _ body: (UnsafeRawBufferPointer) -> R) -> R
  func withMerchantName<R>(_ merchant: MerchantRef, _ body: (UnsafeRawBufferPointer) -> R) -> R
}

extension CatalogueNames {
  func has(_ program: ProgramRef) -> Bool { !program.isNone && program.place < programCount }
  func has(_ merchant: MerchantRef) -> Bool { !merchant.isNone && merchant.place < merchantCount }
}

extension Catalogue: CatalogueNames {}
extension CatalogueRecords: CatalogueNames {
  var programCount: Int { programs.count }
  var merchantCount: Int { merchants.count }
  func withProgramName<R>(_ program: ProgramRef, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    programs[program.place].name.withUnsafeBytes(body)
  }
  func withMerchantName<R>(_ merchant: MerchantRef, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    merchants[merchant.place].name.withUnsafeBytes(body)
  }
}
