import Base
import Cluster
import System

extension Clock {
  /// The moment that the node is told.
  static func now() -> Moment {
    Moment(monotonic: monotonic(), wall: Stamp(microseconds: wall()))
  }
}

/// An RFC 3339 UTC time with milliseconds: "2026-01-02T03:04:05.678Z".
struct UTCTime: CustomStringConvertible {
  var microseconds: Int64

  var description: String {
    let milliseconds = microseconds >= 0 ? microseconds / 1000 : (microseconds - 999) / 1000
    let day = milliseconds >= 0 ? milliseconds / 86_400_000 : (milliseconds - 86_399_999) / 86_400_000
    let rest = milliseconds - day * 86_400_000
    let (year, month, dayOfMonth) = UTCTime.civil(day)
    let text = [
      pad(year, 4), "-", pad(month, 2), "-", pad(dayOfMonth, 2), "T", pad(rest / 3_600_000, 2), ":",
      pad(rest / 60_000 % 60, 2), ":", pad(rest / 1000 % 60, 2), ".", pad(rest % 1000, 3), "Z",
    ]
    return text.joined()
  }
  private func pad(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
  /// Days since 1970-01-01 as a date of the Gregorian calendar (Hinnant, chrono-compatible low-level date algorithms).
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let part = (5 * dayOfYear + 2) / 153
    let month = part < 10 ? part + 3 : part - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * part + 2) / 5 + 1)
  }
}
