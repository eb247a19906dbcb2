import Base
import Glibc
import Replies

/// A request with gaps of fixed width, laid out once and then only stamped: a copy and a few digits a request.
struct RequestTemplate {
  enum Gap: String, CaseIterable {
    case member
    case recipient
    case spend
    case id
  }
  struct Place {
    let offset: Int
    let gap: Gap
  }

  /// A member is `m` and eight digits.
  static let memberDigits = 8
  static let memberLimit = 100_000_000
  static let spendDigits = 4
  static let counterDigits = 10

  let bytes: [UInt8]
  let places: [Place]

  /// `line` holds `{member}`, `{recipient}`, `{spend}` and `{id}` where they go. `asArray` makes it a RESP array of
  /// bulk strings, as client libraries send it. `runID` is the front of every request id.
  init(_ line: String, asArray: Bool, runID: String) {
    let words = asArray ? Words.split(line) ?? [line] : [line]
    var bytes: [UInt8] = asArray ? Array("*\(words.count)\r\n".utf8) : []
    var places: [Place] = []
    for word in words {
      let (filled, gaps) = RequestTemplate.fill(word, runID: runID)
      if asArray { bytes += Array("$\(filled.count)\r\n".utf8) }
      for gap in gaps { places.append(Place(offset: bytes.count + gap.offset, gap: gap.gap)) }
      bytes += filled
      bytes += [13, 10]
    }
    self.bytes = bytes
    self.places = places
  }

  private static func fill(_ word: String, runID: String) -> (bytes: [UInt8], places: [Place]) {
    var bytes: [UInt8] = []
    var places: [Place] = []
    var rest = word[...]
    scanning: while let brace = rest.firstIndex(of: "{") {
      bytes += Array(rest[..<brace].utf8)
      rest = rest[brace...]
      for gap in Gap.allCases where rest.hasPrefix("{\(gap.rawValue)}") {
        rest = rest.dropFirst(gap.rawValue.count + 2)
        switch gap {
        case .member, .recipient:
          bytes.append(UInt8(ascii: "m"))
          places.append(Place(offset: bytes.count, gap: gap))
          bytes += repeatElement(48, count: memberDigits)
        case .spend:
          places.append(Place(offset: bytes.count, gap: gap))
          bytes += repeatElement(48, count: spendDigits)
        case .id:
          bytes += Array("\(runID)-".utf8)
          places.append(Place(offset: bytes.count, gap: gap))
          bytes += repeatElement(48, count: counterDigits)
        }
        continue scanning
      }
      bytes.append(UInt8(ascii: "{"))
      rest = rest.dropFirst()
    }
    bytes += Array(rest.utf8)
    return (bytes, places)
  }

  /// The name of a member, as the gaps have it.
  static func memberName(_ number: Int) -> String {
    let digits = String(number)
    return "m" + String(repeating: "0", count: max(0, memberDigits - digits.utf8.count)) + digits
  }
}

/// Templates as the generator reads them: flat memory that nothing counts references to. Made before the run, freed
/// by `deinit` after it.
final class TemplateTable: @unchecked Sendable {
  struct Entry {
    let bytes: UnsafeMutableRawPointer
    let byteCount: Int
    let places: UnsafeMutablePointer<RequestTemplate.Place>
    let placeCount: Int
  }
  let entries: UnsafeMutablePointer<Entry>
  let count: Int

  init(_ templates: [RequestTemplate]) {
    count = templates.count
    entries = .allocate(capacity: max(1, templates.count))
    for (i, template) in templates.enumerated() {
      let bytes = UnsafeMutableRawPointer.allocate(byteCount: max(1, template.bytes.count), alignment: 16)
      template.bytes.withUnsafeBytes { source in
        if let base = source.baseAddress { memcpy(bytes, base, source.count) }
      }
      let places = UnsafeMutablePointer<RequestTemplate.Place>.allocate(capacity: max(1, template.places.count))
      for (j, place) in template.places.enumerated() { (places + j).initialize(to: place) }
      (entries + i).initialize(
        to: Entry(
          bytes: bytes, byteCount: template.bytes.count, places: places, placeCount: template.places.count))
    }
  }
  deinit {
    for i in 0..<count {
      entries[i].bytes.deallocate()
      entries[i].places.deallocate()
    }
    entries.deallocate()
  }

  /// The numbers that go into one request's gaps.
  struct Filling {
    var member: UInt64
    var recipient: UInt64
    var spend: UInt64
    var counter: UInt64
  }

  @inline(__always) func append(_ index: Int, _ filling: Filling, to output: inout ByteBuffer) {
    let entry = entries[index]
    let start = output.reserve(entry.byteCount)
    memcpy(start, entry.bytes, entry.byteCount)
    for i in 0..<entry.placeCount {
      let place = entry.places[i]
      let at = start + place.offset
      switch place.gap {
      case .member: TemplateTable.write(filling.member, digits: RequestTemplate.memberDigits, at: at)
      case .recipient: TemplateTable.write(filling.recipient, digits: RequestTemplate.memberDigits, at: at)
      case .spend: TemplateTable.write(filling.spend, digits: RequestTemplate.spendDigits, at: at)
      case .id: TemplateTable.write(filling.counter, digits: RequestTemplate.counterDigits, at: at)
      }
    }
    output.commit(entry.byteCount)
  }

  @inline(__always)
  private static func write(_ value: UInt64, digits: Int, at place: UnsafeMutableRawPointer) {
    var rest = value
    var at = digits
    while at > 0, rest > 0 {
      at &-= 1
      let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
      place.storeBytes(of: UInt8(truncatingIfNeeded: remainder) &+ 48, toByteOffset: at, as: UInt8.self)
      rest = quotient
    }
  }
}

extension TemplateTable {
  /// One stamped request as text, for people and tests.
  func text(_ index: Int, _ filling: Filling) -> String {
    var buffer = ByteBuffer()
    append(index, filling, to: &buffer)
    return String(decoding: buffer.bytes, as: UTF8.self)
  }
}
