import Base
import Vocabulary

/// Some fields of an entry by their numbers: what one change says, or what holds at a moment. Kept as it is written: numbers
/// (varint), rising, each with its counted bytes. No bytes: the value was taken back.
struct EntryValues: Hashable, Sendable {
  private(set) var bytes: [UInt8] = []

  init() {}
  /// - Parameter fields: in the order of their numbers.
  init(_ fields: [(number: Int, bytes: [UInt8])]) {
    guard !fields.isEmpty else { return }
    var buffer = ByteBuffer(capacity: 128)
    for (number, value) in fields { buffer.append(field: number, value) }
    bytes = buffer.array
  }
  /// Reads what was written.
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    bytes = Array(try reader.readBytes(reader.remaining))
    guard bytes.withUnsafeBytes({ Reader($0).isSound }) else { throw MalformedBytes("fields of an entry out of order") }
  }

  /// What a table has kept.
  init(kept bytes: [UInt8]) { self.bytes = bytes }
  /// What a parcel says; nil if that cannot be.
  init?(checking bytes: [UInt8]) {
    guard bytes.withUnsafeBytes({ Reader($0).isSound }) else { return nil }
    self.bytes = bytes
  }

  private struct Reader {
    private var reader: ByteReader
    init(_ bytes: UnsafeRawBufferPointer) { reader = ByteReader(bytes) }
    mutating func next() throws(MalformedBytes) -> (number: Int, value: UnsafeRawBufferPointer)? {
      guard !reader.isAtEnd else { return nil }
      return (Int(truncatingIfNeeded: try reader.readVarint()), try reader.readCounted())
    }
    var isSound: Bool {
      var copy = self
      var last = 0
      do {
        while let (number, _) = try copy.next() {
          guard number > last, number <= EntryRequest.Number.attributes else { return false }
          last = number
        }
        return true
      } catch {
        return false
      }
    }
  }

  /// Whether all this is said.
  func says(_ other: EntryValues) -> Bool { overlaid(by: other) == self }
  func has(_ number: Int) -> Bool { with(number) { $0 != nil } }
  var isEmpty: Bool { bytes.isEmpty }
  var fields: [(number: Int, bytes: [UInt8])] {
    bytes.withUnsafeBytes { raw in
      var reader = Reader(raw)
      var all: [(number: Int, bytes: [UInt8])] = []
      while let (number, value) = try? reader.next() { all.append((number, Array(value))) }
      return all
    }
  }
  /// Gives a field's bytes, in place; nil if it is not among them.
  func with<R>(_ number: Int, _ body: (UnsafeRawBufferPointer?) -> R) -> R {
    bytes.withUnsafeBytes { raw in
      var reader = Reader(raw)
      while let (found, value) = try? reader.next(), found <= number {
        if found == number { return body(value) }
      }
      return body(nil)
    }
  }
  subscript(number: Int) -> [UInt8]? { with(number) { $0.map { Array($0) } } }

  /// These, and over them what came later.
  func overlaid(by later: EntryValues) -> EntryValues {
    var all = fields
    for (number, value) in later.fields {
      let place = all.firstIndex { $0.number >= number } ?? all.count
      if place < all.count, all[place].number == number {
        all[place].bytes =
          number == EntryRequest.Number.attributes
          ? EntryAttributes(all[place].bytes).overlaid(by: EntryAttributes(value)).bytes : value
      } else {
        all.insert((number, value), at: place)
      }
    }
    return EntryValues(all)
  }
  /// Of fields that are wanted alone.
  func filtered(_ isWanted: (_ number: Int) -> Bool) -> EntryValues {
    let all = fields
    return all.allSatisfy { isWanted($0.number) } ? self : EntryValues(all.filter { isWanted($0.number) })
  }
  /// What they are where nothing was said before.
  var withoutTakenBack: EntryValues {
    EntryValues(
      fields.compactMap { number, value in
        guard number == EntryRequest.Number.attributes else { return value.isEmpty ? nil : (number, value) }
        var attributes = EntryAttributes(value)
        attributes.pairs.removeAll { $0.value.isEmpty }
        return attributes.pairs.isEmpty ? nil : (number, attributes.bytes)
      })
  }
  /// These without what came later, and so never holds again.
  func without(_ later: EntryValues) -> EntryValues {
    let gone = later.fields
    return EntryValues(
      fields.compactMap { number, value in
        guard let other = gone.first(where: { $0.number == number }) else { return (number, value) }
        guard number == EntryRequest.Number.attributes else { return nil }
        let left = EntryAttributes(value).without(EntryAttributes(other.bytes))
        return left.pairs.isEmpty ? nil : (number, left.bytes)
      })
  }
}

/// `x.NAME=VALUE` of an entry, by name; no value: it was taken back.
struct EntryAttributes {
  var pairs: [(name: [UInt8], value: [UInt8])] = []

  init(pairs: [(name: [UInt8], value: [UInt8])] = []) { self.pairs = pairs }
  init(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      while !reader.isAtEnd, let name = try? reader.readCounted(), let value = try? reader.readCounted() {
        pairs.append((Array(name), Array(value)))
      }
    }
  }
  var bytes: [UInt8] {
    var buffer = ByteBuffer(capacity: 128)
    for (name, value) in pairs {
      buffer.append(counted: name)
      buffer.append(counted: value)
    }
    return buffer.array
  }
  subscript(name: [UInt8]) -> [UInt8]? { pairs.first { $0.name == name }?.value }
  func overlaid(by later: EntryAttributes) -> EntryAttributes {
    var all = without(later)
    all.pairs += later.pairs
    all.pairs.sort { $0.name.lexicographicallyPrecedes($1.name) }
    return all
  }
  func without(_ later: EntryAttributes) -> EntryAttributes {
    EntryAttributes(pairs: pairs.filter { pair in !later.pairs.contains { $0.name == pair.name } })
  }
}
