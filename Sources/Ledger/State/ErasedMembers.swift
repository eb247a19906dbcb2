import Base
import Vocabulary

/// Who was erased, and when last: what a state before that still has, a restore of it erases again. See docs/backup.md.
///
/// As text a line each, in order: `TENANT MEMBER MICROSECONDS`; one that begins with `#` says nothing.
public struct ErasedMembers: Hashable, Sendable {
  public struct Key: Hashable, Comparable, Sendable {
    var tenant: TenantID
    var member: [UInt8]
    public static func < (a: Key, b: Key) -> Bool {
      a.tenant == b.tenant
        ? a.member.lexicographicallyPrecedes(b.member) : a.tenant.rawValue < b.tenant.rawValue
    }
  }
  private var stamps: [Key: Stamp] = [:]

  public init() {}
  public var isEmpty: Bool { stamps.isEmpty }
  public var count: Int { stamps.count }
  /// Of who is in it twice the later counts.
  public mutating func add(_ tenant: TenantID, _ member: [UInt8], at stamp: Stamp) {
    let key = Key(tenant: tenant, member: member)
    stamps[key] = max(stamps[key] ?? .zero, stamp)
  }
  public mutating func add(_ other: ErasedMembers) {
    for (key, stamp) in other.stamps { stamps[key] = max(stamps[key] ?? .zero, stamp) }
  }
  /// Those that were erased behind a moment.
  public func since(_ moment: Stamp) -> ErasedMembers {
    var later = ErasedMembers()
    later.stamps = stamps.filter { $0.value > moment }
    return later
  }
  var sorted: [(key: Key, at: Stamp)] { stamps.map { ($0.key, $0.value) }.sorted { $0.key < $1.key } }
  func has(_ tenant: TenantID, _ member: UnsafeRawBufferPointer) -> Bool {
    stamps[Key(tenant: tenant, member: Array(member))] != nil
  }

  public var text: String {
    sorted.reduce(into: "# erased members: tenant, member, microseconds since 1970\n") { text, one in
      text += "\(one.key.tenant.rawValue) \(String(decoding: one.key.member, as: UTF8.self)) \(one.at.microseconds)\n"
    }
  }
  /// Throws which line cannot be read.
  public init(text: String) throws(MalformedBytes) {
    for (place, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count == 3, let tenant = UInt32(words[0]), let at = Int64(words[2]), at > 0,
        Array(words[1].utf8).withUnsafeBytes({ $0.isIdentifier })
      else {
        throw MalformedBytes("line \(place + 1) of the list of erased members is none: TENANT MEMBER MICROSECONDS")
      }
      add(TenantID(tenant), Array(words[1].utf8), at: Stamp(microseconds: at))
    }
  }
}

extension Ledger {
  /// Members of this shard that were erased. O(members).
  public func erasedMembers() -> ErasedMembers {
    var list = ErasedMembers()
    tables.members.forEach { _, member in
      guard member.pointee.isUsed, member.pointee.file != .none else { return }
      let at = tables.files.read(member.pointee.file).pointee.erasedAt
      if at > .zero { list.add(member.pointee.tenant, Array(memberID(member)), at: at) }
    }
    return list
  }

  /// Erases what a state has of members that were erased after it: what is personal of those that are here, and all of their aliases whose
  /// slots are. No entry does that: only for a state that no group has begun with. An alias that is being changed just then, or whose
  /// member's erasure is, stays as it is. Throws in the midst of an entry. O(members listed + aliases).
  public mutating func erase(_ list: ErasedMembers) throws(BrokenInvariant) {
    guard !core.isInEntry else {
      throw BrokenInvariant(description: "members are to be erased in the midst of an entry")
    }
    core.isInEntry = true
    defer { core.isInEntry = false }
    for (key, at) in list.sorted {
      let found = key.member.withUnsafeBytes { findMember($0, tenant: key.tenant) }
      guard let member = found, erasure(of: member) == .none else { continue }
      for alias in erasePersonal(of: member) { alias.withUnsafeBytes { dropCard($0, of: member) } }
      setErasure(of: member, at: max(at, tables.files.read(openFile(ofMember: member)).pointee.erasedAt), .none)
    }
    var entries: [Ref<CardEntryRecord>] = []
    tables.cardEntries.forEach { place, entry in
      if entry.pointee.isUsed, entry.pointee.member != 0 || entry.pointee.former != 0 { entries.append(place) }
    }
    for place in entries { eraseEntry(place, list) }
  }
  private mutating func eraseEntry(_ place: Ref<CardEntryRecord>, _ list: ErasedMembers) {
    let entry = tables.cardEntries.read(place)
    guard entry.pointee.pending == .none else { return }
    let tenant = entry.pointee.tenant
    if entry.pointee.member != 0, list.has(tenant, tables.texts.read(entry.pointee.member)) {
      return removeEntry(place)
    }
    var former: [[UInt8]] = []
    forEachFormerHolder(entry) { _, member in if list.has(tenant, member) { former.append(Array(member)) } }
    for member in former { member.withUnsafeBytes { dropFormer($0, place) } }
  }
}
