import Base
import Vocabulary

/// By what a report of points is divided.
public enum ReportKey: UInt8, CaseIterable, Sendable {
  case none = 0
  case merchant = 1
  case day = 2
  case month = 3
  /// By the member whose account it is: for what is known of members alone.
  case member = 4
  /// No points: how many transactions there are, of all programs, in `issued`.
  case transactions = 5
}

/// What is asked of a journal for a report: what its movements of one program come to, from a place on.
public struct PointReport: Hashable, Sendable {
  public var place: FeedPlace
  public var tenant: TenantID
  /// Empty: the tenant's default.
  public var program: [UInt8]
  public var key: ReportKey
  /// A number of `Shape.dateOrMoment`, in the program's zone.
  public var from: Int64?
  public var until: Int64?
  /// What was booked later is in no report of that moment.
  public var moment: Stamp
  /// Those whose movements are wanted; empty: all.
  public var merchants: [[UInt8]] = []

  /// A report is of so many merchants at most, if it is not of all.
  public static let mostMerchants = 1_000

  public init(
    from place: FeedPlace, tenant: TenantID, program: [UInt8], by key: ReportKey, from first: Int64?,
    until last: Int64?,
    moment: Stamp
  ) {
    (self.place, self.tenant, self.program, self.key) = (place, tenant, program, key)
    (from, until, self.moment) = (first, last, moment)
  }

  func encode(into buffer: inout ByteBuffer) {
    FeedPage.append(place, to: &buffer)
    buffer.append(counted: program)
    buffer.append(key.rawValue)
    ReportBounds.encode(from, until, into: &buffer)
    buffer.append(moment.microseconds)
    buffer.append(varint: UInt64(merchants.count))
    for merchant in merchants { buffer.append(counted: merchant) }
  }
  init(_ reader: inout ByteReader, tenant: TenantID) throws(MalformedBytes) {
    place = FeedPlace(frame: JournalPosition(rawValue: try reader.read()), inner: try reader.read())
    self.tenant = tenant
    program = Array(try reader.readCounted())
    guard let key = ReportKey(rawValue: try reader.read()) else { throw MalformedBytes("a report by an unknown key") }
    self.key = key
    (from, until) = try ReportBounds.read(&reader)
    moment = Stamp(microseconds: try reader.read())
    let count = try reader.readVarint()
    guard count <= UInt64(PointReport.mostMerchants) else { throw MalformedBytes("too many merchants") }
    for _ in 0..<count { merchants.append(Array(try reader.readCounted())) }
  }
}

/// A part of a report of points, as a shard answers: see `PointWalk`.
public struct PointPage {
  /// Where the next page begins.
  public var next: FeedPlace
  /// There is nothing behind that.
  public var isEnd: Bool
  /// Where the journals of other shards end that the asked shard's records refer to.
  public var lineage: [JournalPosition]
  public var figures: [(key: [UInt8], figures: PointFigures)] = []

  static func write(_ page: PointPage, into reply: inout ReplyWriter) {
    var buffer = ByteBuffer(capacity: 256 + 128 * page.figures.count)
    FeedPage.append(page.next, to: &buffer)
    buffer.append(UInt8(page.isEnd ? 1 : 0))
    buffer.append(varint: UInt64(page.lineage.count))
    for end in page.lineage { buffer.append(end.rawValue) }
    for (key, figures) in page.figures {
      buffer.append(counted: key)
      figures.encode(into: &buffer)
    }
    reply.text(buffer.bytes)
  }
  init(next: FeedPlace, isEnd: Bool, lineage: [JournalPosition]) {
    (self.next, self.isEnd, self.lineage) = (next, isEnd, lineage)
  }
  /// Throws if no shard wrote it.
  public init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    next = FeedPlace(frame: JournalPosition(rawValue: try reader.read()), inner: try reader.read())
    isEnd = try reader.read(UInt8.self) == 1
    lineage = []
    for _ in 0..<(try reader.readVarint()) { lineage.append(JournalPosition(rawValue: try reader.read())) }
    while !reader.isAtEnd {
      figures.append((Array(try reader.readCounted()), try PointFigures(decoding: &reader)))
    }
  }
}

/// A walk forward through a shard's journal that adds up what its records moved.
struct PointWalk: Sendable {
  let report: PointReport
  let program: ProgramRef
  /// The program's zone, in microseconds east of UTC.
  let offset: Int64
  let lineage: [JournalPosition]
  private let from: Stamp
  private let until: Stamp
  /// Those that are wanted; nil: all.
  private let merchants: Set<MerchantRef>?
  private var walk: RecordWalk
  private var hasSkipped = false
  private var isOver = false
  private var passed = 0
  /// By day, month or merchant; by member where that is asked.
  private var sums: [UInt64: PointFigures] = [:]
  private var sumsOfMembers: [[UInt8]: PointFigures] = [:]

