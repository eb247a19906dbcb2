import Base

extension Catalogue {
  /// The whole catalogue as bytes.
  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(version)
    buffer.append(varint: UInt64(programs.count))
    for program in programs {
      buffer.append(program.tenant.rawValue)
      buffer.append(counted: program.name)
      buffer.append(UInt8(program.isMoney ? 1 : 0))
      buffer.append(counted: program.title)
      buffer.append(zigzag: program.backdateDays)
      buffer.append(zigzag: program.offsetMinutes)
      buffer.append(zigzag: program.refundWindowDays)
      buffer.append(varint: UInt64(program.rules.count))
      for rule in program.rules {
        buffer.append(zigzag: rule.from.microseconds)
        buffer.append(zigzag: rule.rate.points)
        buffer.append(zigzag: rule.rate.money)
        buffer.append(rule.expiry.unit.rawValue)
        buffer.append(rule.expiry.count)
      }
    }
    buffer.append(varint: UInt64(merchants.count))
    for merchant in merchants {
      buffer.append(merchant.tenant.rawValue)
      buffer.append(counted: merchant.name)
      buffer.append(counted: merchant.title)
      buffer.append(zigzag: Int64(merchant.program))
      buffer.append(counted: merchant.region)
      buffer.append(merchant.state.rawValue)
      buffer.append(varint: UInt64(merchant.rates.count))
      for rate in merchant.rates {
        buffer.append(zigzag: rate.from.microseconds)
        buffer.append(zigzag: rate.rate.points)
        buffer.append(zigzag: rate.rate.money)
      }
    }
  }

  /// The catalogue that `encode` wrote. Throws if the bytes are something else.
  public init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init()
    version = try reader.read()
    for number in 0..<(try Catalogue.readCount(&reader, Catalogue.maximumPrograms)) {
      var program = Program(tenant: TenantID(try reader.read()), name: Array(try reader.readCounted()))
      program.isMoney = try reader.read(UInt8.self) == 1
      program.title = Array(try reader.readCounted())
      program.backdateDays = try reader.readZigzag()
      program.offsetMinutes = try reader.readZigzag()
      program.refundWindowDays = try reader.readZigzag()
      for _ in 0..<(try Catalogue.readCount(&reader, Catalogue.maximumVersions)) {
        let from = Stamp(microseconds: try reader.readZigzag())
        let rate = EarnRate(points: try reader.readZigzag(), money: try reader.readZigzag())
        guard let unit = ExpiryRule.Unit(rawValue: try reader.read()) else { throw MalformedBytes("an unknown expiry") }
        program.rules.append(Rule(from: from, rate: rate, expiry: ExpiryRule(unit: unit, count: try reader.read())))
      }
      guard !program.rules.isEmpty else { throw MalformedBytes("a program without a rule") }
      guard program.isSound else { throw MalformedBytes("a program's setting is out of bounds") }
      put(program, at: number)
    }
    for number in 0..<(try Catalogue.readCount(&reader, Catalogue.maximumMerchants)) {
      var merchant = Merchant(tenant: TenantID(try reader.read()), name: Array(try reader.readCounted()))
      merchant.title = Array(try reader.readCounted())
      merchant.program = Int(try reader.readZigzag())
      guard merchant.program >= -1 && merchant.program < programs.count else { throw MalformedBytes("no such program") }
      merchant.region = Array(try reader.readCounted())
      guard let state = MerchantState(rawValue: try reader.read()) else { throw MalformedBytes("an unknown state") }
      merchant.state = state
      for _ in 0..<(try Catalogue.readCount(&reader, Catalogue.maximumVersions)) {
        let from = Stamp(microseconds: try reader.readZigzag())
        let rate = EarnRate(points: try reader.readZigzag(), money: try reader.readZigzag())
        merchant.rates.append(Rate(from: from, rate: rate))
      }
      guard merchant.rates.allSatisfy(\.rate.isSound) else { throw MalformedBytes("a rate is out of bounds") }
      put(merchant, at: number)
    }
  }
  private static func readCount(_ reader: inout ByteReader, _ most: Int) throws(MalformedBytes) -> Int {
    let count = try reader.readVarint()
    guard count <= UInt64(most) else { throw MalformedBytes("a count over its bound") }
    return Int(count)
  }

  /// `PROGRAM LIST`: an array of records `program kind earn expire title backdate utc-offset refund-window`.
  public func listPrograms(tenant: TenantID, into reply: inout ReplyWriter) {
    reply.array(count: programs.reduce(0) { $0 + ($1.tenant == tenant ? 1 : 0) })
    for program in programs where program.tenant == tenant {
      reply.record()
      program.name.withUnsafeBytes { reply.field(.program, $0) }
      reply.field(.kind, program.isMoney ? "money" : "points")
      reply.field(.earn, program.rules.last?.rate.text ?? "")
      reply.field(.expire, program.rules.last?.expiry.text ?? "")
      program.title.withUnsafeBytes { reply.field(.title, $0) }
      reply.field(.backdate, "\(program.backdateDays)d")
      reply.field(.utcOffset, Catalogue.offsetText(minutes: program.offsetMinutes))
      reply.field(.refundWindow, "\(program.refundWindowDays)d")
    }
  }
  /// `MERCHANT LIST`: an array of records `merchant program earn region state title`.
  public func listMerchants(tenant: TenantID, into reply: inout ReplyWriter) {
    reply.array(count: merchants.reduce(0) { $0 + ($1.tenant == tenant ? 1 : 0) })
    for merchant in merchants where merchant.tenant == tenant {
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
