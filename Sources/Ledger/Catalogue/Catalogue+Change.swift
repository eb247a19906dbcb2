import Base

extension Catalogue {
  /// What `PROGRAM SET` says; nil leaves a setting as it is. Texts are as sent: `12m`, `3d`, `+08:00`, `1/100`.
  public struct ProgramSettings {
    public var kind: Bytes?
    public var title: Bytes?
    public var earn: Bytes?
    public var expire: Bytes?
    public var backdate: Bytes?
    public var utcOffset: Bytes?
    public var refundWindow: Bytes?
    /// `yes` or `no`.
    public var `default`: Bytes?
    public init() {}
    /// By the numbers of their fields, which logs and snapshots have: each is its setting's for ever.
    fileprivate static var fields: [(number: Int, setting: WritableKeyPath<ProgramSettings, Bytes?>)] {
      [
        (1, \.kind), (2, \.title), (3, \.earn), (4, \.expire), (5, \.backdate), (6, \.utcOffset),
        (7, \.refundWindow), (8, \.default),
      ]
    }
  }
  /// What `MERCHANT SET` says; nil leaves a setting as it is.
  public struct MerchantSettings {
    public var title: Bytes?
    public var program: Bytes?
    public var earn: Bytes?
    public var region: Bytes?
    public var state: Bytes?
    public init() {}
    /// By the numbers of their fields, which logs and snapshots have: each is its setting's for ever.
    fileprivate static var fields: [(number: Int, setting: WritableKeyPath<MerchantSettings, Bytes?>)] {
      [(1, \.title), (2, \.program), (3, \.earn), (4, \.region), (5, \.state)]
    }
  }
  private enum Subject: UInt8 { case program = 1, merchant = 2 }

  /// A request as bytes, for the directory's log. Not checked yet.
  public static func appendProgramSet(
    to buffer: inout ByteBuffer, tenant: TenantID, name: Bytes, settings: ProgramSettings
  ) {
    buffer.append(Subject.program.rawValue)
    buffer.append(tenant.rawValue)
    buffer.append(counted: name)
    append(settings, ProgramSettings.fields, to: &buffer)
  }
  /// A request as bytes, for the directory's log. Not checked yet.
  public static func appendMerchantSet(
    to buffer: inout ByteBuffer, tenant: TenantID, name: Bytes, settings: MerchantSettings
  ) {
    buffer.append(Subject.merchant.rawValue)
    buffer.append(tenant.rawValue)
    buffer.append(counted: name)
    append(settings, MerchantSettings.fields, to: &buffer)
  }
  private static func append<Settings>(
    _ settings: Settings, _ fields: [(number: Int, setting: WritableKeyPath<Settings, Bytes?>)],
    to buffer: inout ByteBuffer
  ) {
    for (number, setting) in fields {
      if let text = settings[keyPath: setting] { buffer.append(field: number, text) }
    }
    buffer.appendEndOfFields()
  }
  private static func read<Settings>(
    _ settings: inout Settings, _ fields: [(number: Int, setting: WritableKeyPath<Settings, Bytes?>)],
    from reader: inout ByteReader
  ) throws(MalformedBytes) {
    try reader.readFields(of: "a change of the catalogue") { number, value throws(MalformedBytes) in
      guard let setting = fields.first(where: { $0.number == number })?.setting else { return false }
      settings[keyPath: setting] = try value.readBytes(value.remaining)
      return true
    }
    try reader.finish()
  }

  /// Decides a request: the delta to apply here and in every shard, or nil if nothing changes (`+OK` is written) or it is
  /// refused (the error is written). `stamp` is the directory entry's: when the new rule begins.
  public func decide(_ request: Bytes, stamp: Stamp, into reply: inout ReplyWriter) -> [UInt8]? {
    do {
      guard try changed(by: request, stamp: stamp) != nil else {
        reply.ok()
        return nil
      }
    } catch {
      switch error {
      case .malformed(let text): reply.error(.malformed, text)
      case .refused(let code, let text): reply.error(code, text)
      }
      return nil
    }
    var delta = ByteBuffer(capacity: request.count + 16)
    delta.append(version &+ 1)
    delta.append(stamp.microseconds)
    delta.append(request)
    return delta.array
  }
  /// The version of a delta.
  public static func version(ofDelta delta: Bytes) throws(MalformedBytes) -> UInt32 {
    var reader = ByteReader(delta)
    return try reader.read()
  }
  /// Applies a delta. One of a version it has already is ignored (false), so that sending twice is harmless; throws if
  /// it is malformed or not the next.
  @discardableResult public mutating func apply(_ delta: Bytes) throws(MalformedBytes) -> Bool {
    var reader = ByteReader(delta)
    let next: UInt32 = try reader.read()
    let stamp = Stamp(microseconds: try reader.read())
    guard next > version else { return false }
    guard next == version + 1 else { throw MalformedBytes("delta \(next) does not follow version \(version)") }
    let request = try reader.readBytes(reader.remaining)
    do {
      switch try changed(by: request, stamp: stamp) {
      case .program(let program, let number): put(program, at: number)
      case .merchant(let merchant, let number): put(merchant, at: number)
      case nil: break
      }
    } catch {
      switch error {
      case .malformed(let text), .refused(_, let text):
        throw MalformedBytes("change \(next) of the catalogue cannot be applied: \(text)")
      }
    }
    version = next
    return true
  }

