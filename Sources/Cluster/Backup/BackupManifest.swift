import Base
import Ledger
import Raft

/// What a backup consists of: see docs/backup.md.
public struct BackupManifest: Hashable, Sendable {
  /// From 1, in its directory.
  package var number: UInt32
  package var cluster: UInt64
  /// Every shard's state is that right after the entry with this stamp.
  package var cut: Stamp
  /// The directory first, then the shards by their numbers.
  package var parts: [BackupPart]
  /// Journals of shards that are none of these any more, which others refer to, by their numbers: where each ends here, and the hash there.
  package var journals: [JournalChain]

  package init(number: UInt32, cluster: UInt64, cut: Stamp, parts: [BackupPart], journals: [JournalChain] = []) {
    self.number = number
    self.cluster = cluster
    self.cut = cut
    self.parts = parts.sorted { $0.shard < $1.shard }
    self.journals = journals.sorted { $0.position.rawValue < $1.position.rawValue }
  }

  package var directory: BackupPart? { parts.first { $0.shard == .directory } }
  package var shards: [BackupPart] { parts.filter { $0.shard != .directory } }
  package func part(_ shard: ShardID) -> BackupPart? { parts.first { $0.shard == shard } }
  /// Up to where a journal is this backup's; nil: it has nothing of it.
  package func end(of journal: ShardID) -> JournalChain? {
    part(journal)?.journal ?? journals.first { $0.position.journal == journal }
  }
  /// What shards refer to in a journal, each once, by their positions.
  package func references(to journal: ShardID) -> [JournalChain] {
    let all = parts.flatMap(\.lineage).filter { $0.position.journal == journal }
    return Set(all).sorted { $0.position.rawValue < $1.position.rawValue }
  }
  package var figures: BackupFigures { shards.reduce(into: BackupFigures()) { $0.add($1.figures) } }
  /// Bytes of all states.
  package var stateBytes: UInt64 { parts.reduce(0) { $0 + $1.stateBytes } }

  // MARK: As bytes

  private static let magic: UInt64 = 0x4B41_4259_4C4C_4154  // "TALLYBAK"
  private static let version: UInt32 = 1
  /// Far more than a manifest of all shards that there may be.
  package static let bytesMax: UInt64 = 64 << 20

  package var bytes: [UInt8] {
    var buffer = ByteBuffer(capacity: 4096)
    buffer.append(BackupManifest.magic)
    buffer.append(BackupManifest.version)
    buffer.append(field: 1, zigzag: Int64(number))
    buffer.append(field: 2, zigzag: Int64(bitPattern: cluster))
    buffer.append(field: 3, zigzag: cut.microseconds)
    buffer.append(field: 4) { list in for part in parts { part.encode(into: &list) } }
    if !journals.isEmpty { buffer.append(field: 5) { list in for chain in journals { chain.encode(into: &list) } } }
    buffer.appendEndOfFields()
    SHA256.digest(buffer.bytes).withBytes { buffer.append($0) }
    return buffer.array
  }
  /// Throws if the bytes are not those that were written.
  package init(_ bytes: [UInt8]) throws(MalformedBytes) {
    self.init(number: 0, cluster: 0, cut: .zero, parts: [])
    let read: Result<BackupManifest, MalformedBytes> = bytes.withUnsafeBytes { raw in
      do throws(MalformedBytes) { return .success(try BackupManifest(verifying: raw)) } catch { return .failure(error) }
    }
    self = try read.get()
  }
  private init(verifying raw: UnsafeRawBufferPointer) throws(MalformedBytes) {
    guard raw.count > 44 else { throw MalformedBytes("it is too short for a manifest") }
    let body = UnsafeRawBufferPointer(rebasing: raw[..<(raw.count - 32)])
    var reader = ByteReader(body)
    guard try reader.read(UInt64.self) == BackupManifest.magic else {
      throw MalformedBytes("it does not begin as a manifest")
    }
    let version: UInt32 = try reader.read()
    guard version <= BackupManifest.version else {
      throw MalformedBytes("it is of version \(version), and this build knows \(BackupManifest.version)")
    }
    guard SHA256.digest(body) == SHA256.Digest(bytes: UnsafeRawBufferPointer(rebasing: raw[(raw.count - 32)...])) else {
      throw MalformedBytes("its bytes are not those that were written")
    }
    var (number, cluster, cut, parts) = (UInt32(0), UInt64(0), Stamp.zero, [BackupPart]())
    var journals: [JournalChain] = []
    try reader.readFields(of: "a backup's manifest") { field, value throws(MalformedBytes) in
      switch field {
      case 1: number = try value.readSmall()
      case 2: cluster = UInt64(bitPattern: try value.readZigzag())
      case 3: cut = Stamp(microseconds: try value.readZigzag())
      case 4: while !value.isAtEnd { parts.append(try BackupPart(decoding: &value)) }
      case 5: while !value.isAtEnd { journals.append(try JournalChain(decoding: &value)) }
      default: return false
      }
      return true
    }
    self.init(number: number, cluster: cluster, cut: cut, parts: parts, journals: journals)
  }
}

