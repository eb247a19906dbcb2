import Testing

@testable import Base

@Suite struct ByteBufferTests {
  @Test func whatIsWrittenIsReadBack() throws {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<200 {
      let numbers = (0..<20).map { _ in generator.next() >> (generator.next() & 63) }
      var buffer = ByteBuffer(capacity: 1)
      for n in numbers {
        buffer.append(varint: n)
        buffer.append(zigzag: Int64(bitPattern: n))
        buffer.append(n)
        buffer.append(counted: Array("\(n)".utf8))
      }
      var reader = ByteReader(buffer.bytes)
      for n in numbers {
        #expect(try reader.readVarint() == n)
        #expect(try reader.readZigzag() == Int64(bitPattern: n))
        #expect(try reader.read(UInt64.self) == n)
        #expect(try reader.readString() == "\(n)")
      }
      #expect(reader.isAtEnd)
    }
  }

  /// Of lengths that are written in one byte and in two, and copied in one way and in another.
  @Test func textsOfAllLengthsAreReadBack() throws {
    for count in [Int](0...40) + [126, 127, 128, 129, 300, 16_383, 16_384] {
      let text = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ count) }
      // As full as it may be, so that a byte too many would be seen.
      var buffer = ByteBuffer(capacity: 64)
      buffer.append(counted: text)
      buffer.append(text)
      buffer.append(UInt8(7))
      let lengthBytes = count < 0x80 ? 1 : count < 0x4000 ? 2 : 3
      #expect(buffer.count == lengthBytes + 2 * count + 1)
      var reader = ByteReader(buffer.bytes)
      #expect(try reader.readCounted().elementsEqual(text))
      #expect(try reader.readBytes(count).elementsEqual(text))
      #expect(try reader.read(UInt8.self) == 7)
      #expect(reader.isAtEnd)
    }
  }

  @Test func aByteIsCountedUp() {
    var buffer = ByteBuffer()
    buffer.append([9, 0, 9])
    for _ in 0..<255 { buffer.increment(at: 1) }
    #expect(buffer.array == [9, 255, 9])
  }

  @Test(arguments: [12, 127, 128, 300]) func everyCutIsAnErrorAndNeverARead(_ count: Int) {
    var buffer = ByteBuffer()
    buffer.append(counted: [UInt8](repeating: 1, count: count))
    for cut in 0..<buffer.count {
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<cut]))
      #expect(throws: MalformedBytes.self) { try reader.readCounted() }
    }
  }

  @Test func decimalsAreWrittenInFull() {
    for value in [0, 9, 10, 99, 100, 12345, Int64.max, -1, Int64.min] {
      var buffer = ByteBuffer()
      buffer.append(decimal: value)
      #expect(String(decoding: buffer.bytes, as: UTF8.self) == "\(value)")
    }
  }

  @Test func aPrefixIsRemovedAndTheRestStays() {
    var buffer = ByteBuffer()
    buffer.append(utf8: "hello world")
    buffer.removeFirst(6)
    #expect(String(decoding: buffer.bytes, as: UTF8.self) == "world")
  }
}
