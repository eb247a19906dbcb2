import Base

/// What ties a member to another: a merge that is under way or over, a pool. It hangs on the member's file.
struct BondRecord: StateRecord, ReusedRecord {
  /// Part of the state: never change one, only add.
  enum Kind: UInt8 {
    /// It is being merged into another; for `tx` terminals wait, `count` steps are open.
    case merging = 1
    /// It was merged into another: says its id.
    case merged = 2
    /// Another is being merged into it by `tx`: says the `MergeRoom` that is kept.
    case receiving = 3
    /// It is in a pool: says its id. `tx`: the movement that is on its way there.
    case inPool = 4
    /// It waits for what a pool says, by `tx`.
    case joining = 5
    /// A case of the member's, of which there may be several: `tx` is its number, and it says a `CaseContent`.
    case ofCase = 10
    /// It is a pool, which `count` members are in.
    case pool = 6
  }
  var tx = TransactionID.none
  /// The member's other bonds.
  var next = Ref<BondRecord>.none
  var firstChunk = Ref<FileChunk>.none
  var byteCount: UInt32 = 0
  var count: UInt32 = 0
  var kind: UInt8
  var reserved: UInt8 = 0
  var reserved2: UInt16 = 0
  var reserved3: UInt32 = 0

  init(_ kind: UInt8) { self.kind = kind }

  static var tag: TableTag { TableTag(140, "bonds of members", since: Semantics.programme) }
  static var belonging: Belonging { .owner }
  static var free: BondRecord { BondRecord(0) }
}

/// A bond in a parcel.
struct BondContent: ParcelContent {
  var record = BondRecord.free
  var text: [UInt8] = []
  mutating func code(_ coder: inout ParcelCoder) throws(MalformedBytes) {
    try coder.word(&record.kind)
    try coder.transaction(&record.tx)
    try coder.word(&record.count)
    try coder.text(&text, most: Int(UInt16.max))
    try coder.expect(BondRecord.Kind(rawValue: record.kind) != nil)
  }
}

extension Ledger {
  /// A member's bond of a kind. One bit where it has none at all.
  @inline(__always) func bond(_ kind: BondRecord.Kind, of member: Ref<MemberRecord>) -> Ref<BondRecord>? {
    tables.members.read(member).pointee.hasBonds ? findBond(kind, member) : nil
  }
  @inline(never) private func findBond(_ kind: BondRecord.Kind, _ member: Ref<MemberRecord>) -> Ref<BondRecord>? {
    var next = tables.files.read(tables.members.read(member).pointee.file).pointee.firstBond
    while next != .none {
      let bond = tables.details.bonds.read(next)
      if bond.pointee.kind == kind.rawValue { return next }
      next = bond.pointee.next
    }
    return nil
  }
  /// What a bond says; nil: the member has none of that kind.
  func bondText(_ kind: BondRecord.Kind, of member: Ref<MemberRecord>) -> [UInt8]? {
    bond(kind, of: member).map { text(ofBond: $0) }
  }
  func text(ofBond ref: Ref<BondRecord>) -> [UInt8] {
    let bond = tables.details.bonds.read(ref).pointee
    return bytes(ofChunks: bond.firstChunk, count: Int(bond.byteCount))
  }
  /// What the digest knows of a bond, under the member's hash.
  func addDigest(ofBond ref: Ref<BondRecord>, _ member: UInt64, to sum: inout DigestSum) {
    let bond = tables.details.bonds.read(ref).pointee
    let content = text(ofBond: ref).withUnsafeBytes { xxh64($0, seed: bond.tx.rawValue ^ UInt64(bond.count) << 32) }
    sum.add(DigestSum.mix(member, UInt64(bond.kind)), DigestField.bond, Int64(bitPattern: content))
  }
  private mutating func countBond(_ ref: Ref<BondRecord>, of member: Ref<MemberRecord>, isThere: Bool) {
    var sum = DigestSum()
    addDigest(ofBond: ref, hash(ofMember: member), to: &sum)
    if isThere { core.digest.add(sum) } else { core.digest.subtract(sum) }
  }

