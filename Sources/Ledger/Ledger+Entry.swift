import Base

extension Ledger {
  /// Applies a whole entry: opens it, applies its commands in order, ends it. `each` is told the place of a command, its
  /// outcome, and how many bytes of `reply` were in use before it: what it wrote stands behind. A payload that cannot be
  /// read on is left where it breaks, the commands before it being applied: the same on every replica.
  ///
  /// Cheaper than a command at a time: what the next commands need is fetched side by side (`warm`).
  public mutating func apply(
    payload: UnsafeRawBufferPointer, index: LogIndex, into reply: inout ReplyWriter,
    each: (_ place: Int, _ outcome: Outcome, _ start: Int, _ reply: inout ReplyWriter) -> Void
  ) {
    var cursor = begin(payload: payload, index: index)
    var work = Int.max
    _ = apply(payload, from: &cursor, until: .max, work: &work, into: &reply, each: each)
  }

  /// Opens a whole entry, to be applied in steps. Between steps the ledger is in the midst of it: no snapshot can begin, no
  /// journal be taken, and what is read is of a moment that other replicas need not have.
  public mutating func begin(payload: UnsafeRawBufferPointer, index: LogIndex) -> EntryCursor {
    guard let entry = try? EntryReader(payload) else {
      beginEntry(EntryHeader(stamp: .zero, catalogueVersion: 0, commandCount: 0), index: index)
      return EntryCursor(offset: payload.count, left: 0)
    }
    beginEntry(entry.header, index: index)
    return EntryCursor(offset: EntryHeader.size, left: entry.header.commandCount)
  }

  /// Applies commands of an open entry from `cursor` on: up to the place `limit`, or until `work` is used up, of which each
  /// command takes what `CommandHeader.work` says; the last may take more than is left, and one is applied in any case. The
  /// state after the entry is the same however it is cut.
  /// - Returns: the entry is over: its last command was applied, and it is closed.
  public mutating func apply(
    _ payload: UnsafeRawBufferPointer, from cursor: inout EntryCursor, until limit: Int, work: inout Int,
    into reply: inout ReplyWriter,
    each: (_ place: Int, _ outcome: Outcome, _ start: Int, _ reply: inout ReplyWriter) -> Void
  ) -> Bool {
    withUnsafeTemporaryAllocation(of: Fetched.self, capacity: Ledger.window) { commands in
      repeat {
        var count = 0
        while count < Ledger.window, cursor.place + count < limit, count == 0 || work > 0 {
          guard let command = cursor.next(in: payload) else { break }
          work -= CommandHeader.work(of: command)
          commands.initializeElement(at: count, to: Fetched(command: command))
          count += 1
        }
        if count > 2 { warmth &+= warm(UnsafeMutableBufferPointer(rebasing: commands[0..<count])) }
        for i in 0..<count {
          let start = reply.buffer.count
          let outcome = apply(commands[i].command, commands[i].hashes, into: &reply)
          guard core.faults.isEmpty else {
            cursor.left = 0
            break
          }
          each(cursor.place, outcome, start, &reply)
          cursor.place += 1
        }
      } while work > 0 && cursor.place < limit && cursor.isMore
    }
    guard !cursor.isMore else { return false }
    endEntry()
    return true
  }
  private static var window: Int { 24 }

  /// Loads what requests of members among the commands are going to read: index cells first, then the members' records. Each load
  /// waits for memory some 100 ns; side by side, with no branch that depends on one, they wait together. Decides nothing;
  /// the sum only keeps the loads alive.
  @inline(never) private func warm(_ commands: UnsafeMutableBufferPointer<Fetched>) -> UInt64 {
    var sum: UInt64 = 0
    for i in commands.indices {
      guard let hashes = requestHashes(commands[i].command) else { continue }
      commands[i].hashes = hashes
      guard tables.members.count > 0 else { continue }
      let slot = UInt64(hashes.key.slot.rawValue)
      let next = TransactionID(rawValue: slot << 48 | (tables.sequences.read(Ref(place: Int(slot))).pointee.last &+ 1))
      sum &+= tables.members.firstCell(hashes.party) ^ tables.dedupe.firstCell(hashes.key.low)
      sum &+= tables.transactions.firstCell(self.hashes.number(next))
    }
    guard tables.members.count > 0 else { return sum }
    for i in commands.indices {
      guard let hashes = commands[i].hashes else { continue }
      if let member = tables.members.candidate(hashes.party) { commands[i].member = member }
    }
    for i in commands.indices {
      let record = tables.members.read(commands[i].member)
      sum &+= record.pointee.hash ^ record.pointee.lot.expiresAt.bits ^ record.pointee.lot.expired.bits
    }
    return sum
  }
  /// A command of the window, and what is known of it beforehand.
  private struct Fetched: BitwiseCopyable {
    var command: UnsafeRawBufferPointer
    /// Of a member's request.
    var hashes: RequestHashes?
    /// The member, or any other.
    var member = Ref<MemberRecord>(place: 0)
  }
  /// The hashes of a member's request, if the command is whole as far as what they are made of lies.
  private func requestHashes(_ command: UnsafeRawBufferPointer) -> RequestHashes? {
    var reader = ByteReader(command)
    guard let header = try? CommandHeader(framed: &reader), header.scope == .member,
      let member = try? reader.readCounted(), (try? reader.readCounted()) != nil,
      let merchant = try? reader.readCounted(), let request = try? reader.readCounted(), request.count > 0
    else { return nil }
    return requestHashes(member, merchant, request, header.context, header.slot)
  }
  /// Out of line, and here: a call of the catalogue's would be lent a copy of it, also where it is not made.
  @inline(never) private func merchantNumber(_ name: Bytes, _ tenant: TenantID) -> MerchantRef? {
    catalogue.merchant(name, tenant: tenant)
  }
  @inline(__always) func requestHashes(
    _ member: Bytes, _ merchant: Bytes, _ request: Bytes, _ context: CommandContext, _ slot: Slot
  ) -> RequestHashes {
    let scope = hashes.member(member, context.tenant)
    var number = MerchantRef.none
    if merchant.count > 0 {
      number =
        catalogue.guessedMerchant(merchant, context.tenant) ?? merchantNumber(merchant, context.tenant) ?? .unknown
    }
    return RequestHashes(
      party: scope.finishedLow(),
      key: RequestKey(scope, merchant: number, request, fingerprint: context.fingerprint, slot: slot),
      merchant: number)
  }
}

/// Where an entry that is being applied goes on.
public struct EntryCursor: BitwiseCopyable, Sendable {
  /// Of the next command in the payload.
  public var offset: Int
  /// Commands that have not been fetched, as far as the entry's header says.
  public var left: UInt32
  /// How many have been applied.
  public var place = 0

  public init(offset: Int, left: UInt32) {
    self.offset = offset
    self.left = left
  }
  /// There is another command, as far as is known.
  var isMore: Bool { left > 0 }

  /// The next command; nil at the end, or where the payload breaks off.
  mutating func next(in payload: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard left > 0 else { return nil }
    guard payload.count - offset >= 4 else {
      left = 0
      return nil
    }
    let count = Int(UInt32(littleEndian: payload.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    guard count >= CommandHeader.size, count <= Command.maximumByteCount, count <= payload.count - offset - 4 else {
      left = 0
      return nil
    }
    defer {
      offset += 4 + count
      left -= 1
    }
    return UnsafeRawBufferPointer(rebasing: payload[offset..<offset + 4 + count])
  }
}

extension Stamp {
  var bits: UInt64 { UInt64(bitPattern: microseconds) }
}
