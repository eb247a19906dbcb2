/// Calendar arithmetic in integers: the proleptic Gregorian calendar at a fixed offset from UTC. The conversions are
/// those of Howard Hinnant, "chrono-compatible low-level date algorithms". No time zone, no leap second.
public enum CivilTime {
  @inlinable public static var microsecondsPerSecond: Int64 { 1_000_000 }
  @inlinable public static var microsecondsPerDay: Int64 { 86_400_000_000 }
  /// Stamps are held within this, 9999-12-31, so that no sum of a stamp and a period overflows.
  @inlinable public static var latest: Stamp { Stamp(microseconds: 253_402_214_400_000_000) }

  /// Days since 1970-01-01 of a civil date. `month` is 1 to 12.
  @inlinable public static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let y = month <= 2 ? year - 1 : year
    let era = floorDivide(y, 400)
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }
  /// Year, month (1 to 12) and day of the month of a day counted from 1970-01-01.
  @inlinable public static func date(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let z = day + 719_468
    let era = floorDivide(z, 146_097)
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
  /// Year and month (1 to 12) of a day counted from 1970-01-01.
  @inlinable public static func yearAndMonth(day: Int64) -> (year: Int64, month: Int64) {
    let (year, month, _) = date(day: day)
    return (year, month)
  }
  /// The civil day that a moment falls in, at an offset.
  @inlinable public static func day(of moment: Stamp, offset: Int64) -> Int64 {
    floorDivide(moment.microseconds + offset, microsecondsPerDay)
  }
  /// 00:00 of a day, at an offset.
  @inlinable public static func midnight(ofDay day: Int64, offset: Int64) -> Stamp {
    Stamp(microseconds: day * microsecondsPerDay - offset)
  }
  @inlinable @inline(__always) public static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    let quotient = a / b
    return a % b < 0 ? quotient - 1 : quotient
  }
}
