import Base

/// A whole number of units of one kind, or by how much it changes; 64 bits, as records and the journal have it. Amounts of two
/// kinds do not mix, and none is multiplied by another: what money is worth in points, `EarnRate` alone says.
///
/// `+` and `-` trap where the result does not fit, and are for what the bounds of an account keep far from that. `&+` and `&-`
/// wrap: for what reads records without trusting them. A figure of the state changes by `Core.add`, to which what does not fit is
/// a fault.
protocol Amount: AdditiveArithmetic, Comparable, Hashable, Sendable, BitwiseCopyable, CustomStringConvertible,
  ExpressibleByIntegerLiteral
{
  var rawValue: Int64 { get set }
  init(_ rawValue: Int64)
}

/// Points of one program.
struct Points: Amount {
  var rawValue: Int64
  @inline(__always) init(_ rawValue: Int64) { self.rawValue = rawValue }
}

/// Minor units of a currency.
struct Money: Amount {
  var rawValue: Int64
  @inline(__always) init(_ rawValue: Int64) { self.rawValue = rawValue }

  /// Nothing was said of money: what records have in its place.
  static var none: Money { Money(-1) }
  /// There is a sum, of 0 or more.
  @inline(__always) var isSaid: Bool { rawValue >= 0 }
}

extension Amount {
  static var max: Self { Self(.max) }
  @inline(__always) init(integerLiteral value: Int64) { self.init(value) }
  var description: String { String(rawValue) }
  var bits: UInt64 { UInt64(bitPattern: rawValue) }
  /// Without its sign; that of the least is the largest.
  var magnitude: Self { Self(Int64(clamping: rawValue.magnitude)) }

  @inline(__always) static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  @inline(__always) static func + (a: Self, b: Self) -> Self { Self(a.rawValue + b.rawValue) }
  @inline(__always) static func - (a: Self, b: Self) -> Self { Self(a.rawValue - b.rawValue) }
  @inline(__always) static func &+ (a: Self, b: Self) -> Self { Self(a.rawValue &+ b.rawValue) }
  @inline(__always) static func &- (a: Self, b: Self) -> Self { Self(a.rawValue &- b.rawValue) }
  @inline(__always) static prefix func - (a: Self) -> Self { Self(-a.rawValue) }
}

extension ReplyWriter {
  @inline(__always) mutating func field(_ field: Field, _ amount: some Amount) { self.field(field, amount.rawValue) }
}
