/// A line's remainder of a division, and which line it is.
struct Remainder: BitwiseCopyable, Sendable {
  var rest: UInt64
  var line: Int32
}

/// Divides a whole in proportion to weights, each share rounded down and what is left given to the largest remainders, of equal ones
/// to the first (R14). Adds each share to `shares`. O(n log n).
///
/// The weights are not negative, and not all 0; the whole and their sum are at most 2^62, so each product fits 128 bits.
/// - Parameter remainders: scratch memory.
func divide(
  _ whole: Int64, by weights: [Int64], _ sum: Int64, into shares: inout [Int64], _ remainders: inout [Remainder]
) {
  remainders.removeAll(keepingCapacity: true)
  guard whole > 0, sum > 0 else { return }
  var left = whole
  for (line, weight) in weights.enumerated() where weight > 0 {
    let product = UInt64(whole).multipliedFullWidth(by: UInt64(weight))
    let (share, rest) = UInt64(sum).dividingFullWidth(product)
    shares[line] += Int64(share)
    left -= Int64(share)
    if rest > 0 { remainders.append(Remainder(rest: rest, line: Int32(line))) }
  }
  guard left > 0 else { return }
  // Few are left of few lines mostly: to look for the greatest again and again is the shortest way.
  guard left <= 16 else {
    remainders.sort { ($1.rest, $0.line) < ($0.rest, $1.line) }
    for one in remainders.prefix(Int(left)) { shares[Int(one.line)] += 1 }
    return
  }
  while left > 0 {
    var best = 0
    for at in remainders.indices where remainders[at].rest > remainders[best].rest { best = at }
    guard best < remainders.count, remainders[best].rest > 0 else { return }
    shares[Int(remainders[best].line)] += 1
    remainders[best].rest = 0
    left -= 1
  }
}
