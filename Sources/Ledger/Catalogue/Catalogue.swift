import Base
import Rules
import Vocabulary

/// What a shard knows of the entries that it decides by, programs, merchants and policies: a value, changed by versioned deltas
/// alone. The directory decides (`Entries`); each shard applies the same deltas from its own log, so that applying an entry
/// of the log needs that log alone. Programs and merchants are numbered in the order in which they came, the same everywhere
/// and for ever; nothing is removed.
///
/// What an earn asks for lies in flat rows, found by hash: a lookup costs some 10 ns and allocates nothing. Who wants a
/// copy takes `records`: one of the rows would be copied whole by the next change.
public struct Catalogue: Sendable {
  public typealias Bytes = UnsafeRawBufferPointer
  public static let maximumPrograms = 1000
  public static let maximumMerchants = 1_000_000
  static let maximumVersions = Entries.mostVersions + EntryKind.mostAnnounced

  /// All that is not derived.
  public internal(set) var records = CatalogueRecords()
  /// Rises by 1 with each delta.
  public internal(set) var version: UInt32 {
    get { records.version }
    set { records.version = newValue }
  }
  var programs: ChunkedQueue<CatalogueItem> {
    _read { yield records[.program] }
    _modify { yield &records[.program] }
  }
  var merchants: ChunkedQueue<CatalogueItem> {
    _read { yield records[.merchant] }
    _modify { yield &records[.merchant] }
  }
  var policies: ChunkedQueue<CatalogueItem> {
    _read { yield records[.policy] }
    _modify { yield &records[.policy] }
  }
  /// What the hot path reads of each, by number.
  var programRows: [ProgramRow] = []
  var merchantRows: [MerchantRow] = []
  /// By program, what of it is not looked at with each earn.
  var programDetails: [ProgramDetails] = []
  /// All names, end to end; rows refer into it.
  var names: [UInt8] = []
  /// Of each tenant that has programs.
  private var defaults: [TenantDefault] = []
  /// Rows that have to be made anew at later moments, the next one last, and when that is.
  var announced: [Announced] = []
  var nextBeginning = Stamp.never
  var programIndex = NameIndex()
  var merchantIndex = NameIndex()
  /// What names are found by.
  let hashes: KeyedHashes
  /// Of products and of types of cards, and what words of rules are found by.
  var productIndex = NameIndex()
  var cardTypeIndex = NameIndex()
  /// Some merchant is, or was, a dealer without logistics.
  var hasUnserved = false
  /// Some type of cards has a factor.
  var hasCardFactors = false
  var quotaRows: [QuotaRow] = []
  /// Those whose limits have fallen: the ledger takes note at once.
  var lowered: [UInt32] = []
  /// By program: its rules, compiled.
  var ruleSets: [RuleSet] = []
  /// By program; nil: it has no tiers.
  var tierSets: [TierSet?] = []
  /// Programs with rules for birthdays, in their order.
  var birthdayPrograms: [Int] = []

  /// An empty one, which finds names by hashes with that key.
  public init(key: HashKey) { hashes = KeyedHashes(key) }

  enum MerchantState: UInt8, Sendable { case active = 1, frozen = 2, closed = 3 }
  private struct TenantDefault: Sendable {
    var tenant: TenantID
    var program: ProgramRef
  }
  struct ProgramRow: Sendable, BitwiseCopyable {
    /// A stable hash of tenant and name: what digests know the program by.
    var key: UInt64
    /// What it is found by, and what is guessed from.
    var hash: UInt64
    var nameStart: Int
    var nameCount: Int
    var tenant: TenantID
    var mark: UInt32
    var rate: EarnRate
    var terms = HolderTerms()
    var offset: Int64
    var backdate: Int64
    var refundWindow: Int64
    /// It is in force, and not stopped.
    var isActive: Bool
    var refundPolicy = RefundPolicy.debt
    /// It has policies for holders of some classes.
    var hasPolicies = false
    /// Points may be redeemed on some days alone.
    var hasWindows = false
    /// Earning is worked out by rules, or has caps.
    var hasRules = false
    /// It has tiers, or will.
    var hasTiers = false
    var graceDays: Int32 = 7
    var transferLimit: Points = 0
    var claim: Int64
  }
  struct MerchantRow: Sendable, BitwiseCopyable {
    var key: UInt64
    /// What it is found by, and what is guessed from.
    var hash: UInt64
    var nameStart: Int
    var nameCount: Int
    var tenant: TenantID
    var program: ProgramRef
    var mark: UInt32
    var state: MerchantState
    /// It is a dealer without logistics.
    var isUnserved = false
    var parent = MerchantRef.none
    var rate: EarnRate
  }

