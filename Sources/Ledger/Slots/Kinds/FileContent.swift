import Base

/// A member's file in a parcel, with its counters.
struct FileContent: SlotContent {
  struct Counter: ParcelContent {
    var record = CounterRecord.free
    mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
      try coder.word(&record.kind)
      try coder.word(&record.subject)
      try coder.word(&record.start)
      try coder.number(&record.value)
    }
    /// One of tiers is of a program that there is.
    func isOfProgram(in ledger: borrowing Ledger) -> Bool {
      record.kind != CounterKey.Kind.tier.rawValue
        || record.value > 0 && Int(record.subject) < ledger.catalogue.programCount
    }
  }
  var member = 0
  var text: [UInt8] = []
  /// In the order of their keys.
  var counters: [Counter] = []
  var erasedAt = Stamp.zero
  var erasure = TransactionID.none
  var openErasures: UInt32 = 0
  var bonds: [BondContent] = []

  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.ordinal(&member)
    try coder.text(&text, most: Int(UInt16.max))
    try coder.list(&counters)
    try coder.stamp(&erasedAt)
    try coder.transaction(&erasure)
    try coder.word(&openErasures)
    try coder.list(&bonds, most: 16)
  }
  func check(_ slot: inout SlotContext, before: FileContent?, in ledger: borrowing Ledger) throws(MalformedBytes) {
    let areOrdered = zip(counters, counters.dropFirst()).allSatisfy { $0.record.key.precedes($1.record.key) }
    guard member < slot.memberCount, before.map({ $0.member < member }) ?? true, EntryValues(checking: text) != nil,
      areOrdered, counters.allSatisfy({ $0.isOfProgram(in: ledger) }), counters.allSatisfy({ $0.record.value != 0 })
    else { throw MalformedBytes("a parcel with a file that cannot be") }
  }
}

extension FileRecord {
  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [Ref<FileRecord>] {
    var all: [Ref<FileRecord>] = []
    for member in slot.members {
      let file = ledger.tables.members.read(member).pointee.file
      if file != .none { all.append(file) }
    }
    return all
  }
  static func read(_ place: Ref<FileRecord>, in ledger: borrowing Ledger) -> UnsafePointer<FileRecord> {
    ledger.tables.files.read(place)
  }
  static func content(_ place: Ref<FileRecord>, in slot: SlotContext, of ledger: borrowing Ledger) -> FileContent {
    let file = ledger.tables.files.read(place)
    var content = FileContent(member: slot.ordinal(of: file.pointee.member), text: ledger.bytes(ofFile: file))
    (content.erasedAt, content.erasure) = (file.pointee.erasedAt, file.pointee.erasure)
    content.openErasures = file.pointee.openErasures
    content.bonds = ledger.bondContents(ofFile: file)
    var next = file.pointee.firstCounter
    while next != .none {
      content.counters.append(.init(record: ledger.tables.details.counters.read(next).pointee))
      next = content.counters[content.counters.count - 1].record.next
    }
    return content
  }
  static func add(_ content: FileContent, to slot: inout SlotContext, of ledger: inout Ledger) -> Ref<FileRecord> {
    let member = slot.member(content.member)
    var record = FileRecord(member: member)
    (record.erasedAt, record.erasure) = (content.erasedAt, content.erasure)
    record.openErasures = content.openErasures
    let ref = ledger.tables.files.add(record)
    ledger.tables.members.write(member).pointee.file = ref
    ledger.putChunks(content.text, ofFile: ref)
    ledger.putBonds(content.bonds, of: member, ref)
    for counter in content.counters.reversed() {
      var own = counter.record
      own.next = ledger.tables.files.read(ref).pointee.firstCounter
      ledger.tables.files.write(ref).pointee.firstCounter = ledger.tables.details.counters.add(own)
    }
    ledger.noteTierDues(ofFile: ref, 1)
    if let values = EntryValues(checking: content.text) {
      ledger.setBirthday(ofFile: ref, MemberFile(values)[.birthday])
    }
    return ref
  }
  static func remove(_ place: Ref<FileRecord>, of ledger: inout Ledger) {
    ledger.noteTierDues(ofFile: place, -1)
    ledger.setBirthday(ofFile: place, [])
    ledger.dropChunks(ofFile: place)
    ledger.removeBonds(ofFile: place)
    var next = ledger.tables.files.read(place).pointee.firstCounter
    while next != .none {
      let after = ledger.tables.details.counters.read(next).pointee.next
      ledger.tables.details.counters.remove(next)
      next = after
    }
    ledger.tables.files.remove(place)
  }
}
