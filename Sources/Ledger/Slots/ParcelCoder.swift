import Base

/// Part of what a parcel says. One description does for both ways.
protocol ParcelContent {
  init()
  /// Writes what it is, or becomes what is read.
  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes)
}

/// Writes what a parcel says, and throws nothing then; or reads it, and throws where that cannot be.
struct ParcelCoder: ~Copyable {
  /// What was written.
  private(set) var buffer: ByteBuffer
  /// What is left to read.
  private(set) var reader: ByteReader
  let isReading: Bool
  /// That of the parcel.
  var form: UInt8 = 1

  /// One that writes.
  init() {
    buffer = ByteBuffer(capacity: 65_536)
    reader = ByteReader(UnsafeRawBufferPointer(start: nil, count: 0))
    isReading = false
  }
  init(reading reader: ByteReader) {
    buffer = ByteBuffer(capacity: 64)
    self.reader = reader
    isReading = true
  }

  @inline(__always) mutating func word<Number: FixedWidthInteger & BitwiseCopyable>(
    _ value: inout Number
  ) throws(MalformedBytes) {
    if isReading { value = try reader.read() } else { buffer.append(value) }
  }
  /// A number of any sign that is mostly small.
  mutating func number(_ value: inout Int64) throws(MalformedBytes) {
    if isReading { value = try reader.readZigzag() } else { buffer.append(zigzag: value) }
  }
  mutating func varint(_ value: inout UInt64) throws(MalformedBytes) {
    if isReading { value = try reader.readVarint() } else { buffer.append(varint: value) }
  }
  /// At most so many bytes.
  mutating func text(_ value: inout [UInt8], most: Int) throws(MalformedBytes) {
    guard isReading else { return buffer.append(counted: value) }
    let bytes = try reader.readCounted()
    try expect(bytes.count <= most)
    value = Array(bytes)
  }
  /// Refuses what cannot be, where it is read.
  @inline(__always) func expect(_ isPossible: Bool) throws(MalformedBytes) {
    guard isPossible || !isReading else { throw MalformedBytes("a parcel that says what cannot be") }
  }

  @inline(__always) mutating func amount(_ value: inout some Amount) throws(MalformedBytes) {
    try number(&value.rawValue)
  }
  mutating func stamp(_ value: inout Stamp) throws(MalformedBytes) { try word(&value.microseconds) }
  mutating func position(_ value: inout JournalPosition) throws(MalformedBytes) { try word(&value.rawValue) }
  mutating func transaction(_ value: inout TransactionID) throws(MalformedBytes) { try word(&value.rawValue) }
  mutating func tenant(_ value: inout TenantID) throws(MalformedBytes) { try word(&value.rawValue) }
  @inline(__always) mutating func reference<Row>(_ value: inout CatalogueRef<Row>) throws(MalformedBytes) {
    var wide = Int64(value.rawValue)
    try number(&wide)
    try expect(Int32(exactly: wide) != nil)
    value.rawValue = Int32(truncatingIfNeeded: wide)
  }
  mutating func wide(_ value: inout Int128) throws(MalformedBytes) {
    var low = UInt64(truncatingIfNeeded: value)
    var high = Int64(truncatingIfNeeded: value >> 64)
    try word(&low)
    try word(&high)
    value = Int128(high) << 64 | Int128(low)
  }
  /// Which of others it is, counted from 0.
  mutating func ordinal(_ value: inout Int) throws(MalformedBytes) {
    var raw = UInt64(value)
    try varint(&raw)
    value = Int(clamping: raw)
  }
  /// How many there are of what takes a byte at least.
  mutating func count(_ value: inout Int, most: Int = .max) throws(MalformedBytes) {
    try ordinal(&value)
    try expect(value <= min(reader.remaining, most))
  }
  mutating func list<Item: ParcelContent>(_ items: inout [Item], most: Int = .max) throws(MalformedBytes) {
    var number = items.count
    try count(&number, most: most)
    guard isReading else {
      for place in items.indices { try items[place].code(&self) }
      return
    }
    items.removeAll()
    for _ in 0..<number {
      var item = Item()
      try item.code(&self)
      items.append(item)
    }
  }
  /// Appends what was written before.
  mutating func append(_ bytes: [UInt8]) { buffer.append(bytes) }
}