  static func key(_ name: Bytes, _ tenant: TenantID, _ seed: UInt64) -> UInt64 {
    xxh64(name, seed: UInt64(tenant.rawValue) << 8 | seed)
  }
  @inline(__always) static func programKey(_ name: Bytes, _ tenant: TenantID) -> UInt64 { key(name, tenant, 0x51) }
  @inline(__always) static func merchantKey(_ name: Bytes, _ tenant: TenantID) -> UInt64 { key(name, tenant, 0x52) }

  /// A program; nil if there is none of that name.
  func program(_ name: Bytes, tenant: TenantID) -> ProgramRef? {
    if let place = programIndex.guess(name), isProgram(place, name, tenant) { return ProgramRef(place: place) }
    let hash = hashes.program(name, tenant)
    return programIndex.find(hash) { programRows[$0].hash == hash && isProgram($0, name, tenant) }
      .map { ProgramRef(place: $0) }
  }
  @inline(__always) private func isProgram(_ number: Int, _ name: Bytes, _ tenant: TenantID) -> Bool {
    programRows[number].tenant == tenant && equals(programRows[number].nameStart, programRows[number].nameCount, name)
  }
  /// A merchant; nil if there is none of that name.
  func merchant(_ name: Bytes, tenant: TenantID) -> MerchantRef? {
    if let guessed = guessedMerchant(name, tenant) { return guessed }
    let hash = hashes.merchant(name, tenant)
    return merchantIndex.find(hash) { merchantRows[$0].hash == hash && isMerchant($0, name, tenant) }
      .map { MerchantRef(place: $0) }
  }
  /// Mostly a merchant, in a few instructions: where it is nil, `merchant` knows.
  @inline(__always) func guessedMerchant(_ name: Bytes, _ tenant: TenantID) -> MerchantRef? {
    guard let place = merchantIndex.guess(name), isMerchant(place, name, tenant) else { return nil }
    return MerchantRef(place: place)
  }
  @inline(__always) private func isMerchant(_ number: Int, _ name: Bytes, _ tenant: TenantID) -> Bool {
    merchantRows[number].tenant == tenant
      && equals(merchantRows[number].nameStart, merchantRows[number].nameCount, name)
  }
  @inline(__always) private func equals(_ start: Int, _ count: Int, _ name: Bytes) -> Bool {
    guard count == name.count else { return false }
    return names.withUnsafeBytes { Bytes(rebasing: $0[start..<start &+ count]).hasSameBytes(as: name) }
  }
  /// Gives a name's bytes, in place.
  @inline(__always) func withProgramName<R>(_ program: ProgramRef, _ body: (Bytes) -> R) -> R {
    let row = programRows[program.place]
    return names.withUnsafeBytes { body(Bytes(rebasing: $0[row.nameStart..<row.nameStart + row.nameCount])) }
  }
  @inline(__always) func withMerchantName<R>(_ merchant: MerchantRef, _ body: (Bytes) -> R) -> R {
    let row = merchantRows[merchant.place]
    return names.withUnsafeBytes { body(Bytes(rebasing: $0[row.nameStart..<row.nameStart + row.nameCount])) }
  }

  /// What is meant where neither the request nor the merchant names a program: the one that was last made the tenant's
  /// default, else its first; nil if it has none. O(tenants).
  @inline(__always) func defaultProgram(of tenant: TenantID) -> ProgramRef? {
    for known in defaults where known.tenant == tenant { return known.program }
    return nil
  }
  /// A tenant's programs, by name.
  func programs(of tenant: TenantID) -> [ProgramRef] {
    programRows.indices.filter { programRows[$0].tenant == tenant }
      .sorted { programs[$0].name.lexicographicallyPrecedes(programs[$1].name) }
      .map { ProgramRef(place: $0) }
  }
  /// Every program, in the order in which they came.
  var programRefs: some Sequence<ProgramRef> { (0..<programCount).lazy.map { ProgramRef(place: $0) } }
  // What the hot path asks of a catalogue is inlined: a call would lend it a copy of the whole value.

