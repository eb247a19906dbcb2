import Base
import Rules

/// How the points of a purchase or an event were worked out, as its journal record keeps it: what a return, `EXPLAIN` and a repeated
/// request ask for. What rules say by then is not asked (R16).
///
///     fields, see Base/Fields: 1 points cut off  2 the rule that blocked it, and 1  3 yes: no logistics (B9)
///     4 (source:u8 stage:u8 number:varint version:varint points:zigzag total:zigzag)*
///     5 (sku:counted quantity:varint amount:varint points:varint)*
///     6 (rule and 1, 0 the program:varint  window:u8  start:zigzag)*       7 the event's name
///     50 the first day of the period that it qualified in  51 the tier that was reached
///     9 (campaign:varint hasBudget:u8 its period: see `QuotaPeriod` points:varint)*
///     8 of a refund, for each line: (quantity:varint amount:varint taken:varint isReturned:u8), all that came back by now
struct EarningDetail: Equatable {
  enum Reason: Equatable {
    case rule(UInt32)
    case logistics
  }
  struct Line: Equatable {
    var sku: [UInt8]
    var quantity: Int64
    var amount: Int64
    var points: Int64
  }
  struct Window: Equatable {
    /// Nil: the program's.
    var rule: UInt32?
    var window: CapWindow
  }
  /// Points of a campaign's rules, and the budget that they were drawn from.
  struct Drawn: Equatable {
    var campaign: UInt32
    var period: QuotaPeriod?
    var points: Int64
  }
  struct Returned: Equatable {
    var quantity: Int64 = 0
    var amount: Int64 = 0
    var taken: Int64 = 0
    var isReturned = false
  }
  var capped: Int64 = 0
  var reason: Reason?
  var steps: [Step] = []
  var lines: [Line] = []
  var windows: [Window] = []
  var event: [UInt8] = []
  var returned: [Returned] = []
  /// The first day of the period in which it qualified for tiers; nil: it did not.
  var qualified: Int32?
  /// The tier in which the member was after it, if that was another than before; of a gift whose it is.
  var tier: UInt32?
  var draws: [Drawn] = []

  init() {}
  var isEmpty: Bool { self == EarningDetail() }

