import Base

/// Programs and merchants in the order of their names, for lists. Whoever answers lists keeps one beside its catalogue.
public struct CatalogueOrder: Sendable {
  /// Numbers, by tenant and name.
  private var programs: [UInt32] = []
  private var merchants: [UInt32] = []

  public init() {}

  /// Takes in what came since the last call. One more costs a search and a move of 4 bytes for each that is behind it; many
  /// at once are sorted.
  public mutating func update(_ catalogue: Catalogue) {
    let records = catalogue.records
    CatalogueOrder.add(upTo: records.programs.count, to: &programs) {
      CatalogueOrder.precedes(records.programs[$0].key, records.programs[$1].key)
    }
    CatalogueOrder.add(upTo: records.merchants.count, to: &merchants) {
      CatalogueOrder.precedes(records.merchants[$0].key, records.merchants[$1].key)
    }
  }
  private static func add(upTo count: Int, to numbers: inout [UInt32], _ precedes: (Int, Int) -> Bool) {
    guard numbers.count < count else { return }
    let new = numbers.count..<count
    guard new.count <= 8 else {
      numbers.append(contentsOf: new.map { UInt32($0) })
      numbers.sort { precedes(Int($0), Int($1)) }
      return
    }
    for number in new {
      let place = place(in: numbers) { precedes($0, number) }
      numbers.insert(UInt32(number), at: place)
    }
  }

  /// A tenant's programs behind a name, at most so many.
  func programs(
    of tenant: TenantID, after name: UnsafeRawBufferPointer, limit: Int, _ records: CatalogueRecords
  ) -> ArraySlice<UInt32> {
    CatalogueOrder.slice(of: programs, limit: limit) { number, isEnd in
      CatalogueOrder.isPast(records.programs[number].key, tenant, isEnd ? nil : name)
    }
  }
  /// A tenant's merchants behind a name, at most so many.
  func merchants(
    of tenant: TenantID, after name: UnsafeRawBufferPointer, limit: Int, _ records: CatalogueRecords
  ) -> ArraySlice<UInt32> {
    CatalogueOrder.slice(of: merchants, limit: limit) { number, isEnd in
      CatalogueOrder.isPast(records.merchants[number].key, tenant, isEnd ? nil : name)
    }
  }

  private static func slice(
    of numbers: [UInt32], limit: Int, _ isPast: (_ number: Int, _ isEnd: Bool) -> Bool
  ) -> ArraySlice<UInt32> {
    let start = place(in: numbers) { !isPast($0, false) }
    let end = place(in: numbers) { !isPast($0, true) }
    return numbers[start..<max(start, min(end, start + limit))]
  }
  /// The first place whose number does not precede.
  private static func place(in numbers: [UInt32], _ precedes: (Int) -> Bool) -> Int {
    var low = 0
    var high = numbers.count
    while low < high {
      let middle = low + (high - low) / 2
      if precedes(Int(numbers[middle])) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  typealias Key = (tenant: TenantID, name: [UInt8])
  private static func precedes(_ left: Key, _ right: Key) -> Bool {
    left.tenant == right.tenant
      ? left.name.lexicographicallyPrecedes(right.name) : left.tenant.rawValue < right.tenant.rawValue
  }
  /// Whether a key is behind a tenant's name; nil: behind all its names.
  private static func isPast(_ key: Key, _ tenant: TenantID, _ name: UnsafeRawBufferPointer?) -> Bool {
    guard key.tenant == tenant else { return key.tenant.rawValue > tenant.rawValue }
    return name.map { $0.lexicographicallyPrecedes(key.name) } ?? false
  }
}

extension Catalogue.Program {
  fileprivate var key: CatalogueOrder.Key { (tenant, name) }
}
extension Catalogue.Merchant {
  fileprivate var key: CatalogueOrder.Key { (tenant, name) }
}
