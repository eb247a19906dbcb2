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
    guard var entry = try? EntryReader(payload) else {
      beginEntry(EntryHeader(stamp: .zero, catalogueVersion: 0, commandCount: 0), index: index)
      endEntry()
      return
    }
    beginEntry(entry.header, index: index)
    var place = 0
    withUnsafeTemporaryAllocation(of: Fetched.self, capacity: Ledger.window) { commands in
      var isMore = true
      while isMore {
        var count = 0
        while count < Ledger.window {
          guard let command = try? entry.next() else {
            isMore = false
            break
          }
          commands.initializeElement(at: count, to: Fetched(command: command))
          count += 1
        }
        if count > 2 { warmth &+= warm(UnsafeMutableBufferPointer(rebasing: commands[0..<count])) }
        for i in 0..<count {
          let start = reply.buffer.count
          let outcome = apply(commands[i].command, commands[i].hashes, into: &reply)
          guard core.faults.isEmpty else {
            isMore = false
            break
          }
          each(place, outcome, start, &reply)
          place += 1
        }
      }
    }
    endEntry()
  }
  private static var window: Int { 24 }

  /// Loads what purchases among the commands are going to read: index cells first, then the members' records. Each load
  /// waits for memory some 100 ns; side by side, with no branch that depends on one, they wait together. Decides nothing;
  /// the sum only keeps the loads alive.
  @inline(never) private func warm(_ commands: UnsafeMutableBufferPointer<Fetched>) -> UInt64 {
    var sum: UInt64 = 0
    for i in commands.indices {
      guard let hashes = purchaseHashes(commands[i].command) else { continue }
      commands[i].hashes = hashes
      guard members.count > 0 else { continue }
      let slot = hashes.member >> 50
      let next = slot << 48 | (sequences.read(Int(slot)).pointee &+ 1)
      sum &+= memberIndex.firstCell(hashes.member) ^ dedupeIndex.firstCell(hashes.key)
      sum &+= transactionIndex.firstCell(next)
    }
    guard members.count > 0 else { return sum }
    for i in commands.indices {
      guard let hashes = commands[i].hashes else { continue }
      _ = memberIndex.find(hashes.member) { value in
        commands[i].number = Int(value &- 1)
        return true
      }
    }
    for i in commands.indices {
      let record = members.read(commands[i].number)
      sum &+= record.pointee.hash ^ record.pointee.lot.expiresAt.bits ^ record.pointee.lot.expired.bits
    }
    return sum
  }
  /// A command of the window, and what is known of it beforehand.
  private struct Fetched: BitwiseCopyable {
    var command: UnsafeRawBufferPointer
    /// Of a purchase.
    var hashes: PurchaseHashes?
    /// The member's number, or any other.
    var number = 0
  }
  /// The hashes of a purchase that is whole as far as what they are made of lies.
  private func purchaseHashes(_ command: UnsafeRawBufferPointer) -> PurchaseHashes? {
    var reader = ByteReader(command)
    guard let header = try? CommandHeader(framed: &reader), header.rawKind >= CommandKind.earn.rawValue,
      header.rawKind <= CommandKind.hold.rawValue, let member = try? reader.readCounted(),
      (try? reader.readCounted()) != nil, let merchant = try? reader.readCounted(),
      (try? reader.readCounted()) != nil, let request = try? reader.readCounted()
    else { return nil }
    let tenant = header.context.tenant
    return PurchaseHashes(
      member: Slot.hash(.member, tenant: tenant, id: member), merchant: Catalogue.merchantKey(merchant, tenant),
      request: request)
  }
}

extension Stamp {
  var bits: UInt64 { UInt64(bitPattern: microseconds) }
}
extension Int64 {
  var bits: UInt64 { UInt64(bitPattern: self) }
}
