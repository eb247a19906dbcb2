/// What records name a program or a merchant by: its place in the catalogue, the same in every shard and for ever.
struct CatalogueRef<Row>: Hashable, Sendable, BitwiseCopyable {
  var rawValue: Int32

  /// What records have where there is none.
  static var none: CatalogueRef { CatalogueRef(rawValue: -1) }
  /// A name that is nobody's, as part of a request's key.
  static var unknown: CatalogueRef { CatalogueRef(rawValue: -2) }
  @inline(__always) init(rawValue: Int32) { self.rawValue = rawValue }
  /// - Parameter place: counted from 0.
  @inline(__always) init(place: Int) { rawValue = Int32(truncatingIfNeeded: place) }
  @inline(__always) var place: Int { Int(rawValue) }
  @inline(__always) var isNone: Bool { rawValue < 0 }
}
typealias ProgramRef = CatalogueRef<Catalogue.ProgramRow>
typealias MerchantRef = CatalogueRef<Catalogue.MerchantRow>