  /// The rate and the terms in force at a moment (R16), for a holder without policy; before the first version, the first (A7). Without a
  /// moment: those of now.
  @inline(__always) func rule(ofProgram program: ProgramRef, at moment: Stamp?) -> (rate: EarnRate, terms: HolderTerms)
  {
    guard let moment else { return (programRows[program.place].rate, programRows[program.place].terms) }
    return rule(ofProgram: program, then: moment)
  }
  @inline(never) private func rule(ofProgram program: ProgramRef, then moment: Stamp) -> (
    rate: EarnRate, terms: HolderTerms
  ) {
    guard let version = programs[program.place].version(at: moment), let terms = try? ProgramTerms(version.values)
    else {
      return (programRows[program.place].rate, programRows[program.place].terms)
    }
    return (terms.rate, terms.policy.terms())
  }
  /// A merchant's own rate, for points of a program; nil where the program's applies. Without a moment: that of now.
  @inline(__always) func rate(ofMerchant merchant: MerchantRef, program: ProgramRef) -> EarnRate? {
    let own = merchantRows[merchant.place].program
    guard own.isNone || own == program, merchantRows[merchant.place].rate.money != 0 else { return nil }
    return merchantRows[merchant.place].rate
  }
  func rate(ofMerchant merchant: MerchantRef, program: ProgramRef, at moment: Stamp) -> EarnRate? {
    let own = merchantRows[merchant.place].program
    guard own.isNone || own == program, let version = merchants[merchant.place].version(at: moment),
      let terms = try? MerchantTerms(version.values, programCount: programs.count), terms.rate.money != 0
    else { return nil }
    return terms.rate
  }
  /// The longest refund window of all programs, in microseconds.
  var longestRefundWindow: Int64 {
    programRows.reduce(0) { max($0, $1.refundWindow) }
  }

  public var programCount: Int { programs.count }
  public var merchantCount: Int { merchants.count }

  // MARK: Rows

  /// Makes or changes a program's row. Its versions are sound. Throws, and changes nothing, if there are too many.
  mutating func putProgram(_ item: CatalogueItem, at number: Int) throws(MalformedBytes) {
    if number < programs.count {
      programs[number] = item
    } else {
      guard number < Catalogue.maximumPrograms else { throw MalformedBytes("too many programs") }
      programs.append(item)
      let key = item.name.withUnsafeBytes { Catalogue.programKey($0, item.tenant) }
      let hash = item.name.withUnsafeBytes { hashes.program($0, item.tenant) }
      programRows.append(
        ProgramRow(
          key: key, hash: hash, nameStart: names.count, nameCount: item.name.count, tenant: item.tenant,
          mark: item.name.withUnsafeBytes { NameIndex.mark(of: $0) }, rate: .none, offset: 0,
          backdate: 0, refundWindow: 0, isActive: false, claim: .min))
      programDetails.append(ProgramDetails())
      ruleSets.append(RuleSet(seed: hash))
      tierSets.append(nil)
      setCampaigns(ofProgram: number)
      names.append(contentsOf: item.name)
      programIndex.insert(number) { (programRows[$0].hash, programRows[$0].mark) }
    }
    refreshProgram(number)
    announce(item, EntryKind.program, number)
  }
  mutating func refreshProgram(_ number: Int) {
    let item = programs[number]
    guard let version = item.version(at: records.moment), let terms = try? ProgramTerms(version.values) else { return }
    programRows[number].rate = terms.rate
    programRows[number].terms = terms.policy.terms()
    programRows[number].offset = terms.offset
    programRows[number].backdate = terms.backdate
    programRows[number].refundWindow = terms.refundWindow
    programRows[number].isActive = terms.isActive && item.isInForce(at: records.moment)
    programRows[number].refundPolicy = terms.refundPolicy
    programRows[number].graceDays = terms.graceDays
    programRows[number].transferLimit = terms.transferLimit
    programRows[number].hasWindows = !terms.windows.isEmpty
    programDetails[number].windows = terms.windows
    programDetails[number].combination = terms.combination
    noteCaps(item, ofProgram: number)
    programDetails[number].closing = terms.policy.closing ?? .lapse
    programRows[number].claim = item.isInForce(at: records.moment) ? terms.claim : .min
    noteDefault(of: item.tenant)
  }
  /// The default is the program that was made it last, else the first.
  private mutating func noteDefault(of tenant: TenantID) {
    let own = programRows.indices.filter { programRows[$0].tenant == tenant }
    guard let first = own.first else { return }
    let best = own.reduce(first) { programRows[$1].claim > programRows[$0].claim ? $1 : $0 }
    if let i = defaults.firstIndex(where: { $0.tenant == tenant }) {
      defaults[i].program = ProgramRef(place: best)
    } else {
      defaults.append(TenantDefault(tenant: tenant, program: ProgramRef(place: best)))
    }
  }
  /// Makes or changes a merchant's row. Its versions are sound. Throws, and changes nothing, if there are too many.
  mutating func putMerchant(_ item: CatalogueItem, at number: Int) throws(MalformedBytes) {
    if number < merchants.count {
      merchants[number] = item
    } else {
      guard number < Catalogue.maximumMerchants else { throw MalformedBytes("too many merchants") }
      merchants.append(item)
      let key = item.name.withUnsafeBytes { Catalogue.merchantKey($0, item.tenant) }
      let hash = item.name.withUnsafeBytes { hashes.merchant($0, item.tenant) }
      merchantRows.append(
        MerchantRow(
          key: key, hash: hash, nameStart: names.count, nameCount: item.name.count, tenant: item.tenant,
          program: .none, mark: item.name.withUnsafeBytes { NameIndex.mark(of: $0) }, state: .active, rate: .none))
      names.append(contentsOf: item.name)
      merchantIndex.insert(number) { (merchantRows[$0].hash, merchantRows[$0].mark) }
    }
    refreshMerchant(number)
    announce(item, EntryKind.merchant, number)
  }
  mutating func refreshMerchant(_ number: Int) {
    let item = merchants[number]
    guard let version = item.version(at: records.moment),
      let terms = try? MerchantTerms(version.values, programCount: programs.count)
    else { return }
    merchantRows[number].program = terms.program
    merchantRows[number].state = item.isInForce(at: records.moment) ? terms.state : .closed
    merchantRows[number].rate = terms.rate
    merchantRows[number].parent = terms.parent
    merchantRows[number].isUnserved = terms.isUnserved
    if terms.isUnserved { hasUnserved = true }
  }
}

