import Base

//     export  the heir u32, 16,384 u16, 16,384 u16, the epoch u64
//
// A shard without slots has its books left: parts of merchants, breakage, adjustments, what it owes other shards. They go as a last
// parcel, which has no slots. Then it may end, and nothing is lost.

/// All that a shard has booked.
struct BooksContent: ParcelContent {
  struct Program: ParcelContent {
    var program = ProgramRef.none
    var figures = InlineArray<16, Int128>(repeating: 0)
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      try coder.reference(&program)
      for code in figures.indices { try coder.wide(&figures[code]) }
    }
  }
  struct Part: ParcelContent {
    var merchant = MerchantRef.none
    var program = ProgramRef.none
    var figures = InlineArray<2, Int128>(repeating: 0)
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      try coder.reference(&merchant)
      try coder.reference(&program)
      for code in figures.indices { try coder.wide(&figures[code]) }
    }
  }
  var programs: [Program] = []
  /// By merchant, and then by program.
  var parts: [Part] = []
  /// Of quotas and campaigns.
  var drawn: [DrawnContent] = []
  var campaigns: [CampaignContent] = []

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.list(&programs, most: Catalogue.maximumPrograms)
    try coder.list(&parts)
    guard coder.form > 1 else { return }
    try coder.list(&drawn)
    try coder.list(&campaigns)
  }
}

extension Ledger {
  /// The shard has something in its books.
  public var hasBooks: Bool {
    for place in 0..<tables.programs.count where isBooked(tables.programs.read(Ref(place: place)).pointee.figures) {
      return true
    }
    for place in 0..<tables.parts.count where isBooked(tables.parts.read(Ref(place: place)).pointee.figures) {
      return true
    }
    return hasDrawn
  }
  private func isBooked<let count: Int>(_ figures: InlineArray<count, Int128>) -> Bool {
    figures.indices.contains { figures[$0] != 0 }
  }

  /// Takes the books out.
  mutating func takeOutBooks() -> (header: ParcelHeader, records: [UInt8]) {
    var header = ParcelHeader()
    (header.first, header.end) = (UInt16(Slot.count), UInt16(Slot.count))
    header.epoch = core.epoch + 1
    header.form = ParcelHeader.form(at: core.semantics)
    header.catalogueVersion = catalogue.version
    var books = BooksContent()
    for place in 0..<tables.programs.count {
      let record = tables.programs.read(Ref(place: place)).pointee
      guard isBooked(record.figures) else { continue }
      books.programs.append(.init(program: record.program, figures: record.figures))
      count(tables.programs.read(Ref(place: place)), -1)
      tables.programs.write(Ref(place: place)).pointee.figures = InlineArray(repeating: 0)
      count(tables.programs.read(Ref(place: place)), 1)
    }
    for place in 0..<tables.parts.count {
      let record = tables.parts.read(Ref(place: place)).pointee
      guard isBooked(record.figures) else { continue }
      books.parts.append(.init(merchant: record.merchant, program: record.program, figures: record.figures))
      count(tables.parts.read(Ref(place: place)), -1)
      tables.parts.write(Ref(place: place)).pointee.figures = InlineArray(repeating: 0)
      count(tables.parts.read(Ref(place: place)), 1)
    }
    books.parts.sort { ($0.merchant.place, $0.program.place) < ($1.merchant.place, $1.program.place) }
    (books.drawn, books.campaigns) = takeOutDrawn()
    var coder = ParcelCoder()
    coder.form = header.form
    try? books.code(&coder)
    return (header, coder.buffer.array)
  }

  /// Reads them, and changes nothing.
  func books(of parcel: Parcel) throws(MalformedBytes) -> BooksContent {
    var coder = ParcelCoder(reading: parcel.records)
    coder.form = parcel.header.form
    var books = BooksContent()
    try books.code(&coder)
    try coder.expect(coder.reader.isAtEnd)
    guard books.programs.allSatisfy({ catalogue.has($0.program) }),
      books.parts.allSatisfy({ catalogue.has($0.merchant) && catalogue.has($0.program) }),
      check(books.drawn, books.campaigns)
    else { throw MalformedBytes("books of what is not there") }
    return books
  }
  mutating func putIn(_ books: BooksContent) {
    putIn(books.drawn, books.campaigns)
    for own in books.programs {
      let ref = Ref<ProgramRecord>(place: own.program.place)
      count(tables.programs.read(ref), -1)
      for code in own.figures.indices {
        core.add(own.figures[code], to: &tables.programs.write(ref).pointee.figures[code])
      }
      count(tables.programs.read(ref), 1)
    }
    for own in books.parts {
      let part = part(own.merchant, own.program)
      count(UnsafePointer(part), -1)
      for code in own.figures.indices { core.add(own.figures[code], to: &part.pointee.figures[code]) }
      count(UnsafePointer(part), 1)
    }
  }
}
