import Base

/// A line of a purchase or of its return, as `lines=` has it: `SKU:QUANTITY:AMOUNT`, the amount in minor units.
public struct SaleLine {
  public let sku: UnsafeRawBufferPointer
  public let quantity: Int64
  public let amount: Int64

  /// The most lines of one request.
  public static let most = 256
  static let requirement =
    "one to \(most) of sku:quantity:amount, divided by commas, like tea:2:1999,milk:1:150, whole numbers up to \(Shape.maximumAmount)"

  /// Gives the lines in their order; false: the text is something else. O(bytes), and nothing is allocated.
  @discardableResult public static func parse(
    _ text: UnsafeRawBufferPointer, _ body: (SaleLine) -> Void
  ) -> Bool {
    var start = text.startIndex
    var count = 0
    while true {
      let end = text[start...].firstIndex(of: UInt8(ascii: ",")) ?? text.endIndex
      guard count < most, let line = SaleLine(UnsafeRawBufferPointer(rebasing: text[start..<end])) else { return false }
      body(line)
      count += 1
      guard end < text.endIndex else { return true }
      start = end + 1
    }
  }
  private init?(_ text: UnsafeRawBufferPointer) {
    guard let last = text.lastIndex(of: UInt8(ascii: ":")),
      let first = text[..<last].lastIndex(of: UInt8(ascii: ":"))
    else { return nil }
    let largest = UInt64(Shape.maximumAmount)
    sku = UnsafeRawBufferPointer(rebasing: text[..<first])
    guard sku.isIdentifier, let quantity = parseDigits(UnsafeRawBufferPointer(rebasing: text[(first + 1)..<last])),
      let amount = parseDigits(UnsafeRawBufferPointer(rebasing: text[(last + 1)...])), quantity <= largest,
      amount <= largest
    else { return nil }
    (self.quantity, self.amount) = (Int64(quantity), Int64(amount))
  }
}
