import Base
import Vocabulary

/// What a member's file says: fields by their numbers, for ever.
struct MemberFile: Equatable {
  enum Field: Int, CaseIterable {
    case name = 1
    case region = 2
    case holderClass = 3
    case birthday = 4
    case referrer = 5
    case channel = 6
    case language = 7
    case manager = 8
    case rating = 9
    case cardType = 10
    /// Counted words, in their order.
    case tags = 11

    /// The key by which it is said, if one says it.
    var key: Key? {
      switch self {
      case .name: .name
      case .region: .region
      case .holderClass: .holderClass
      case .birthday: .birthday
      case .referrer: .referrer
      case .channel: .channel
      case .language: .language
      case .manager: .manager
      case .rating: .rating
      case .cardType: .cardType
      case .tags: nil
      }
    }
  }
  static let mostTags = 64
  /// As for entries: `x.NAME=VALUE` are behind all others.
  private(set) var values = EntryValues()

  init() {}
  init(_ values: EntryValues) { self.values = values }
  init(name: UnsafeRawBufferPointer, region: UnsafeRawBufferPointer) {
    var said: [(number: Int, bytes: [UInt8])] = []
    if !name.isEmpty { said.append((Field.name.rawValue, Array(name))) }
    if !region.isEmpty { said.append((Field.region.rawValue, Array(region))) }
    self.init(EntryValues(said))
  }
  /// What a request says; values that are empty are taken back.
  init(_ call: Call) {
    var said: [(number: Int, bytes: [UInt8])] = []
    for field in Field.allCases {
      guard let key = field.key, call.has(key) else { continue }
      said.append((field.rawValue, Array(call.text(key))))
    }
    if call.has(.attributes) { said.append((EntryRequest.Number.attributes, Array(call.text(.attributes)))) }
    values = EntryValues(said)
  }

  subscript(_ field: Field) -> [UInt8] {
    get { values[field.rawValue] ?? [] }
    set { values = values.overlaid(by: EntryValues([(field.rawValue, newValue)])).withoutTakenBack }
  }
  var attributes: EntryAttributes { EntryAttributes(values[EntryRequest.Number.attributes] ?? []) }
  /// This, and over it what is said now.
  func changed(by said: MemberFile) -> MemberFile { MemberFile(values.overlaid(by: said.values).withoutTakenBack) }
  /// It has name and region alone.
  var isPlain: Bool { values.fields.allSatisfy { $0.number <= Field.region.rawValue } }
  var isEmpty: Bool { values.isEmpty }

  var tags: [[UInt8]] {
    get {
      self[.tags].withUnsafeBytes { raw in
        var reader = ByteReader(raw)
        var all: [[UInt8]] = []
        while !reader.isAtEnd, let word = try? reader.readCounted() { all.append(Array(word)) }
        return all
      }
    }
    set {
      var buffer = ByteBuffer(capacity: 128)
      for word in newValue { buffer.append(counted: word) }
      self[.tags] = buffer.array
    }
  }
}

extension Ledger {
  /// The place of a member's file; `.none`: it has none.
  func fileRef(ofMember member: UnsafePointer<MemberRecord>) -> Ref<FileRecord> { member.pointee.file }

  /// What is kept of a member, wherever it lies.
  func file(ofMember member: UnsafePointer<MemberRecord>) -> MemberFile {
    guard member.pointee.hasFile else {
      let own = profile(member)
      return MemberFile(name: own.name, region: own.region)
    }
    return MemberFile(EntryValues(kept: bytes(ofFile: tables.files.read(member.pointee.file))))
  }
  func bytes(ofFile file: UnsafePointer<FileRecord>) -> [UInt8] {
    bytes(ofChunks: file.pointee.firstChunk, count: Int(file.pointee.byteCount))
  }
  func bytes(ofChunks first: Ref<FileChunk>, count: Int) -> [UInt8] {
    var all: [UInt8] = []
    var left = count
    all.reserveCapacity(left)
    var next = first
    while next != .none, left > 0 {
      let chunk = tables.details.chunks.read(next)
      let part = min(left, FileChunk.room)
      withUnsafeBytes(of: chunk.pointee.bytes) { all.append(contentsOf: $0[..<part]) }
      left -= part
      next = chunk.pointee.next
    }
    return all
  }
  func digest(ofFile file: UnsafePointer<FileRecord>) -> Int64 {
    guard file.pointee.byteCount > 0 else { return 0 }
    return Int64(bitPattern: bytes(ofFile: file).withUnsafeBytes { xxh64($0) })
  }
  /// The class of a member, as it was said; empty: a consumer.
  func holderClass(_ member: UnsafePointer<MemberRecord>) -> [UInt8] {
    member.pointee.hasFile ? file(ofMember: member)[.holderClass] : []
  }

  // MARK: Changing