extension JournalChain {
  fileprivate func encode(into buffer: inout ByteBuffer) {
    buffer.append(position.rawValue)
    hash.withBytes { buffer.append($0) }
  }
  fileprivate init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(
      position: JournalPosition(rawValue: try reader.read()), hash: SHA256.Digest(bytes: try reader.readBytes(32)))
  }
}

/// A shard in a backup, or the directory.
public struct BackupPart: Hashable, Sendable {
  package var shard: ShardID
  /// Of a shard: what it owns, and since which change.
  package var slots: SlotRanges
  package var epoch: UInt64
  /// The last entry that its state contains.
  package var index: LogIndex
  package var term: Term
  package var stamp: Stamp
  /// Of the catalogue: which version it has; of the directory, the newest.
  package var catalogueVersion: UInt32 = 0
  /// Where its journal ends, and the hash over all of it.
  package var journal: JournalChain
  /// The journals of other shards that its records refer to: up to where, and the hash there.
  package var lineage: [JournalChain] = []
  package var figures = BackupFigures()
  /// Its state: how many bytes, how many rows its list has, and the SHA-256 of that.
  package var stateBytes: UInt64 = 0
  package var rows: UInt64 = 0
  package var listDigest = SHA256.Digest()

  package init(
    shard: ShardID, slots: SlotRanges, epoch: UInt64, index: LogIndex, term: Term, stamp: Stamp, journal: JournalChain
  ) {
    self.shard = shard
    self.slots = slots
    self.epoch = epoch
    self.index = index
    self.term = term
    self.stamp = stamp
    self.journal = journal
  }

