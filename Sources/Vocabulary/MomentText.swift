import Base

/// Times as people and terminals write them.
public enum MomentText {
  /// After the year 9999.
  static let endMilliseconds: Int64 = 253_402_300_800_000

  /// Days since 1970 of a date like 2026-01-31, from the earliest year to 9999; nil for anything else.
  public static func parseDate(_ bytes: UnsafeRawBufferPointer, earliest: Int64 = 1970) -> Int64? {
    guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
      let year = digits(bytes, 0, 4), let month = digits(bytes, 5, 2), let day = digits(bytes, 8, 2),
      year >= max(1, earliest), (1...12).contains(month), day >= 1, day <= daysInMonth(year, month)
    else { return nil }
    return daysFromEpoch(year, month, day)
  }

  /// RFC 3339 in UTC (`Z` or a zero offset, any number of decimals), or milliseconds since 1970, as microseconds since
  /// 1970; nil for anything else, another offset unless that may be, or a moment outside the years 1970 to 9999.
  public static func parse(_ bytes: UnsafeRawBufferPointer, inAnyZone: Bool = false) -> Int64? {
    if let milliseconds = parseDigits(bytes) {
      return milliseconds < UInt64(endMilliseconds) ? Int64(milliseconds) * 1000 : nil
    }
    guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
      bytes[10] | 0x20 == UInt8(ascii: "t"), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
      let year = digits(bytes, 0, 4), let month = digits(bytes, 5, 2), let day = digits(bytes, 8, 2),
      let hour = digits(bytes, 11, 2), let minute = digits(bytes, 14, 2), let second = digits(bytes, 17, 2),
      year >= 1970, (1...12).contains(month), day >= 1, day <= daysInMonth(year, month), hour < 24, minute < 60,
      second < 60 || (second == 60 && hour == 23 && minute == 59)
    else { return nil }
    var at = 19
    var microseconds: Int64 = 0
    if bytes[at] == UInt8(ascii: ".") {
      at += 1
      var unit: Int64 = 100_000
      let first = at
      while at < bytes.count, bytes[at] &- 48 < 10 {
        microseconds += Int64(bytes[at] - 48) * unit
        unit /= 10
        at += 1
      }
      guard at > first else { return nil }
    }
    guard let offset = offset(UnsafeRawBufferPointer(rebasing: bytes[at...])), inAnyZone || offset == 0 else {
      return nil
    }
    let seconds = (daysFromEpoch(year, month, day) * 24 + hour) * 3600 + (minute - offset) * 60 + second
    guard seconds >= 0, seconds < endMilliseconds / 1000 else { return nil }
    return seconds * 1_000_000 + microseconds
  }

  /// The minutes of a zone: `Z`, `+08:00`.
  private static func offset(_ zone: UnsafeRawBufferPointer) -> Int64? {
    if zone.count == 1 { return zone[0] | 0x20 == UInt8(ascii: "z") ? 0 : nil }
    guard zone.count == 6, zone[0] == UInt8(ascii: "+") || zone[0] == UInt8(ascii: "-"), zone[3] == UInt8(ascii: ":"),
      let hours = digits(zone, 1, 2), let minutes = digits(zone, 4, 2), hours < 24, minutes < 60
    else { return nil }
    return zone[0] == UInt8(ascii: "-") ? -(hours * 60 + minutes) : hours * 60 + minutes
  }

  /// `count` decimal digits at an offset that is in bounds.
  static func digits(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ count: Int) -> Int64? {
    parseDigits(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])).map(Int64.init)
  }

  private static func daysInMonth(_ year: Int64, _ month: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Days since 1970-01-01 of a date in the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
  private static func daysFromEpoch(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}
