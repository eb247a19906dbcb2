import Base
import Testing

@Suite struct FieldsTests {
  private struct Item: Equatable {
    var count: Int64 = 7
    var name: [UInt8] = []
    var list: [UInt8] = []
  }
  /// What a build reads that knows fields 1, 2 and 5.
  private func read(_ buffer: borrowing ByteBuffer) throws -> Item {
    var item = Item()
    let bytes = buffer.array
    try bytes.withUnsafeBytes { bytes in
      var reader = ByteReader(bytes)
      try reader.readFields(of: "an item") { number, value throws(MalformedBytes) in
        switch number {
        case 1: item.count = try value.readZigzag()
        case 2: item.name = Array(try value.readBytes(value.remaining))
        case 5: while !value.isAtEnd { item.list.append(try value.readSmall()) }
        default: return false
        }
        return true
      }
      guard reader.isAtEnd else { throw MalformedBytes("more than fields") }
    }
    return item
  }
  private func error(of write: (inout ByteBuffer) -> Void) -> String? {
    var buffer = ByteBuffer(capacity: 64)
    write(&buffer)
    do {
      _ = try read(buffer)
      return nil
    } catch { return "\(error)" }
  }

  @Test func whatWasWrittenIsRead() throws {
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(field: 1, zigzag: .min)
    buffer.append(field: 2, Array("ab".utf8))
    buffer.append(field: 5) { for number in [3, 64, 255] as [Int64] { $0.append(zigzag: number) } }
    buffer.appendEndOfFields()
    #expect(try read(buffer) == Item(count: .min, name: Array("ab".utf8), list: [3, 64, 255]))
  }
  @Test func aFieldThatIsNotThereKeepsItsValue() throws {
    var buffer = ByteBuffer(capacity: 64)
    buffer.append(field: 2, Array("x".utf8))
    buffer.appendEndOfFields()
    #expect(try read(buffer) == Item(count: 7, name: Array("x".utf8)))
  }
  @Test func anUnknownFieldIsRefusedInALineThatSaysSo() {
    let text = error {
      $0.append(field: 3, zigzag: 1)
      $0.appendEndOfFields()
    }
    #expect(text == "an item: field 3 is not known to this build: a newer build wrote it")
  }
  @Test func fieldsOutOfOrderOrCutOrLongerAreRefused() {
    #expect(error { $0.append(field: 1, zigzag: 1) } != nil)
    #expect(
      error {
        $0.append(field: 2, [])
        $0.append(field: 1, zigzag: 1)
        $0.appendEndOfFields()
      } == "an item: fields out of order")
    #expect(
      error {
        $0.append(field: 1, [2, 2])
        $0.appendEndOfFields()
      } == "an item: field 1 is longer than this build knows")
    #expect(
      error {
        $0.append(field: 5) { $0.append(zigzag: 256) }
        $0.appendEndOfFields()
      } == "an integer out of range")
  }
}
