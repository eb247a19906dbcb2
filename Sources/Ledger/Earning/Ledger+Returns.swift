import Base
import Rules
import Vocabulary

/// How a purchase that is to be returned was worked out, as its own record and that of its latest return say.
struct SoldSale {
  var detail: EarningDetail
  /// Of each of its lines, what came back by now.
  var returned: [EarningDetail.Returned]
  /// Of the detail's bytes.
  private(set) var original: [UInt8]
  /// Of a purchase into a pool: the member who made it.
  var by: [UInt8] = []

  init(_ facts: PastFacts, isStrict: Bool) throws(MalformedBytes) {
    detail = try EarningDetail(decoding: facts.original.answer, isStrict: isStrict)
    original = Array(facts.original.answer)
    by = Array(facts.original.by)
    let known = try facts.latest.map { latest throws(MalformedBytes) in
      try EarningDetail(decoding: latest.answer).returned
    }
    returned = detail.lines.isEmpty ? [] : known ?? []
    while returned.count < detail.lines.count { returned.append(EarningDetail.Returned()) }
  }
  func mark(latest: UnsafeRawBufferPointer) -> TransactionID {
    original.withUnsafeBytes { EarningDetail.mark($0, latest: latest) }
  }
  /// What the return's record has; empty where there are no lines.
  var returnedBytes: [UInt8] {
    guard !returned.isEmpty else { return [] }
    var detail = EarningDetail()
    detail.returned = returned
    return detail.encoded
  }

  /// A product's number among the lines: the place of its first.
  private func number(_ sku: UnsafeRawBufferPointer) -> UInt64 {
    UInt64(detail.lines.firstIndex { $0.sku.elementsEqual(sku) } ?? detail.lines.count)
  }
  /// The sale as returns by line see it.
  func sale(_ t: TransactionRecord) -> SaleReturn {
    let lines = zip(detail.lines, returned).map { line, back in
      var sold = SoldLine(
        sku: line.sku.withUnsafeBytes { number($0) }, quantity: line.quantity, amount: line.amount, points: line.points)
      (sold.returnedQuantity, sold.returnedAmount) = (back.quantity, back.amount)
      (sold.taken, sold.isReturned) = (back.taken, back.isReturned)
      return sold
    }
    var sale = SaleReturn(points: t.points.rawValue, spend: t.spend.rawValue, lines: lines)
    (sale.returned, sale.taken) = (t.reversedSpend.rawValue, t.reversedPoints.rawValue)
    return sale
  }
  mutating func note(_ sale: SaleReturn) {
    returned = sale.lines.map {
      .init(quantity: $0.returnedQuantity, amount: $0.returnedAmount, taken: $0.taken, isReturned: $0.isReturned)
    }
  }
  func lines(_ text: UnsafeRawBufferPointer) -> [ReturnLine] {
    var all: [ReturnLine] = []
    SaleLine.parse(text) { all.append(ReturnLine(sku: number($0.sku), quantity: $0.quantity, amount: $0.amount)) }
    return all
  }
}

extension Ledger {
  /// How a purchase was worked out. State keeps a mark of that alone: who returns it carries the records, as of one that has left memory.
  func soldBy(_ call: Call, _ t: TransactionRecord) throws(Stop) -> SoldSale? {
    guard let facts = try? PastFacts(call.facts), facts.original.tx == t.id,
      EarningDetail.mark(facts.original.answer, latest: facts.latest?.answer) == t.link,
      let sale = try? SoldSale(facts, isStrict: core.semantics < Semantics.amended)
    else { throw .decided(.factsWanted) }
    return sale
  }
  /// A return by line (R6, A11): the points and the money that it takes.
  func takeLines(
    _ call: Call, _ t: TransactionRecord, _ sold: inout SoldSale?
  ) throws(Stop) -> (points: Points, spend: Money) {
    guard var known = sold, !known.detail.lines.isEmpty else {
      throw .malformed("lines: the purchase was booked without lines")
    }
    var sale = known.sale(t)
    let lines = known.lines(call.text(.lines))
    let points: Int64
    do throws(ReturnRefusal) {
      points = try sale.take(lines: lines)
    } catch {
      switch error {
      case .reversed(let left):
        throw .refused(.reversed("more than is left to refund", left: Money(left)))
      case .lineExceeded(_, _, let left):
        throw .refused(.reversed("more of a product than is left to refund", left: Money(left)))
      case .unknownLine: throw .malformed("lines: the purchase has no line of that product")
      case .malformed: throw .malformed("lines: nothing comes back")
      }
    }
    known.note(sale)
    sold = known
    return (Points(points), Money(sale.returned - t.reversedSpend.rawValue))
  }
}
