/// A line of a sale, and what has been returned of it.
@frozen public struct SoldLine: Hashable, Sendable, BitwiseCopyable {
  /// What tells one product from another: any number of the caller's.
  public var sku: UInt64
  public var quantity: Int64
  public var amount: Int64
  /// Its points, as they were credited.
  public var points: Int64
  public var returnedQuantity: Int64 = 0
  public var returnedAmount: Int64 = 0
  /// Points that returns by line took.
  public var taken: Int64 = 0
  /// A line of 0 came back.
  public var isReturned = false

  public init(sku: UInt64, quantity: Int64, amount: Int64, points: Int64) {
    (self.sku, self.quantity, self.amount, self.points) = (sku, quantity, amount, points)
  }
}

/// A line of a return.
@frozen public struct ReturnLine: Hashable, Sendable, BitwiseCopyable {
  public var sku: UInt64
  public var quantity: Int64
  public var amount: Int64
  public init(sku: UInt64, quantity: Int64, amount: Int64) {
    (self.sku, self.quantity, self.amount) = (sku, quantity, amount)
  }
}

/// Why a return takes nothing.
public enum ReturnRefusal: Error, Hashable, Sendable {
  /// More than is left: `-REVERSED left=`, in minor units.
  case reversed(left: Int64)
  /// The sale has no line of that product.
  case unknownLine(ReturnLine)
  /// More pieces or money of a product than are left of it.
  case lineExceeded(ReturnLine, quantityLeft: Int64, amountLeft: Int64)
  /// A negative amount or quantity, or nothing.
  case malformed
}

/// What a sale gave and what its returns took (R6): which points the next return takes. Returns are cumulative: after each one the
/// points taken are floor(P × what was returned ÷ the whole), and after all of it exactly P. What rules say now is not asked (R16).
public struct SaleReturn: Hashable, Sendable {
  /// What was credited.
  public var points: Int64
  /// Minor units, in all.
  public var spend: Int64
  public var lines: [SoldLine]
  /// Minor units that came back, by line or not.
  public var returned: Int64 = 0
  /// Points that were taken back.
  public var taken: Int64 = 0
  /// All of it came back, also where that is 0.
  public var isComplete = false

  public init(points: Int64, spend: Int64, lines: [SoldLine] = []) {
    (self.points, self.spend, self.lines) = (points, spend, lines)
  }

  /// A return of money, whatever it was for.
  public mutating func take(spend amount: Int64) throws(ReturnRefusal) -> Int64 {
    guard amount > 0 else { throw .malformed }
    guard !isComplete, amount <= spend - returned else { throw .reversed(left: spend - returned) }
    returned += amount
    isComplete = returned == spend
    return take(upTo: share(points, returned, spend))
  }
  /// A return of all that is left.
  public mutating func takeRest() throws(ReturnRefusal) -> Int64 {
    guard !isComplete else { throw .reversed(left: 0) }
    (returned, isComplete) = (spend, true)
    return take(upTo: points)
  }
  /// A return by line: the amount of each decides. Either all lines are taken or none. O(lines × lines returned).
  public mutating func take(lines back: [ReturnLine]) throws(ReturnRefusal) -> Int64 {
    guard !back.isEmpty else { throw .malformed }
    guard !isComplete else { throw .reversed(left: 0) }
    var changed = self
    var sum: Int64 = 0
    var due: Int64 = 0
    for line in back {
      guard (0...largestAmount).contains(line.amount), line.quantity >= 0 else { throw .malformed }
      sum += line.amount
      guard sum <= spend - returned else { throw .reversed(left: spend - returned) }
      due += try changed.takeLine(line)
    }
    changed.returned += sum
    changed.isComplete = changed.returned == spend && changed.lines.allSatisfy { $0.isReturned || $0.amount > 0 }
    self = changed
    // Where money came back that belonged to no line, less is left than the lines' shares.
    return take(upTo: isComplete ? points : min(points, taken + due))
  }
  /// Lines of one product are filled up in the order sent.
  private mutating func takeLine(_ line: ReturnLine) throws(ReturnRefusal) -> Int64 {
    let same = lines.indices.filter { lines[$0].sku == line.sku }
    guard !same.isEmpty else { throw .unknownLine(line) }
    let quantityLeft = same.reduce(0) { $0 + lines[$1].quantity - lines[$1].returnedQuantity }
    let amountLeft = same.reduce(0) { $0 + lines[$1].amount - lines[$1].returnedAmount }
    let hasLeft = amountLeft > 0 || same.contains { lines[$0].amount == 0 && !lines[$0].isReturned }
    guard line.quantity <= quantityLeft, line.amount <= amountLeft, hasLeft else {
      throw .lineExceeded(line, quantityLeft: quantityLeft, amountLeft: amountLeft)
    }
    var (quantity, amount, due) = (line.quantity, line.amount, Int64(0))
    for at in same {
      let pieces = min(quantity, lines[at].quantity - lines[at].returnedQuantity)
      lines[at].returnedQuantity += pieces
      quantity -= pieces
      if lines[at].amount == 0 {
        // One that was sold for nothing comes back where nothing is asked for.
        guard line.amount == 0, !lines[at].isReturned else { continue }
        lines[at].isReturned = true
      } else {
        let money = min(amount, lines[at].amount - lines[at].returnedAmount)
        lines[at].returnedAmount += money
        amount -= money
      }
      let target =
        lines[at].amount == 0 ? lines[at].points : share(lines[at].points, lines[at].returnedAmount, lines[at].amount)
      due += max(0, target - lines[at].taken)
      lines[at].taken = max(target, lines[at].taken)
    }
    return due
  }
  /// Takes what a target has more than was taken; nothing if that is less.
  private mutating func take(upTo target: Int64) -> Int64 {
    let now = max(0, target - taken)
    taken += now
    return now
  }
  /// floor(points × part ÷ whole); all of them for the whole.
  private func share(_ points: Int64, _ part: Int64, _ whole: Int64) -> Int64 {
    part == whole ? points : quotient(points, part, whole) ?? points
  }
}
