import Base

// How snapshots have programs and merchants: by fields, each of whose numbers is its own for ever. What is not there is
// empty, or zero.

extension Catalogue.Program {
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(tenant.rawValue))
    buffer.append(field: 2, name)
    if isMoney { buffer.append(field: 3, zigzag: 1) }
    if !title.isEmpty { buffer.append(field: 4, title) }
    buffer.append(field: 5, zigzag: backdateDays)
    buffer.append(field: 6, zigzag: offsetMinutes)
    buffer.append(field: 7, zigzag: refundWindowDays)
    if defaultSince > 0 { buffer.append(field: 8, zigzag: Int64(defaultSince)) }
    buffer.append(field: 9) { list in for rule in rules { rule.encode(into: &list) } }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(tenant: TenantID(0), name: [])
    try reader.readFields(of: "a program") { number, value throws(MalformedBytes) in
      switch number {
      case 1: tenant = TenantID(try value.readSmall())
      case 2: name = Array(try value.readBytes(value.remaining))
      case 3: isMoney = try value.readZigzag() != 0
      case 4: title = Array(try value.readBytes(value.remaining))
      case 5: backdateDays = try value.readZigzag()
      case 6: offsetMinutes = try value.readZigzag()
      case 7: refundWindowDays = try value.readZigzag()
      case 8: defaultSince = try value.readSmall()
      case 9:
        rules = try Catalogue.readVersions(&value) { reader throws(MalformedBytes) in
          try Catalogue.Rule(decoding: &reader)
        }
      default: return false
      }
      return true
    }
    guard !rules.isEmpty else { throw MalformedBytes("a program without a rule") }
    guard isSound else { throw MalformedBytes("a program's setting is out of bounds") }
  }
}

extension Catalogue.Rule {
  fileprivate func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: from.microseconds)
    buffer.append(field: 2, zigzag: rate.points)
    buffer.append(field: 3, zigzag: rate.money)
    buffer.append(field: 4, zigzag: Int64(expiry.unit.rawValue))
    buffer.append(field: 5, zigzag: Int64(expiry.count))
    buffer.appendEndOfFields()
  }
  fileprivate init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(from: .zero, rate: .none, expiry: .never)
    var unit: UInt8 = 0
    var count: Int32 = 0
    try reader.readFields(of: "a program's rule") { number, value throws(MalformedBytes) in
      switch number {
      case 1: from = Stamp(microseconds: try value.readZigzag())
      case 2: rate.points = try value.readZigzag()
      case 3: rate.money = try value.readZigzag()
      case 4: unit = try value.readSmall()
      case 5: count = try value.readSmall()
      default: return false
      }
      return true
    }
    guard let unit = ExpiryRule.Unit(rawValue: unit) else { throw MalformedBytes("an unknown expiry") }
    expiry = ExpiryRule(unit: unit, count: count)
  }
}

extension Catalogue.Merchant {
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(tenant.rawValue))
    buffer.append(field: 2, name)
    if !title.isEmpty { buffer.append(field: 3, title) }
    if program >= 0 { buffer.append(field: 4, zigzag: Int64(program)) }
    if !region.isEmpty { buffer.append(field: 5, region) }
    buffer.append(field: 6, zigzag: Int64(state.rawValue))
    if !rates.isEmpty { buffer.append(field: 7) { list in for rate in rates { rate.encode(into: &list) } } }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(tenant: TenantID(0), name: [])
    try reader.readFields(of: "a merchant") { number, value throws(MalformedBytes) in
      switch number {
      case 1: tenant = TenantID(try value.readSmall())
      case 2: name = Array(try value.readBytes(value.remaining))
      case 3: title = Array(try value.readBytes(value.remaining))
      case 4: program = Int(try value.readSmall(UInt16.self))
      case 5: region = Array(try value.readBytes(value.remaining))
      case 6:
        guard let known = Catalogue.MerchantState(rawValue: try value.readSmall()) else {
          throw MalformedBytes("an unknown state")
        }
        state = known
      case 7:
        rates = try Catalogue.readVersions(&value) { reader throws(MalformedBytes) in
          try Catalogue.Rate(decoding: &reader)
        }
      default: return false
      }
      return true
    }
    guard program < Catalogue.maximumPrograms else { throw MalformedBytes("no such program") }
    guard rates.allSatisfy(\.rate.isSound) else { throw MalformedBytes("a rate is out of bounds") }
  }
}

