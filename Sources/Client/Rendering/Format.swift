import Foundation

/// Numbers for people.
enum Format {
  /// `69659` as `69,659`.
  static func grouped(_ number: some BinaryInteger) -> String {
    let digits = Array(String(number.magnitude))
    var text = number < 0 ? "-" : ""
    for (i, digit) in digits.enumerated() {
      if i > 0, (digits.count - i) % 3 == 0 { text += "," }
      text.append(digit)
    }
    return text
  }
  /// With so many decimals.
  static func decimal(_ number: Double, _ places: Int) -> String { String(format: "%.\(places)f", number) }
  /// Nanoseconds as `97 µs`, `1.23 ms`, `2.5 s`.
  static func duration(_ nanoseconds: UInt64) -> String {
    let value = Double(nanoseconds)
    switch value {
    case ..<1e3: return "\(nanoseconds) ns"
    case ..<1e4: return decimal(value / 1e3, 1) + " µs"
    case ..<1e6: return decimal(value / 1e3, 0) + " µs"
    case ..<1e7: return decimal(value / 1e6, 2) + " ms"
    case ..<1e9: return decimal(value / 1e6, 1) + " ms"
    default: return decimal(value / 1e9, 2) + " s"
    }
  }
  /// Bytes as `640 B`, `9.5 KiB`, `96 MiB`.
  static func bytes(_ count: Int64) -> String {
    var value = Double(count)
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
      if abs(value) < 1024 || unit == "TiB" {
        return decimal(value, unit == "B" || abs(value) >= 9.95 ? 0 : 1) + " " + unit
      }
      value /= 1024
    }
    return "\(count) B"
  }
  /// How long ago something was, roughly: `12 s`, `4 min`, `3 h`, `5 d`.
  static func age(_ milliseconds: Int64) -> String {
    let seconds = max(0, milliseconds / 1000)
    switch seconds {
    case ..<120: return "\(seconds) s"
    case ..<7_200: return "\(seconds / 60) min"
    case ..<172_800: return "\(seconds / 3_600) h"
    default: return "\(seconds / 86_400) d"
    }
  }
  /// Milliseconds since 1970 as `2026-03-01 12:00:00Z`.
  static func moment(_ milliseconds: Int64) -> String {
    let day = Day(number: Int(milliseconds / 86_400_000))
    let second = Int(milliseconds % 86_400_000) / 1000
    return "\(day) " + String(format: "%02d:%02d:%02dZ", second / 3600, second / 60 % 60, second % 60)
  }
}
