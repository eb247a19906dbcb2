/// The product of factors, exact.
struct FactorProduct {
  private var numerator: UInt128 = 1
  private var denominator: UInt128 = 1

  /// False if it gets too long: the terms of some ten factors without a common divisor.
  mutating func multiply(by factor: Fraction) -> Bool {
    let (n, d) = (UInt128(factor.numerator), UInt128(factor.denominator))
    let (first, second) = (FactorProduct.divisor(n, denominator), FactorProduct.divisor(numerator, d))
    let (a, isTooLong) = (numerator / second).multipliedReportingOverflow(by: n / first)
    let (b, isTooLongToo) = (denominator / first).multipliedReportingOverflow(by: d / second)
    (numerator, denominator) = (a, b)
    return !isTooLong && !isTooLongToo
  }
  /// floor(amount × the product), of which at most 1,000 counts; nil if it is over the largest amount, or too long.
  func floor(of amount: Int64) -> Int64? {
    if numerator / denominator >= UInt128(Rule.largestFactor) { return Fraction.largestFactor.floor(of: amount) }
    let (product, isTooLong) = UInt128(amount).multipliedReportingOverflow(by: numerator)
    let result = product / denominator
    return isTooLong || result > UInt128(largestAmount) ? nil : Int64(result)
  }
  private static func divisor(_ a: UInt128, _ b: UInt128) -> UInt128 {
    if let a = UInt64(exactly: a), let b = UInt64(exactly: b) { return UInt128(divisor(a, b)) }
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
  }
  private static func divisor(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
  }
}