  mutating func addBond(
    _ kind: BondRecord.Kind, of member: Ref<MemberRecord>, tx: TransactionID = .none, count: Int = 0,
    _ text: [UInt8] = []
  ) {
    let file = openFile(ofMember: member)
    var record = BondRecord(kind.rawValue)
    (record.tx, record.count, record.byteCount) = (tx, UInt32(clamping: count), UInt32(clamping: text.count))
    record.firstChunk = addChunks(text)
    record.next = tables.files.read(file).pointee.firstBond
    let ref = tables.details.bonds.add(record)
    tables.files.write(file).pointee.firstBond = ref
    tables.members.write(member).pointee.hasBonds = true
    countBond(ref, of: member, isThere: true)
  }
  mutating func dropBond(_ kind: BondRecord.Kind, of member: Ref<MemberRecord>) {
    if let ref = bond(kind, of: member) { dropBond(ref, of: member) }
  }
  mutating func dropBond(_ ref: Ref<BondRecord>, of member: Ref<MemberRecord>) {
    countBond(ref, of: member, isThere: false)
    let file = tables.members.read(member).pointee.file
    let record = tables.details.bonds.read(ref).pointee
    if tables.files.read(file).pointee.firstBond == ref {
      tables.files.write(file).pointee.firstBond = record.next
    } else {
      var before = tables.files.read(file).pointee.firstBond
      while tables.details.bonds.read(before).pointee.next != ref {
        before = tables.details.bonds.read(before).pointee.next
      }
      tables.details.bonds.write(before).pointee.next = record.next
    }
    dropChunks(from: record.firstChunk)
    tables.details.bonds.remove(ref)
    tables.members.write(member).pointee.hasBonds = tables.files.read(file).pointee.firstBond != .none
  }
  mutating func setText(ofBond ref: Ref<BondRecord>, of member: Ref<MemberRecord>, _ text: [UInt8]) {
    countBond(ref, of: member, isThere: false)
    dropChunks(from: tables.details.bonds.read(ref).pointee.firstChunk)
    let chunks = addChunks(text)
    let bond = tables.details.bonds.write(ref)
    (bond.pointee.firstChunk, bond.pointee.byteCount) = (chunks, UInt32(clamping: text.count))
    countBond(ref, of: member, isThere: true)
  }
  mutating func setBond(_ kind: BondRecord.Kind, of member: Ref<MemberRecord>, count: Int) {
    guard let ref = bond(kind, of: member) else { return fail(.records) }
    countBond(ref, of: member, isThere: false)
    tables.details.bonds.write(ref).pointee.count = UInt32(clamping: count)
    countBond(ref, of: member, isThere: true)
  }
  mutating func setBond(_ kind: BondRecord.Kind, of member: Ref<MemberRecord>, tx: TransactionID) {
    guard let ref = bond(kind, of: member) else { return fail(.records) }
    countBond(ref, of: member, isThere: false)
    tables.details.bonds.write(ref).pointee.tx = tx
    countBond(ref, of: member, isThere: true)
  }
  func count(ofBond kind: BondRecord.Kind, of member: Ref<MemberRecord>) -> Int {
    bond(kind, of: member).map { Int(tables.details.bonds.read($0).pointee.count) } ?? 0
  }
  func transaction(ofBond kind: BondRecord.Kind, of member: Ref<MemberRecord>) -> TransactionID {
    bond(kind, of: member).map { tables.details.bonds.read($0).pointee.tx } ?? .none
  }

  // MARK: With a slot

  func bondContents(ofFile file: UnsafePointer<FileRecord>) -> [BondContent] {
    var all: [BondContent] = []
    var next = file.pointee.firstBond
    while next != .none {
      all.append(BondContent(record: tables.details.bonds.read(next).pointee, text: text(ofBond: next)))
      next = all[all.count - 1].record.next
    }
    return all
  }
  /// The digest counts them with their file.
  mutating func putBonds(_ contents: [BondContent], of member: Ref<MemberRecord>, _ file: Ref<FileRecord>) {
    for content in contents.reversed() {
      var record = content.record
      record.firstChunk = addChunks(content.text)
      record.byteCount = UInt32(clamping: content.text.count)
      record.next = tables.files.read(file).pointee.firstBond
      tables.files.write(file).pointee.firstBond = tables.details.bonds.add(record)
    }
    tables.members.write(member).pointee.hasBonds = !contents.isEmpty
  }
  mutating func removeBonds(ofFile file: Ref<FileRecord>) {
    var next = tables.files.read(file).pointee.firstBond
    while next != .none {
      let record = tables.details.bonds.read(next).pointee
      dropChunks(from: record.firstChunk)
      tables.details.bonds.remove(next)
      next = record.next
    }
  }
}
