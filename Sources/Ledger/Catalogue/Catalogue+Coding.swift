import Base
import Vocabulary

/// An entry as a shard keeps it: whose it is, and what its fields are from which moments on, as deltas have
/// said. What the hot path reads of these is made of it: see `ProgramTerms`, `MerchantTerms`, `PolicyTerms`.
struct CatalogueItem: Hashable, Sendable {
  struct Version: Hashable, Sendable {
    var from: Stamp
    var values: EntryValues
    /// The version's, of a kind that has bounds: 0: the entry is not in force.
    var number: UInt32 = 0

    func encode(into buffer: inout ByteBuffer) {
      buffer.append(field: 1, zigzag: from.microseconds)
      buffer.append(field: 2, values.bytes)
      if number > 0 { buffer.append(field: 3, zigzag: Int64(number)) }
      buffer.appendEndOfFields()
    }
  }
  var tenant: TenantID
  var name: [UInt8]
  /// By their moments; never empty.
  var versions: [Version] = []

  /// The version in force at a moment; before the first, the first (A7).
  func version(at moment: Stamp) -> Version? { versions.last { $0.from <= moment } ?? versions.first }
  func isInForce(at moment: Stamp) -> Bool { versions.first.map { $0.from <= moment } ?? false }

  /// Takes over what a delta says.
  /// - Parameters:
  ///   - now: up to then nothing is announced any more.
  ///   - backdated: the fields that are asked for as they were.
  mutating func take(_ delta: CatalogueDelta, now: Stamp, backdated: [Int]) throws(MalformedBytes) {
    if let first = delta.versions.first {
      versions.removeAll { $0.from >= first.from }
      for version in delta.versions where versions.last.map({ !$0.isSame(as: version) }) ?? true {
        versions.append(version)
      }
    }
    // The one that was in force at the horizon is still asked for.
    versions.removeFirst(versions.lastIndex { $0.from <= delta.horizon } ?? 0)
    // Of versions that differ in nothing else, the one in force now is enough. What is before these was looked at before.
    var i = max(1, versions.count - delta.versions.count - EntryKind.mostAnnounced)
    while i < versions.count, versions[i].from <= now {
      if versions[i].number == versions[i - 1].number,
        backdated.allSatisfy({ versions[i].values[$0] == versions[i - 1].values[$0] })
      {
        versions[i - 1].values = versions[i].values
        versions.remove(at: i)
      } else {
        i += 1
      }
    }
    guard !versions.isEmpty, versions.count <= Catalogue.maximumVersions else {
      throw MalformedBytes("an entry of \(versions.count) versions")
    }
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(tenant.rawValue))
    buffer.append(field: 2, name)
    buffer.append(field: 3) { list in
      for version in versions { version.encode(into: &list) }
    }
    buffer.appendEndOfFields()
  }
  init(tenant: TenantID, name: [UInt8]) {
    self.tenant = tenant
    self.name = name
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(tenant: TenantID(0), name: [])
    try reader.readFields(of: "an entry of the catalogue") { number, value throws(MalformedBytes) in
      switch number {
      case 1: tenant = TenantID(try value.readSmall())
      case 2: name = Array(try value.readBytes(value.remaining))
      case 3: while !value.isAtEnd { versions.append(try Version(decoding: &value)) }
      default: return false
      }
      return true
    }
    let isInOrder = zip(versions, versions.dropFirst()).allSatisfy { $0.from < $1.from }
    guard versions.isEmpty == name.isEmpty, versions.count <= Catalogue.maximumVersions, isInOrder else {
      throw MalformedBytes("versions of an entry that cannot be")
    }
  }
}

extension CatalogueItem.Version {
  func isSame(as other: CatalogueItem.Version) -> Bool { values == other.values && number == other.number }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(from: .zero, values: EntryValues())
    try reader.readFields(of: "a version of the catalogue") { number, value throws(MalformedBytes) in
      switch number {
      case 1: from = Stamp(microseconds: try value.readZigzag())
      case 2: values = try EntryValues(decoding: &value)
      case 3: self.number = try value.readSmall()
      default: return false
      }
      return true
    }
    guard (Stamp.zero...CivilTime.latest).contains(from) else { throw MalformedBytes("a moment out of range") }
  }
}

/// What a version of a merchant says.
struct MerchantTerms: Hashable, Sendable {
  var program = ProgramRef.none
  /// `.none` is the program's.
  var rate = EarnRate.none
  var state = Catalogue.MerchantState.active
  /// The merchant above it.
  var parent = MerchantRef.none
  /// It is a dealer without logistics: it earns its members nothing, nor do its stores (B9).
  var isUnserved = false

  /// Throws if it says what this build does not know, or what no `MERCHANT SET` can say.
  init(_ values: EntryValues, programCount: Int) throws(MalformedBytes) {
    var isDealer = false
    var hasNoLogistics = false
    for (name, number, bytes) in try TermsReader(values, EntryKind.merchant).terms {
      switch name {
      case "parent": parent = MerchantRef(rawValue: Int32(truncatingIfNeeded: number))
      case "class": isDealer = bytes.elementsEqual("dealer".utf8)
      case "logistics": hasNoLogistics = number == 0
      case "org", "region": break
      case "program": program = ProgramRef(rawValue: Int32(truncatingIfNeeded: number))
      case "earn": rate = EarnRate(number)
      case "state":
        guard let known = Catalogue.MerchantState(number) else { throw MalformedBytes("an unknown state") }
        state = known
      default: throw MalformedBytes("\(name) of a merchant is not known to this build")
      }
    }
    isUnserved = isDealer && hasNoLogistics
    guard rate.isSound, program.place < programCount else {
      throw MalformedBytes("a merchant's setting is out of bounds")
    }
  }
}

extension Catalogue.MerchantState {
  /// Of its place among the words of `state`.
  fileprivate init?(_ place: Int64) {
    switch place {
    case 0: self = .active
    case 1: self = .frozen
    case 2, 3: self = .closed
    default: return nil
    }
  }
}
