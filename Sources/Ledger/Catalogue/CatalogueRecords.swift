import Base

/// The programs and merchants by their numbers, without what finds them by name: what is written into snapshots, and what
/// renders records of the journal. A copy is cheap, and so is the first change after it (see `ChunkedQueue`): copies are
/// made for other threads.
public struct CatalogueRecords: Sendable {
  var version: UInt32 = 0
  var programs = ChunkedQueue<Catalogue.Program>()
  var merchants = ChunkedQueue<Catalogue.Merchant>()

  init() {}

  fileprivate enum Item: UInt8 { case version = 1, program = 2, merchant = 3 }

  /// About how many bytes `write` gives.
  public var byteCount: Int { programs.count * 256 + merchants.count * 128 }

  /// Writes all of it, block by block. From any thread.
  public func write(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    var writer = BlockWriter()
    try writer.item(to: sink) {
      $0.append(Item.version.rawValue)
      $0.append(version)
    }
    for program in programs {
      try writer.item(to: sink) {
        $0.append(Item.program.rawValue)
        program.encode(into: &$0)
      }
    }
    for merchant in merchants {
      try writer.item(to: sink) {
        $0.append(Item.merchant.rawValue)
        merchant.encode(into: &$0)
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
      case .version: version = try reader.read()
      case .program: try add(Program(decoding: &reader))
      case .merchant: try add(Merchant(decoding: &reader))
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
  func withProgramName<R>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R
  func withMerchantName<R>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R
}

extension Catalogue: CatalogueNames {}
extension CatalogueRecords: CatalogueNames {
  var programCount: Int { programs.count }
  var merchantCount: Int { merchants.count }
  func withProgramName<R>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    programs[number].name.withUnsafeBytes(body)
  }
  func withMerchantName<R>(_ number: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    merchants[number].name.withUnsafeBytes(body)
  }
}
