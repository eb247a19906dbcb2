import Base
import Testing

@testable import Protocol

@Suite struct FrameHeaderTests {
  static let header = FrameHeader(
    kind: 7, cluster: 0x1122_3344_5566_7788, sender: NodeID(0xA1A2_A3A4_A5A6_A7A8), incarnation: 3, configVersion: 41)

  static func frame(_ body: [UInt8], before: [UInt8] = []) -> [UInt8] {
    var buffer = ByteBuffer()
    buffer.append(before)
    let mark = header.begin(&buffer)
    buffer.append(body)
    FrameHeader.finish(mark, in: &buffer)
    return Array(buffer.array.dropFirst(before.count))
  }

  @Test func aFrameComesBackAsItWasSent() {
    for size in [0, 1, 7, 8, 48, 1000, 100_000] {
      let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let bytes = Self.frame(body, before: [1, 2, 3]) + [9, 9]
      bytes.withUnsafeBytes { raw in
        guard case .frame(let header, let got, let consumed) = FrameHeader.decode(raw) else {
          Issue.record("no frame of \(size)")
          return
        }
        #expect(header == Self.header)
        #expect(Array(got) == body)
        #expect(consumed == 48 + size)
      }
    }
  }

  @Test func theLayoutIsFixed() {
    let bytes = Self.frame([0xAB])
    #expect(bytes[0..<4] == [0x54, 0x4C, 0x59, 0x31])
    #expect(bytes[8..<16] == [FrameHeader.version, 7, 0, 0, 1, 0, 0, 0])
    #expect(bytes[16..<24] == [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11])
    #expect(bytes[40..<49] == [41, 0, 0, 0, 0, 0, 0, 0, 0xAB])
  }

  @Test func everyProperPrefixIsIncomplete() {
    let bytes = Self.frame([1, 2, 3, 4, 5])
    for n in 0..<bytes.count {
      bytes.withUnsafeBytes { raw in
        guard case .incomplete(let needed) = FrameHeader.decode(UnsafeRawBufferPointer(rebasing: raw[..<n])) else {
          Issue.record("prefix of \(n) is not incomplete")
          return
        }
        #expect(needed == (n < 48 ? 48 : bytes.count))
      }
    }
  }

  @Test func everyFlippedBitIsNoticed() {
    let good = Self.frame([1, 2, 3, 4, 5])
    for bit in 0..<good.count * 8 {
      var bytes = good
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      bytes.withUnsafeBytes { raw in
        if case .frame = FrameHeader.decode(raw) { Issue.record("bit \(bit) went unnoticed") }
      }
    }
  }

  @Test func aForeignGreetingIsRefusedAtItsFirstByte() {
    for text in ["GET / HTTP/1.1\r\n", "*1\r\n", "TLX"] {
      Array(text.utf8).withUnsafeBytes { raw in
        guard case .bad(let reason) = FrameHeader.decode(raw) else {
          Issue.record("\(text) was not refused")
          return
        }
        #expect(reason == "not a frame of this protocol")
      }
    }
  }

  @Test func aBodyOverTheLimitIsRefusedBeforeItArrives() {
    var bytes = Self.frame([])
    bytes[15] = 5  // 5 << 24 bytes
    bytes.withUnsafeBytes { raw in
      guard case .bad(let reason) = FrameHeader.decode(raw) else {
        Issue.record("not refused")
        return
      }
      #expect(reason == "frame of 83886080 bytes, at most 67108864")
    }
  }
}
