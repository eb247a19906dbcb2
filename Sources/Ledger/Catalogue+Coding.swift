import Base

extension Catalogue.Program {
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(tenant.rawValue)
    buffer.append(counted: name)
    buffer.append(UInt8(isMoney ? 1 : 0))
    buffer.append(counted: title)
    buffer.append(zigzag: backdateDays)
    buffer.append(zigzag: offsetMinutes)
    buffer.append(zigzag: refundWindowDays)
    buffer.append(defaultSince)
    buffer.append(varint: UInt64(rules.count))
    for rule in rules {
      buffer.append(zigzag: rule.from.microseconds)
      buffer.append(zigzag: rule.rate.points)
      buffer.append(zigzag: rule.rate.money)
      buffer.append(rule.expiry.unit.rawValue)
      buffer.append(rule.expiry.count)
    }
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(tenant: TenantID(try reader.read()), name: Array(try reader.readCounted()))
    isMoney = try reader.read(UInt8.self) == 1
    title = Array(try reader.readCounted())
    backdateDays = try reader.readZigzag()
    offsetMinutes = try reader.readZigzag()
    refundWindowDays = try reader.readZigzag()
    defaultSince = try reader.read()
    for _ in 0..<(try Catalogue.readCount(&reader, Catalogue.maximumVersions)) {
      let from = Stamp(microseconds: try reader.readZigzag())
      let rate = EarnRate(points: try reader.readZigzag(), money: try reader.readZigzag())
      guard let unit = ExpiryRule.Unit(rawValue: try reader.read()) else { throw MalformedBytes("an unknown expiry") }
      rules.append(Catalogue.Rule(from: from, rate: rate, expiry: ExpiryRule(unit: unit, count: try reader.read())))
    }
    guard !rules.isEmpty else { throw MalformedBytes("a program without a rule") }
    guard isSound else { throw MalformedBytes("a program's setting is out of bounds") }
  }
}

extension Catalogue.Merchant {
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(tenant.rawValue)
    buffer.append(counted: name)
    buffer.append(counted: title)
    buffer.append(zigzag: Int64(program))
    buffer.append(counted: region)
    buffer.append(state.rawValue)
    buffer.append(varint: UInt64(rates.count))
    for rate in rates {
      buffer.append(zigzag: rate.from.microseconds)
      buffer.append(zigzag: rate.rate.points)
      buffer.append(zigzag: rate.rate.money)
    }
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(tenant: TenantID(try reader.read()), name: Array(try reader.readCounted()))
    title = Array(try reader.readCounted())
    program = Int(try reader.readZigzag())
    guard program >= -1 && program < Catalogue.maximumPrograms else { throw MalformedBytes("no such program") }
    region = Array(try reader.readCounted())
    guard let state = Catalogue.MerchantState(rawValue: try reader.read()) else {
      throw MalformedBytes("an unknown state")
    }
    self.state = state
    for _ in 0..<(try Catalogue.readCount(&reader, Catalogue.maximumVersions)) {
      let from = Stamp(microseconds: try reader.readZigzag())
      let rate = EarnRate(points: try reader.readZigzag(), money: try reader.readZigzag())
      rates.append(Catalogue.Rate(from: from, rate: rate))
    }
    guard rates.allSatisfy(\.rate.isSound) else { throw MalformedBytes("a rate is out of bounds") }
  }
}

extension Catalogue {
  fileprivate static func readCount(_ reader: inout ByteReader, _ most: Int) throws(MalformedBytes) -> Int {
    let count = try reader.readVarint()
    guard count <= UInt64(most) else { throw MalformedBytes("a count over its bound") }
    return Int(count)
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