  private enum Change {
    case program(Program, Int)
    case merchant(Merchant, Int)
  }
  private enum Refusal: Error {
    case malformed(String)
    case refused(ErrorCode, String)
  }

  /// What a request makes of its subject; nil if it stays as it is.
  private func changed(by request: Bytes, stamp: Stamp) throws(Refusal) -> Change? {
    var reader = ByteReader(request)
    // A delta can say anything; rules are looked up some years around their moments.
    guard stamp.microseconds.magnitude <= CivilTime.latest.microseconds.magnitude else {
      throw .malformed("a moment out of range")
    }
    do {
      let subject = Subject(rawValue: try reader.read())
      let tenant = TenantID(try reader.read())
      let name = try reader.readCounted()
      guard let subject else { throw Refusal.malformed("unknown catalogue request") }
      guard name.isIdentifier else { throw Refusal.malformed("name must be 1 to 64 of A-Za-z0-9._-") }
      switch subject {
      case .program:
        var settings = ProgramSettings()
        try Catalogue.read(&settings, ProgramSettings.fields, from: &reader)
        return try changedProgram(name, tenant, settings, stamp)
      case .merchant:
        var settings = MerchantSettings()
        try Catalogue.read(&settings, MerchantSettings.fields, from: &reader)
        return try changedMerchant(name, tenant, settings, stamp)
      }
    } catch let error as Refusal {
      throw error
    } catch {
      throw .malformed("\(error)")
    }
  }

  private func changedProgram(
    _ name: Bytes, _ tenant: TenantID, _ settings: ProgramSettings, _ stamp: Stamp
  ) throws(Refusal) -> Change? {
    let number = program(name, tenant: tenant)
    if number == nil && programs.count >= Catalogue.maximumPrograms { throw .refused(.limit, "too many programs") }
    var program = number.map { programs[$0] } ?? Program(tenant: tenant, name: Array(name))
    if let kind = settings.kind {
      guard kind.elementsEqual("points".utf8) || kind.elementsEqual("money".utf8) else {
        throw .malformed("kind must be points or money")
      }
      let isMoney = kind.elementsEqual("money".utf8)
      guard number == nil || program.isMoney == isMoney else { throw .malformed("kind never changes") }
      program.isMoney = isMoney
    }
    if let title = settings.title { program.title = try text(title, "title", atMost: 256) }
    // Nobody means to give money away: that has to be said.
    let standard = program.isMoney ? EarnRate(points: 0, money: 1) : EarnRate(points: 1, money: 100)
    var rule = program.rules.last ?? Rule(from: stamp, rate: standard, expiry: .never)
    if let earn = settings.earn {
      guard let rate = EarnRate(parsing: earn) else { throw .malformed("earn must be P/M, as in 1/100") }
      rule.rate = rate
    }
    if let expire = settings.expire {
      guard let expiry = ExpiryRule(parsing: expire) else { throw .malformed("expire must be never, Nd or Nm") }
      rule.expiry = expiry
    }
    if rule != program.rules.last {
      rule.from = stamp
      forget(&program.rules, \.from, at: stamp)
      guard program.rules.count < Catalogue.maximumVersions else { throw .refused(.limit, "too many rule changes") }
      program.rules.append(rule)
    }
    if let backdate = settings.backdate { program.backdateDays = try days(backdate, "backdate", atMost: 36_500) }
    if let window = settings.refundWindow {
      program.refundWindowDays = try days(window, "refund-window", atMost: 36_500)
    }
    if let offset = settings.utcOffset {
      guard let minutes = Catalogue.offsetMinutes(parsing: offset) else {
        throw .malformed("utc-offset must be as +08:00, up to 14 hours")
      }
      program.offsetMinutes = minutes
    }
    if let text = settings.default { try setDefault(text, of: &program, number) }
    if let number, programs[number] == program { return nil }
    return .program(program, number ?? programs.count)
  }

