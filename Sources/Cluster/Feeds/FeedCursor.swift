import Base
import Ledger

/// A place in the feed: how far it has come in each journal. As a text it is base64url of
///
///     version u8 = 1 | known, turn, part, parts: varint | count: varint
///     | (journal less the one before, segment - 1, offset << 1 | is inner, inner if so: varint)*  | tag u64
///
/// The tag is a keyed hash over all before it: a cursor that no node gave out is refused, and not gone by.
struct FeedCursor: Hashable {
  /// Journals up to this one that are not listed have nothing more to tell: their shards have ended. Those of higher numbers are
  /// told from their beginning.
  var known: UInt32 = 0
  /// The journal whose records came last: those behind it come next.
  var turn: UInt32 = 0
  /// Of so many parts the one with that number, from 1: a feed of the journals whose number leaves it.
  var part: UInt32 = 1
  var parts: UInt32 = 1
  /// By journal, each once.
  private(set) var places: [FeedPlace] = []

  static let mostBytes = 3_072
  static let mostParts: UInt32 = 4_096
  private static let version: UInt8 = 1

  /// Whether it tells of a journal.
  func covers(_ journal: ShardID) -> Bool { parts == 1 || journal.rawValue % parts == part - 1 }

  private func index(of journal: ShardID) -> Int {
    var (low, high) = (0, places.count)
    while low < high {
      let middle = (low + high) / 2
      if places[middle].journal < journal { low = middle + 1 } else { high = middle }
    }
    return low
  }
  /// Where it goes on in a journal; nil: that has nothing more to tell.
  func place(_ journal: ShardID) -> FeedPlace? {
    let at = index(of: journal)
    if at < places.count, places[at].journal == journal { return places[at] }
    return journal.rawValue > known || journal == .directory ? FeedPlace(beginningOf: journal) : nil
  }
  mutating func set(_ place: FeedPlace) {
    let at = index(of: place.journal)
    if at < places.count, places[at].journal == place.journal {
      places[at] = place
    } else {
      places.insert(place, at: at)
    }
  }
  mutating func remove(_ journal: ShardID) { places.removeAll { $0.journal == journal } }

  // MARK: As a text

  /// Nil: it has too many journals.
  func text(_ key: HashKey) -> String? {
    var buffer = ByteBuffer(capacity: 128)
    buffer.append(FeedCursor.version)
    for number in [known, turn, part, parts] { buffer.append(varint: UInt64(number)) }
    buffer.append(varint: UInt64(places.count))
    var last: UInt32 = 0
    for place in places {
      buffer.append(varint: UInt64(place.journal.rawValue - last))
      last = place.journal.rawValue
      buffer.append(varint: UInt64(place.frame.segment - 1))
      buffer.append(varint: place.frame.offset << 1 | (place.inner > 0 ? 1 : 0))
      if place.inner > 0 { buffer.append(varint: UInt64(place.inner)) }
    }
    buffer.append(FeedCursor.tag(of: buffer.bytes, key))
    guard buffer.count <= FeedCursor.mostBytes else { return nil }
    return Base64URL.encode(buffer.bytes)
  }
  /// Nil: no node of this cluster gave it out.
  init?(_ text: UnsafeRawBufferPointer, _ key: HashKey) {
    guard let bytes = Base64URL.decode(text), bytes.count > 8, bytes.count <= FeedCursor.mostBytes else { return nil }
    self.init()
    let isRead = bytes.withUnsafeBytes { raw in
      let body = UnsafeRawBufferPointer(rebasing: raw.dropLast(8))
      let tag = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: body.count, as: UInt64.self))
      guard FeedCursor.tag(of: body, key) == tag else { return false }
      var reader = ByteReader(body)
      do throws(MalformedBytes) {
        try read(&reader)
      } catch {
        return false
      }
      return reader.isAtEnd
    }
    guard isRead else { return nil }
  }
  init() {}

  private mutating func read(_ reader: inout ByteReader) throws(MalformedBytes) {
    guard try reader.read(UInt8.self) == FeedCursor.version else { throw MalformedBytes("a cursor of another version") }
    known = try FeedCursor.small(&reader)
    turn = try FeedCursor.small(&reader)
    part = try FeedCursor.small(&reader)
    parts = try FeedCursor.small(&reader)
    guard part >= 1, part <= parts else { throw MalformedBytes("a part that is none") }
    let count = try reader.readVarint()
    var journal: UInt32 = 0
    for place in 0..<count {
      let step = try FeedCursor.small(&reader)
      let segment = try FeedCursor.small(&reader)
      let offset = try reader.readVarint()
      let inner = offset & 1 == 1 ? try FeedCursor.small(&reader) : 0
      guard step > 0 || place == 0, step < 1 << 18, journal + step < 1 << 18, segment < (1 << 18) - 1,
        offset >> 1 < 1 << 28
      else { throw MalformedBytes("a place that is none") }
      journal += step
      places.append(
        FeedPlace(
          frame: JournalPosition(journal: ShardID(journal), segment: segment + 1, offset: offset >> 1), inner: inner))
    }
  }
  private static func small(_ reader: inout ByteReader) throws(MalformedBytes) -> UInt32 {
    guard let small = UInt32(exactly: try reader.readVarint()) else { throw MalformedBytes("a number too large") }
    return small
  }
  private static func tag(of bytes: UnsafeRawBufferPointer, _ key: HashKey) -> UInt64 {
    var hash = SipHash(wide: key)
    hash.absorb(UInt64(0x7275_632d_6465_6566))
    hash.absorbEnd(bytes)
    return hash.finishedWide().low
  }
}

/// Base64 with the letters that a word of a request may have, without padding (RFC 4648 §5).
enum Base64URL {
  private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (value, letter) in letters.enumerated() { values[Int(letter)] = UInt8(value) }
    return values
  }()

  static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
    String(unsafeUninitializedCapacity: (bytes.count * 4 + 2) / 3) { text in
      var (bits, have, count) = (UInt32(0), 0, 0)
      for byte in bytes {
        bits = bits << 8 | UInt32(byte)
        have += 8
        while have >= 6 {
          have -= 6
          text[count] = letters[Int(bits >> UInt32(have) & 63)]
          count += 1
        }
      }
      if have > 0 {
        text[count] = letters[Int(bits << UInt32(6 - have) & 63)]
        count += 1
      }
      return count
    }
  }
  /// Nil: it is none, or not the one text of its bytes.
  static func decode(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard text.count % 4 != 1 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count * 3 / 4)
    var (bits, have) = (UInt32(0), 0)
    for letter in text {
      let value = values[Int(letter)]
      guard value < 64 else { return nil }
      bits = bits << 6 | UInt32(value)
      have += 6
      guard have >= 8 else { continue }
      have -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(have)))
    }
    return bits & ((1 << UInt32(have)) - 1) == 0 ? bytes : nil
  }
}
