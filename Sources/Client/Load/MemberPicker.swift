import Base
import Glibc

/// Draws members: evenly, or by Zipf's law, as in Gray et al., "Quickly generating billion-record synthetic
/// databases" (1994). Rank 1 is not member 0: ranks are spread over the numbers, so that hot members lie in
/// different slots.
struct MemberPicker {
  let count: UInt64
  private let skew: Double
  private let alpha: Double
  private let zetaN: Double
  private let eta: Double
  private let halfPower: Double
  private let stride: UInt64

  /// `skew` from 0 (even) to 1; above 0.99 it counts as 0.99, where the method ends.
  init(count: Int, skew: Double) {
    precondition(count > 0)
    let theta = min(0.99, max(0, skew))
    self.count = UInt64(count)
    self.skew = theta
    var zeta = 0.0
    if theta > 0 { for i in 1...count { zeta += pow(1 / Double(i), theta) } }
    zetaN = zeta
    alpha = 1 / (1 - theta)
    halfPower = 1 + pow(0.5, theta)
    eta = count < 3 ? 1 : (1 - pow(2 / Double(count), 1 - theta)) / (1 - halfPower / max(zeta, 1))
    stride = MemberPicker.coprime(to: UInt64(count))
  }

  private static func coprime(to n: UInt64) -> UInt64 {
    var candidate = max(1, n / 5 * 3) | 1
    while true {
      var (a, b) = (candidate, n)
      while b != 0 { (a, b) = (b, a % b) }
      if a == 1 { return candidate }
      candidate += 2
    }
  }

  /// A member's number for 32 random bits.
  @inline(__always) func pick(_ random: UInt64) -> UInt64 {
    if skew == 0 { return ((random & 0xFFFF_FFFF) &* count) &>> 32 }
    return (rank(random) &* stride) % count
  }

  private func rank(_ random: UInt64) -> UInt64 {
    let u = Double(random & 0xFFFF_FFFF) / 4_294_967_296
    let uz = u * zetaN
    if uz < 1 { return 0 }
    if uz < halfPower { return min(1, count - 1) }
    return min(count - 1, UInt64(Double(count) * pow(max(0, eta * u - eta + 1), alpha)))
  }
}