/// Numbers by the hash of a name: open addressing, at most half full.
///
/// Most names are asked for again and again, and their keyed hash is most of what finding one costs. So each number also
/// stands, alone, in a cell that a few of its name's bytes choose: where it mostly still is, unless another's has taken its
/// place. Who chooses names to share cells gains nothing but that the hash is made.
struct NameIndex: Sendable {
  private(set) var cells = [UInt32](repeating: 0, count: 16)
  /// As many, by `mark`.
  private var guesses = [UInt32](repeating: 0, count: 16)
  private var count = 0

  /// The number to look at first; the caller compares its name.
  @inline(__always) func guess(_ name: UnsafeRawBufferPointer) -> Int? {
    let cell = guesses[Int(NameIndex.mark(of: name)) & (guesses.count &- 1)]
    return cell == 0 ? nil : Int(cell) &- 1
  }
  /// Made of a name's length, first and last bytes.
  @inline(__always) static func mark(of name: UnsafeRawBufferPointer) -> UInt32 {
    guard let start = name.baseAddress, name.count >= 4 else { return UInt32(name.count) }
    let first = UInt64(UInt32(littleEndian: start.loadUnaligned(as: UInt32.self)))
    let last = UInt64(
      UInt32(littleEndian: start.loadUnaligned(fromByteOffset: name.count &- 4, as: UInt32.self)))
    let mixed = (last &+ first &<< 32 &+ UInt64(name.count)) &* 0x9E37_79B9_7F4A_7C15
    return UInt32(truncatingIfNeeded: mixed &>> 32)
  }

  @inline(__always) func find(_ hash: UInt64, _ matches: (Int) -> Bool) -> Int? {
    let mask = cells.count &- 1
    var at = Int(truncatingIfNeeded: hash) & mask
    while cells[at] != 0 {
      let number = Int(cells[at]) &- 1
      if matches(number) { return number }
      at = (at &+ 1) & mask
    }
    return nil
  }
  /// Adds a number; `key` gives any number's hash and its mark.
  mutating func insert(_ number: Int, key: (Int) -> (hash: UInt64, mark: UInt32)) {
    if (count + 1) * 2 > cells.count {
      let old = cells
      cells = [UInt32](repeating: 0, count: old.count * 2)
      guesses = cells
      for cell in old where cell != 0 { place(key(Int(cell) - 1), cell) }
    }
    place(key(number), UInt32(number + 1))
    count += 1
  }
  private mutating func place(_ key: (hash: UInt64, mark: UInt32), _ cell: UInt32) {
    let mask = cells.count - 1
    var at = Int(truncatingIfNeeded: key.hash) & mask
    while cells[at] != 0 { at = (at + 1) & mask }
    cells[at] = cell
    guesses[Int(key.mark) & mask] = cell
  }
}