  var encoded: [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    encode(into: &buffer)
    return buffer.array
  }
  private func encode(into buffer: inout ByteBuffer) {
    if capped != 0 { buffer.append(field: 1, zigzag: capped) }
    switch reason {
    case .rule(let number): buffer.append(field: 2, zigzag: Int64(number) + 1)
    case .logistics: buffer.append(field: 3, zigzag: 1)
    case nil: break
    }
    if !steps.isEmpty {
      buffer.append(field: 4) { list in
        for step in steps {
          list.append(step.source.rawValue)
          list.append(step.stage.rawValue)
          list.append(varint: UInt64(step.number))
          list.append(varint: UInt64(step.version))
          list.append(zigzag: step.points)
          list.append(zigzag: step.total)
        }
      }
    }
    if !lines.isEmpty {
      buffer.append(field: 5) { list in
        for line in lines {
          list.append(counted: line.sku)
          for number in [line.quantity, line.amount, line.points] { list.append(varint: UInt64(number)) }
        }
      }
    }
    if !windows.isEmpty {
      buffer.append(field: 6) { list in
        for window in windows {
          list.append(varint: window.rule.map { UInt64($0) + 1 } ?? 0)
          list.append(window.window.kind.rawValue)
          list.append(zigzag: Int64(window.window.start))
        }
      }
    }
    if !event.isEmpty { buffer.append(field: 7, event) }
    if !returned.isEmpty {
      buffer.append(field: 8) { list in
        for line in returned {
          for number in [line.quantity, line.amount, line.taken] { list.append(varint: UInt64(number)) }
          list.append(UInt8(line.isReturned ? 1 : 0))
        }
      }
    }
    if let qualified { buffer.append(field: 50, zigzag: Int64(qualified)) }
    if let tier { buffer.append(field: 51, zigzag: Int64(tier)) }
    if !draws.isEmpty {
      buffer.append(field: 9) { list in
        for draw in draws {
          list.append(varint: UInt64(draw.campaign))
          if let period = draw.period {
            list.append(UInt8(1))
            period.encode(into: &list)
          } else {
            list.append(UInt8(0))
          }
          list.append(varint: UInt64(draw.points))
        }
      }
    }
    buffer.appendEndOfFields()
  }
  /// - Parameter isStrict: as before `Semantics.amended`: what drew on a budget and qualified for a tier is not understood, for what it drew
  ///   stands behind fields of higher numbers.
  init(decoding bytes: UnsafeRawBufferPointer, isStrict: Bool = false) throws(MalformedBytes) {
    guard !bytes.isEmpty else { return }
    var reader = ByteReader(bytes)
    try reader.readFields(of: "how points were worked out", late: isStrict ? 0 : 9) {
      number, value throws(MalformedBytes) in
      switch number {
      case 1: capped = try value.readZigzag()
      case 2: reason = .rule(UInt32(clamping: try value.readZigzag() - 1))
      case 3:
        guard try value.readZigzag() == 1 else { throw MalformedBytes("an unknown reason") }
        reason = .logistics
      case 4: while !value.isAtEnd { steps.append(try EarningDetail.step(&value)) }
      case 5:
        while !value.isAtEnd {
          let sku = Array(try value.readCounted())
          lines.append(
            Line(
              sku: sku, quantity: try EarningDetail.amount(&value), amount: try EarningDetail.amount(&value),
              points: try EarningDetail.amount(&value)))
        }
      case 6: while !value.isAtEnd { windows.append(try EarningDetail.window(&value)) }
      case 7: event = Array(try value.readBytes(value.remaining))
      case 8:
        while !value.isAtEnd {
          let numbers = (
            try EarningDetail.amount(&value), try EarningDetail.amount(&value), try EarningDetail.amount(&value)
          )
          let mark: UInt8 = try value.read()
          returned.append(
            Returned(quantity: numbers.0, amount: numbers.1, taken: numbers.2, isReturned: mark != 0))
        }
      case 50: qualified = Int32(clamping: try value.readZigzag())
      case 51: tier = UInt32(clamping: try value.readZigzag())
      case 9:
        guard draws.isEmpty else { throw MalformedBytes("what was drawn is said twice") }
        while !value.isAtEnd {
          let campaign = UInt32(truncatingIfNeeded: try value.readVarint())
          let hasPeriod = try value.read(UInt8.self) != 0
          let period = hasPeriod ? try QuotaPeriod(&value) : nil
          draws.append(Drawn(campaign: campaign, period: period, points: try EarningDetail.amount(&value)))
        }
      default: return false
      }
      return true
    }
  }
  private static func amount(_ reader: inout ByteReader) throws(MalformedBytes) -> Int64 {
    let number = try reader.readVarint()
    guard number <= UInt64(Ledger.largestAmount.rawValue) else { throw MalformedBytes("an amount out of range") }
    return Int64(number)
  }
  private static func step(_ reader: inout ByteReader) throws(MalformedBytes) -> Step {
    let (source, stage): (UInt8, UInt8) = (try reader.read(), try reader.read())
    guard let source = Step.Source(rawValue: source), let stage = Stage(rawValue: stage) else {
      throw MalformedBytes("a step of an unknown kind")
    }
    return Step(
      source, stage, number: UInt32(truncatingIfNeeded: try reader.readVarint()),
      version: UInt32(truncatingIfNeeded: try reader.readVarint()), points: try reader.readZigzag(),
      total: try reader.readZigzag())
  }
  private static func window(_ reader: inout ByteReader) throws(MalformedBytes) -> Window {
    let rule = try reader.readVarint()
    let kind: UInt8 = try reader.read()
    guard let kind = CapWindow.Kind(rawValue: kind) else { throw MalformedBytes("a window of an unknown kind") }
    return Window(
      rule: rule == 0 ? nil : UInt32(truncatingIfNeeded: rule - 1),
      window: CapWindow(kind: kind, start: Int32(truncatingIfNeeded: try reader.readZigzag())))
  }

  /// What stands for the detail of a transaction, and of its latest refund, in the transaction's record in memory and in the check of its
  /// past: a number as of a transaction's, never none.
  static func mark(_ original: UnsafeRawBufferPointer, latest: UnsafeRawBufferPointer?) -> TransactionID {
    guard !original.isEmpty else { return .none }
    let sum = DigestSum.mix(xxh64(original), latest.map { xxh64($0, seed: 1) | 1 } ?? 0)
    return TransactionID(rawValue: max(1, sum & (1 << 61 - 1)))
  }
}

extension EarningDetail {
  /// `[capped] [reason]`, as replies and histories have them.
  func render(_ catalogue: some CatalogueNames, into reply: inout ReplyWriter) {
    if capped > 0 { reply.field(named: "capped", capped) }
    switch reason {
    case .rule(let number): reply.field(named: "reason", catalogue.ruleName(number))
    case .logistics: reply.field(named: "reason", "logistics")
    case nil: break
    }
    if let tier { reply.field(named: "tier", catalogue.tierName(Int(tier))) }
  }
}
