import Base

/// A fraction of two whole numbers, each 1 to 10^9, but for a numerator of 0, which a rate may have.
@frozen public struct Fraction: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
  public static let largestTerm: Int64 = 1_000_000_000
  public let numerator: Int64
  public let denominator: Int64

  /// Nil if a term is out of bounds.
  public init?(_ numerator: Int64, _ denominator: Int64) {
    guard (0...Fraction.largestTerm).contains(numerator), (1...Fraction.largestTerm).contains(denominator) else {
      return nil
    }
    (self.numerator, self.denominator) = (numerator, denominator)
  }
  /// `N/D`; nil for anything else.
  public init?(parsing text: UnsafeRawBufferPointer) {
    guard let slash = text.firstIndex(of: UInt8(ascii: "/")),
      let numerator = parseDigits(UnsafeRawBufferPointer(rebasing: text[..<slash])),
      let denominator = parseDigits(UnsafeRawBufferPointer(rebasing: text[(slash + 1)...]))
    else { return nil }
    self.init(Int64(numerator), Int64(denominator))
  }
  private init(whole: Int64) { (numerator, denominator) = (whole, 1) }
  public static let nothing = Fraction(whole: 0)
  /// The greatest that factors multiply to.
  static let largestFactor = Fraction(whole: 1_000)

  public var description: String { "\(numerator)/\(denominator)" }
  /// Products of two terms fit 64 bits.
  static func > (a: Fraction, b: Fraction) -> Bool { a.numerator * b.denominator > b.numerator * a.denominator }

  /// floor(amount × N / D); nil if it is over the largest amount. `amount` is not negative.
  func floor(of amount: Int64) -> Int64? { quotient(amount, numerator, denominator) }
}

/// The most points, or minor units, that a request, a rule or an outcome has.
let largestAmount: Int64 = 1_000_000_000_000_000

/// floor(a × b / c) of numbers that are not negative, c > 0; nil if it is over the largest amount, or they are not so.
@inline(__always) func quotient(_ a: Int64, _ b: Int64, _ c: Int64) -> Int64? {
  guard a >= 0, b >= 0, c > 0 else { return nil }
  let product = UInt64(a).multipliedFullWidth(by: UInt64(b))
  guard product.high < UInt64(c) else { return nil }
  if product.high == 0 {
    let result = product.low / UInt64(c)
    return result <= UInt64(largestAmount) ? Int64(result) : nil
  }
  let (result, _) = UInt64(c).dividingFullWidth(product)
  return result <= UInt64(largestAmount) ? Int64(result) : nil
}