  /// The member's file, made if it has none. What the member had of name and region is in it.
  mutating func openFile(ofMember number: Ref<MemberRecord>) -> Ref<FileRecord> {
    let member = tables.members.write(number)
    guard !member.pointee.hasFile else { return member.pointee.file }
    let own = file(ofMember: UnsafePointer(member))
    countMember(UnsafePointer(member), -1)
    if member.pointee.profile != 0 { tables.texts.erase(member.pointee.profile) }
    let ref = tables.files.add(FileRecord(member: number))
    tables.members.write(number).pointee.file = ref
    countMember(tables.members.read(number), 1)
    write(own, to: ref)
    return ref
  }
  mutating func setFile(ofMember number: Ref<MemberRecord>, _ new: MemberFile) {
    write(new, to: openFile(ofMember: number))
  }
  /// Puts what a file says in place of what it said. Nothing of that is left.
  private mutating func write(_ new: MemberFile, to ref: Ref<FileRecord>) {
    let hash = hash(ofMember: tables.files.read(ref).pointee.member)
    core.digest.add(hash, DigestField.file, 0 &- digest(ofFile: tables.files.read(ref)))
    dropChunks(ofFile: ref)
    putChunks(new.values.bytes, ofFile: ref)
    setBirthday(ofFile: ref, new[.birthday])
    core.digest.add(hash, DigestField.file, digest(ofFile: tables.files.read(ref)))
  }
  mutating func putChunks(_ bytes: [UInt8], ofFile ref: Ref<FileRecord>) {
    let first = addChunks(bytes)
    let file = tables.files.write(ref)
    file.pointee.firstChunk = first
    file.pointee.byteCount = UInt32(bytes.count)
  }
  /// Keeps bytes in a chain of chunks; `.none` of no bytes.
  mutating func addChunks(_ bytes: [UInt8]) -> Ref<FileChunk> {
    var first = Ref<FileChunk>.none
    for start in stride(from: 0, to: bytes.count, by: FileChunk.room).reversed() {
      var chunk = FileChunk(next: first)
      for i in start..<min(bytes.count, start + FileChunk.room) { chunk.bytes[i - start] = bytes[i] }
      first = tables.details.chunks.add(chunk)
    }
    return first
  }
  mutating func dropChunks(ofFile ref: Ref<FileRecord>) {
    dropChunks(from: tables.files.read(ref).pointee.firstChunk)
    tables.files.write(ref).pointee.firstChunk = .none
  }
  /// Frees a chain of chunks; nothing is left of what they had.
  mutating func dropChunks(from first: Ref<FileChunk>) {
    var next = first
    while next != .none {
      let after = tables.details.chunks.read(next).pointee.next
      tables.details.chunks.remove(next)
      next = after
    }
  }

  // MARK: Counters

  /// A figure of a member; 0 if none was counted. O(the member's counters).
  func counter(_ number: Ref<MemberRecord>, _ key: CounterKey) -> Int64 {
    let file = tables.members.read(number).pointee.file
    guard file != .none else { return 0 }
    var next = tables.files.read(file).pointee.firstCounter
    while next != .none {
      let counter = tables.details.counters.read(next)
      if counter.pointee.key == key { return counter.pointee.value }
      next = counter.pointee.next
    }
    return 0
  }
  /// Counts. O(the member's counters).
  mutating func count(_ difference: Int64, of number: Ref<MemberRecord>, _ key: CounterKey) {
    guard difference != 0 else { return }
    let file = openFile(ofMember: number)
    var before = Ref<CounterRecord>.none
    var next = tables.files.read(file).pointee.firstCounter
    while next != .none, tables.details.counters.read(next).pointee.key.precedes(key) {
      (before, next) = (next, tables.details.counters.read(next).pointee.next)
    }
    core.digest.add(key.digest(hash(ofMember: number)), DigestField.counter, difference)
    if next != .none, tables.details.counters.read(next).pointee.key == key {
      let counter = tables.details.counters.write(next)
      core.add(difference, to: &counter.pointee.value)
      guard counter.pointee.value == 0 else { return }
      link(tables.details.counters.read(next).pointee.next, behind: before, of: file)
      return tables.details.counters.remove(next)
    }
    var record = CounterRecord(key, difference)
    record.next = next
    link(tables.details.counters.add(record), behind: before, of: file)
  }
  private mutating func link(
    _ counter: Ref<CounterRecord>, behind before: Ref<CounterRecord>, of file: Ref<FileRecord>
  ) {
    if before == .none {
      tables.files.write(file).pointee.firstCounter = counter
    } else {
      tables.details.counters.write(before).pointee.next = counter
    }
  }
  /// Forgets counters of a kind that begin before a day: nothing asks for them any more.
  mutating func dropCounters(_ kind: CounterKey.Kind, of number: Ref<MemberRecord>, before day: Int32) {
    let file = tables.members.read(number).pointee.file
    guard file != .none else { return }
    var next = tables.files.read(file).pointee.firstCounter
    while next != .none {
      let counter = tables.details.counters.read(next).pointee
      next = counter.next
      if counter.kind == kind.rawValue, counter.start < day { count(0 &- counter.value, of: number, counter.key) }
    }
  }
}