  package func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(shard.rawValue))
    buffer.append(field: 2) { slots.encode(into: &$0) }
    buffer.append(field: 3, zigzag: Int64(bitPattern: epoch))
    buffer.append(field: 4, zigzag: Int64(bitPattern: index.rawValue))
    buffer.append(field: 5, zigzag: Int64(bitPattern: term.rawValue))
    buffer.append(field: 6, zigzag: stamp.microseconds)
    buffer.append(field: 7, zigzag: Int64(catalogueVersion))
    buffer.append(field: 8, zigzag: Int64(bitPattern: journal.position.rawValue))
    buffer.append(field: 9) { value in journal.hash.withBytes { value.append($0) } }
    buffer.append(field: 10) { figures.encode(into: &$0) }
    buffer.append(field: 11, zigzag: Int64(bitPattern: stateBytes))
    buffer.append(field: 12, zigzag: Int64(bitPattern: rows))
    buffer.append(field: 13) { value in listDigest.withBytes { value.append($0) } }
    if !lineage.isEmpty { buffer.append(field: 14) { list in for chain in lineage { chain.encode(into: &list) } } }
    buffer.appendEndOfFields()
  }
  package init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(
      shard: .directory, slots: .none, epoch: 0, index: LogIndex(0), term: Term(0), stamp: .zero, journal: .ofDirectory)
    try reader.readFields(of: "a part of a backup") { field, value throws(MalformedBytes) in
      switch field {
      case 1: shard = ShardID(try value.readSmall())
      case 2: slots = try SlotRanges(decoding: &value)
      case 3: epoch = UInt64(bitPattern: try value.readZigzag())
      case 4: index = LogIndex(UInt64(bitPattern: try value.readZigzag()))
      case 5: term = Term(UInt64(bitPattern: try value.readZigzag()))
      case 6: stamp = Stamp(microseconds: try value.readZigzag())
      case 7: catalogueVersion = try value.readSmall()
      case 8: journal.position = JournalPosition(rawValue: UInt64(bitPattern: try value.readZigzag()))
      case 9: journal.hash = SHA256.Digest(bytes: try value.readBytes(32))
      case 10: figures = try BackupFigures(decoding: &value)
      case 11: stateBytes = UInt64(bitPattern: try value.readZigzag())
      case 12: rows = UInt64(bitPattern: try value.readZigzag())
      case 13: listDigest = SHA256.Digest(bytes: try value.readBytes(32))
      case 14: while !value.isAtEnd { lineage.append(try JournalChain(decoding: &value)) }
      default: return false
      }
      return true
    }
    guard shard.rawValue <= Topology.highestShard else { throw MalformedBytes("a shard with an impossible number") }
  }
}

/// What a shard's state comes to, or all shards' together: these add up, whatever shards there are.
public struct BackupFigures: Hashable, Sendable {
  package var members: UInt64 = 0
  package var transactions: UInt64 = 0
  /// Of the sums that should be 0, without their signs.
  package var sum: UInt64 = 0
  /// See `Ledger.audit`: over all shards what is on its way between them.
  package var between: Int128 = 0
  package var digest: (a: UInt64, b: UInt64) = (0, 0)

  package init() {}
  package mutating func add(_ other: BackupFigures) {
    members &+= other.members
    transactions &+= other.transactions
    sum = sum.addingReportingOverflow(other.sum).overflow ? .max : sum + other.sum
    between &+= other.between
    digest = (digest.a &+ other.digest.a, digest.b &+ other.digest.b)
  }
  package var isBalanced: Bool { sum == 0 && between >= 0 }
  package var digestText: String { Ledger.digestText(digest) }

  public static func == (a: BackupFigures, b: BackupFigures) -> Bool {
    a.members == b.members && a.transactions == b.transactions && a.sum == b.sum && a.between == b.between
      && a.digest == b.digest
  }
  public func hash(into hasher: inout Hasher) {
    hasher.combine(members)
    hasher.combine(digest.a)
  }

  package func encode(into buffer: inout ByteBuffer) {
    for value in [members, transactions, sum, digest.a, digest.b] { buffer.append(value) }
    buffer.append(UInt64(truncatingIfNeeded: between))
    buffer.append(Int64(truncatingIfNeeded: between >> 64))
  }
  package init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    members = try reader.read()
    transactions = try reader.read()
    sum = try reader.read()
    digest.a = try reader.read()
    digest.b = try reader.read()
    let low: UInt64 = try reader.read()
    between = Int128(try reader.read(Int64.self)) << 64 | Int128(low)
  }
}

extension BackupFigures {
  /// Of a shard's state.
  package init(of ledger: borrowing Ledger) {
    let audit = ledger.auditFigures()
    members = audit.members
    transactions = audit.transactions
    sum = UInt64(clamping: audit.programs.reduce(Int128(0)) { $0 &+ Int128(clamping: $1.sum.magnitude) })
    between = audit.programs.reduce(Int128(0)) { $0 &+ $1[.inTransit] &+ $1[.betweenShards] }
    digest = ledger.digest
  }
}
