import Base

/// At most so many points in each window: `60/sale`, `100/day`.
@frozen public struct Cap: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
  public var limit: Int64
  public var kind: CapWindow.Kind

  public init(limit: Int64, kind: CapWindow.Kind) { (self.limit, self.kind) = (limit, kind) }

  /// `N/sale`, `N/day` …; nil for anything else. N is 0 to 10^15.
  public init?(parsing text: UnsafeRawBufferPointer) {
    guard let slash = text.firstIndex(of: UInt8(ascii: "/")),
      let limit = parseDigits(UnsafeRawBufferPointer(rebasing: text[..<slash])), limit <= UInt64(largestAmount),
      let kind = CapWindow.Kind.allCases.first(where: { "\($0)".utf8.elementsEqual(text[(slash + 1)...]) })
    else { return nil }
    self.init(limit: Int64(limit), kind: kind)
  }
  /// A program's `earn-cap=`: one or several, split by commas, a window each at most once, none of them `sale` or `ever`; nil for
  /// anything else.
  public static func list(parsing text: UnsafeRawBufferPointer) -> [Cap]? {
    var caps: [Cap] = []
    for part in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let cap = Cap(parsing: UnsafeRawBufferPointer(rebasing: part)), cap.kind != .sale, cap.kind != .ever,
        !caps.contains(where: { $0.kind == cap.kind })
      else { return nil }
      caps.append(cap)
    }
    return caps
  }
  public var description: String { "\(limit)/\(kind)" }
}

/// A window of a cap: a kind, and the day on which it begins in the program's zone (R17).
@frozen public struct CapWindow: Hashable, Sendable, BitwiseCopyable {
  /// The numbers are for ever.
  @frozen public enum Kind: UInt8, CaseIterable, Sendable { case sale = 1, day, week, month, year, ever }
  public var kind: Kind
  /// Days since 1970-01-01; 0 of `sale` and `ever`.
  public var start: Int32

  public init(kind: Kind, start: Int32) { (self.kind, self.start) = (kind, start) }

  /// The window that a day lies in. Weeks begin on Monday.
  public init(_ kind: Kind, holding day: Int64) {
    self.kind = kind
    switch kind {
    case .sale, .ever: start = 0
    case .day: start = Int32(truncatingIfNeeded: day)
    case .week: start = Int32(truncatingIfNeeded: day - CapWindow.weekday(day) + 1)
    case .month:
      let (year, month) = CivilTime.yearAndMonth(day: day)
      start = Int32(truncatingIfNeeded: CivilTime.days(year: year, month: month, day: 1))
    case .year:
      let (year, _) = CivilTime.yearAndMonth(day: day)
      start = Int32(truncatingIfNeeded: CivilTime.days(year: year, month: 1, day: 1))
    }
  }
  /// 1, Monday, to 7. 1970-01-01 was a Thursday.
  static func weekday(_ day: Int64) -> Int64 {
    let shifted = day + 3
    return shifted - CivilTime.floorDivide(shifted, 7) * 7 + 1
  }
}