  /// Drops versions that no purchase can reach any more: superseded for longer than any program lets purchases be backdated,
  /// and, while there is room, than 400 days, since that may be raised.
  private func forget<Version>(_ versions: inout [Version], _ from: KeyPath<Version, Stamp>, at stamp: Stamp) {
    let reach = programRows.reduce(0) { max($0, $1.backdate) }
    for window in [max(reach, 400 * CivilTime.microsecondsPerDay), reach] {
      let horizon = Stamp(microseconds: stamp.microseconds - window)
      let kept = versions.lastIndex { $0[keyPath: from] <= horizon } ?? 0
      versions.removeFirst(min(kept, versions.count))
      if versions.count < Catalogue.maximumVersions { return }
    }
  }

  /// - Parameter number: the program's own; nil if it is new.
  private func setDefault(_ text: Bytes, of program: inout Program, _ number: Int?) throws(Refusal) {
    let isYes = text.elementsEqual("yes".utf8)
    guard isYes || text.elementsEqual("no".utf8) else { throw .malformed("default must be yes or no") }
    let isDefault = defaultProgram(of: program.tenant) == number
    guard isYes || !isDefault else { throw .malformed("it is the default; say default=yes of another program") }
    if isYes && !isDefault { program.defaultSince = version &+ 1 }
  }

  private func changedMerchant(
    _ name: Bytes, _ tenant: TenantID, _ settings: MerchantSettings, _ stamp: Stamp
  ) throws(Refusal) -> Change? {
    let number = merchant(name, tenant: tenant)
    if number == nil && merchants.count >= Catalogue.maximumMerchants { throw .refused(.limit, "too many merchants") }
    var merchant = number.map { merchants[$0] } ?? Merchant(tenant: tenant, name: Array(name))
    if let title = settings.title { merchant.title = try text(title, "title", atMost: 256) }
    if let region = settings.region { merchant.region = try text(region, "region", atMost: 64) }
    if let program = settings.program {
      guard let found = self.program(program, tenant: tenant) else { throw .refused(.notFound, "no such program") }
      merchant.program = found
    }
    if let earn = settings.earn {
      guard let rate = EarnRate(parsing: earn) else { throw .malformed("earn must be P/M, as in 1/100") }
      if merchant.rates.last?.rate != rate {
        forget(&merchant.rates, \.from, at: stamp)
        guard merchant.rates.count < Catalogue.maximumVersions else { throw .refused(.limit, "too many rate changes") }
        // A merchant that had none earned by its program's until now.
        if number != nil && merchant.rates.isEmpty { merchant.rates.append(Rate(from: .zero, rate: .none)) }
        merchant.rates.append(Rate(from: stamp, rate: rate))
      }
    }
    if let state = settings.state {
      guard let parsed = [MerchantState.active, .frozen, .closed].first(where: { state.elementsEqual($0.text.utf8) })
      else { throw .malformed("state must be active, frozen or closed") }
      merchant.state = parsed
    }
    if let number, merchants[number] == merchant { return nil }
    return .merchant(merchant, number ?? merchants.count)
  }

  private func text(_ value: Bytes, _ name: String, atMost limit: Int) throws(Refusal) -> [UInt8] {
    guard value.count <= limit else { throw .malformed("\(name) is longer than \(limit) bytes") }
    return Array(value)
  }
  private func days(_ value: Bytes, _ name: String, atMost limit: UInt64) throws(Refusal) -> Int64 {
    guard value.last == UInt8(ascii: "d"), let days = parseDigits(Bytes(rebasing: value.dropLast())), days <= limit
    else {
      throw .malformed("\(name) must be Nd, up to \(limit)d")
    }
    return Int64(days)
  }
  static func offsetMinutes(parsing text: Bytes) -> Int64? {
    if text.elementsEqual("Z".utf8) { return 0 }
    guard text.count == 6, text[0] == UInt8(ascii: "+") || text[0] == UInt8(ascii: "-"), text[3] == UInt8(ascii: ":"),
      let hours = parseDigits(Bytes(rebasing: text[1..<3])), let minutes = parseDigits(Bytes(rebasing: text[4..<6])),
      minutes < 60, hours * 60 + minutes <= 14 * 60
    else { return nil }
    let magnitude = Int64(hours * 60 + minutes)
    return text[0] == UInt8(ascii: "-") ? -magnitude : magnitude
  }
  static func offsetText(minutes: Int64) -> String {
    let magnitude = abs(minutes)
    let digits = [magnitude / 60 / 10, magnitude / 60 % 10, magnitude % 60 / 10, magnitude % 60 % 10]
    return "\(minutes < 0 ? "-" : "+")\(digits[0])\(digits[1]):\(digits[2])\(digits[3])"
  }
}