extension Catalogue.Rate {
  fileprivate func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: from.microseconds)
    buffer.append(field: 2, zigzag: rate.points)
    buffer.append(field: 3, zigzag: rate.money)
    buffer.appendEndOfFields()
  }
  fileprivate init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(from: .zero, rate: .none)
    try reader.readFields(of: "a merchant's rate") { number, value throws(MalformedBytes) in
      switch number {
      case 1: from = Stamp(microseconds: try value.readZigzag())
      case 2: rate.points = try value.readZigzag()
      case 3: rate.money = try value.readZigzag()
      default: return false
      }
      return true
    }
  }
}

extension Catalogue {
  fileprivate static func readVersions<Version>(
    _ reader: inout ByteReader, _ read: (inout ByteReader) throws(MalformedBytes) -> Version
  ) throws(MalformedBytes) -> [Version] {
    var all: [Version] = []
    while !reader.isAtEnd {
      guard all.count < maximumVersions else { throw MalformedBytes("more versions than there may be") }
      all.append(try read(&reader))
    }
    return all
  }

  /// The most records of one list. The longest has some 700 bytes (a title of 256, four ids of 64, and their keys), so no
  /// list is longer than 8 MiB.
  public static let longestList = 10_000

  /// `PROGRAM LIST`: an array of records `program kind earn expire title backdate utc-offset refund-window default`, of the
  /// tenant's programs behind a name, at most `limit` of them, in the order of their names.
  public func listPrograms(
    tenant: TenantID, after name: Bytes, limit: Int, order: CatalogueOrder, into reply: inout ReplyWriter
  ) {
    let numbers = order.programs(of: tenant, after: name, limit: limit, records)
    let standard = defaultProgram(of: tenant)
    reply.array(count: numbers.count)
    for number in numbers {
      let program = programs[Int(number)]
      reply.record()
      program.name.withUnsafeBytes { reply.field(.program, $0) }
      reply.field(.kind, program.isMoney ? "money" : "points")
      reply.field(.earn, program.rules.last?.rate.text ?? "")
      reply.field(.expire, program.rules.last?.expiry.text ?? "")
      program.title.withUnsafeBytes { reply.field(.title, $0) }
      reply.field(.backdate, "\(program.backdateDays)d")
      reply.field(.utcOffset, Catalogue.offsetText(minutes: program.offsetMinutes))
      reply.field(.refundWindow, "\(program.refundWindowDays)d")
      reply.field(.default, Int(number) == standard ? "yes" : "no")
    }
  }
  /// `MERCHANT LIST`: an array of records `merchant program earn region state title`, chosen like those of programs.
  public func listMerchants(
    tenant: TenantID, after name: Bytes, limit: Int, order: CatalogueOrder, into reply: inout ReplyWriter
  ) {
    let numbers = order.merchants(of: tenant, after: name, limit: limit, records)
    reply.array(count: numbers.count)
    for number in numbers {
      let merchant = merchants[Int(number)]
      reply.record()
      merchant.name.withUnsafeBytes { reply.field(.merchant, $0) }
      if merchant.program >= 0 {
        programs[merchant.program].name.withUnsafeBytes { reply.field(.program, $0) }
      } else {
        reply.field(.program, "")
      }
      let rate = merchant.rates.last?.rate ?? .none
      reply.field(.earn, rate.money == 0 ? "" : rate.text)
      merchant.region.withUnsafeBytes { reply.field(.region, $0) }
      reply.field(.state, merchant.state.text)
      merchant.title.withUnsafeBytes { reply.field(.title, $0) }
    }
  }
}

extension Catalogue.Program {
  /// Within the bounds that `PROGRAM SET` keeps, on which all arithmetic with these relies.
  fileprivate var isSound: Bool {
    let days: ClosedRange<Int64> = 0...36_500
    return days.contains(backdateDays) && days.contains(refundWindowDays)
      && (-14 * 60...14 * 60).contains(offsetMinutes)
      && rules.allSatisfy { $0.rate.isSound && $0.expiry.isSound }
  }
}
extension EarnRate {
  fileprivate var isSound: Bool {
    let terms = 0...Int64(EarnRate.largestTerm)
    return self == .none || (terms.contains(points) && terms.contains(money) && money > 0)
  }
}
extension ExpiryRule {
  fileprivate var isSound: Bool {
    switch unit {
    case .never: true
    case .days: (1...36_500).contains(count)
    case .months: (1...1200).contains(count)
    }
  }
}
