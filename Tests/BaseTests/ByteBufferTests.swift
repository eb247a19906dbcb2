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

  @Test func everyCutIsAnErrorAndNeverARead() {
    var buffer = ByteBuffer()
    buffer.append(counted: Array("twelve bytes".utf8))
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
