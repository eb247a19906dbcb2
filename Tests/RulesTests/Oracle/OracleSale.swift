/// A sale and its returns, by the words of R6.
struct OracleSale {
  struct Line {
    var sku: String
    var quantity: Int
    var amount: Int
    var points: Int
    var backQuantity = 0
    var backAmount = 0
    var taken = 0
    var isBack = false
  }
  var points: Int
  var spend: Int
  var lines: [Line]
  /// Money that came back, and points that were taken.
  var back = 0
  var taken = 0
  var isOver = false

  /// Nil: refused.
  mutating func take(spend amount: Int) -> Int? {
    guard amount > 0, !isOver, back + amount <= spend else { return nil }
    back += amount
    let target = Int(Int128(points) * Int128(back) / Int128(spend))
    isOver = back == spend
    defer { taken = max(taken, target) }
    return max(0, target - taken)
  }
  mutating func takeRest() -> Int? {
    guard !isOver else { return nil }
    (isOver, back) = (true, spend)
    defer { taken = points }
    return points - taken
  }
  mutating func take(lines request: [(sku: String, quantity: Int, amount: Int)]) -> Int? {
    guard !isOver, !request.isEmpty else { return nil }
    let before = self
    var due = 0
    for one in request {
      let mine = lines.indices.filter { lines[$0].sku == one.sku }
      let pieces = mine.reduce(0) { $0 + lines[$1].quantity - lines[$1].backQuantity }
      let money = mine.reduce(0) { $0 + lines[$1].amount - lines[$1].backAmount }
      let isSomethingLeft = money > 0 || mine.contains { lines[$0].amount == 0 && !lines[$0].isBack }
      guard isSomethingLeft, one.quantity <= pieces, one.amount <= money, back + one.amount <= spend else {
        self = before
        return nil
      }
      back += one.amount
      var (quantity, amount) = (one.quantity, one.amount)
      for at in mine {
        while quantity > 0, lines[at].backQuantity < lines[at].quantity {
          lines[at].backQuantity += 1
          quantity -= 1
        }
        let some = min(amount, lines[at].amount - lines[at].backAmount)
        lines[at].backAmount += some
        amount -= some
        if lines[at].amount == 0, one.amount == 0 { lines[at].isBack = true }
        var target = 0
        if lines[at].amount > 0 {
          target = Int(Int128(lines[at].points) * Int128(lines[at].backAmount) / Int128(lines[at].amount))
        } else if lines[at].isBack {
          target = lines[at].points
        }
        if target > lines[at].taken {
          due += target - lines[at].taken
          lines[at].taken = target
        }
      }
    }
    isOver = back == spend && lines.allSatisfy { $0.amount > 0 || $0.isBack }
    let now = isOver ? points - taken : min(due, points - taken)
    taken += now
    return now
  }
}