  /// A page is of so many records at most, and of so many members: then it is written, and others have their turn.
  static let mostRecords = 50_000
  static let mostMembers = 2_000
  private static let pieceBytes = 256 << 10
  private static let stepsOfPiece = 64
  /// So many records count as a step: they are looked at, and not told.
  private static let recordsOfStep = 20
  /// A read for each halving.
  private static let stepsOfSkip = 256
  static let firstCost = 2 * stepsOfPiece

  init(
    _ report: PointReport, _ program: ProgramRef, offset: Int64, merchants: Set<MerchantRef>?, to end: JournalPosition,
    lineage: [JournalPosition]
  ) {
    (self.report, self.program, self.offset, self.lineage) = (report, program, offset, lineage)
    self.merchants = merchants
    walk = RecordWalk(from: report.place, to: end)
    from = report.from.map { Entries.moment($0, zone: offset) } ?? .zero
    until = min(
      report.until.map { Entries.moment($0, zone: offset) } ?? .never,
      Stamp(microseconds: report.moment.microseconds + 1))
  }
  var end: JournalPosition { walk.end }

  /// Goes on for so many steps. True: the reply is written.
  mutating func run(
    _ source: some JournalSource, _ catalogue: CatalogueRecords, steps allowed: Int, into reply: inout ReplyWriter
  ) throws -> Bool {
    let window = JournalWindow(byteCount: PointWalk.pieceBytes)
    var steps = 0
    if !hasSkipped {
      hasSkipped = true
      if from > .zero {
        try walk.skip(to: from, window, source)
        steps = PointWalk.stepsOfSkip
      }
    }
    var looked = 0
    while !isOver, passed < PointWalk.mostRecords, sumsOfMembers.count < PointWalk.mostMembers {
      let spent = PointWalk.stepsOfPiece * window.reads + looked / PointWalk.recordsOfStep
      guard steps + spent < allowed || looked == 0 else { return false }
      guard let bytes = try walk.record(window, source) else { break }
      let record: JournalRecord
      do {
        record = try JournalRecord(decoding: bytes)
      } catch {
        throw walk.corruption("\(error)")
      }
      guard record.stamp < until else {
        isOver = true
        break
      }
      count(record)
      walk.pass(bytes.count)
      looked += 1
      passed += 1
    }
    var page = PointPage(next: walk.place, isEnd: isOver || walk.isAtEnd, lineage: lineage)
    page.figures = sums.sorted { $0.key < $1.key }.map { (text(of: $0.key, catalogue), $0.value) }
    for (member, figures) in sumsOfMembers.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      page.figures.append((member, figures))
    }
    PointPage.write(page, into: &reply)
    return true
  }

  private mutating func count(_ record: JournalRecord) {
    if report.key == .transactions {
      if record.tenant == report.tenant, record.kind.isOfHistory { sums[0, default: PointFigures()].issued += 1 }
      return
    }
    guard record.program == program, record.tenant == report.tenant, record.stamp >= from else { return }
    if let merchants, !merchants.contains(record.merchant) { return }
    switch report.key {
    case .none, .transactions: sums[0, default: PointFigures()].count(record)
    // 0 is nobody's.
    case .merchant:
      sums[UInt64(UInt32(bitPattern: record.merchant.rawValue &+ 1)), default: PointFigures()].count(record)
    case .day: sums[number(ofDay: record.stamp), default: PointFigures()].count(record)
    case .month: sums[number(ofMonth: record.stamp), default: PointFigures()].count(record)
    case .member: sumsOfMembers[Array(record.member), default: PointFigures()].count(record)
    }
  }
  private func number(ofDay moment: Stamp) -> UInt64 { UInt64(max(0, CivilTime.day(of: moment, offset: offset))) }
  private func number(ofMonth moment: Stamp) -> UInt64 {
    let (year, month) = CivilTime.yearAndMonth(day: CivilTime.day(of: moment, offset: offset))
    return UInt64(max(0, year * 12 + month - 1))
  }
  private func text(of number: UInt64, _ catalogue: CatalogueRecords) -> [UInt8] {
    switch report.key {
    case .none, .member, .transactions: return []
    case .merchant:
      guard number > 0, number <= UInt64(catalogue.merchantCount) else { return [] }
      return catalogue.withMerchantName(MerchantRef(place: Int(number) - 1)) { Array($0) }
    case .day: return Array(Ledger.text(ofDay: Int64(number)).utf8)
    case .month:
      let first = CivilTime.days(year: Int64(number / 12), month: Int64(number % 12) + 1, day: 1)
      return Array(Ledger.text(ofDay: first).utf8.prefix(7))
    }
  }
}
