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
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: Ledger.window) { commands in
      var isMore = true
      while isMore {
        var count = 0
        while count < Ledger.window {
          guard let command = try? entry.next() else {
            isMore = false
            break
          }
          commands.initializeElement(at: count, to: command)
          count += 1
        }
        let window = UnsafeBufferPointer(rebasing: commands[0..<count])
        if count > 2 { warmth &+= warm(window) }
        for command in window {
          let start = reply.buffer.count
          let outcome = apply(command, into: &reply)
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
  @inline(never) private func warm(_ commands: UnsafeBufferPointer<UnsafeRawBufferPointer>) -> UInt64 {
    guard members.count > 0 else { return 0 }
    var sum: UInt64 = 0
    withUnsafeTemporaryAllocation(of: Warmth.self, capacity: Ledger.window) { wanted in
      var count = 0
      for command in commands {
        guard let (member, request) = purchaseHashes(command) else { continue }
        wanted.initializeElement(at: count, to: Warmth(member: member, request: request))
        count += 1
      }
      for i in 0..<count {
        let slot = wanted[i].member >> 50
        let next = slot << 48 | (sequences.read(Int(slot)).pointee &+ 1)
        sum &+= memberIndex.firstCell(wanted[i].member) ^ dedupeIndex.firstCell(wanted[i].request)
        sum &+= transactionIndex.firstCell(next)
      }
      for i in 0..<count {
        _ = memberIndex.find(wanted[i].member) { value in
          wanted[i].number = Int(value &- 1)
          return true
        }
      }
      for i in 0..<count {
        let record = members.read(wanted[i].number)
        sum &+= record.pointee.hash ^ record.pointee.lot.expiresAt.bits ^ record.pointee.lot.expired.bits
      }
    }
    return sum
  }
  private struct Warmth: BitwiseCopyable {
    var member: UInt64
    var request: UInt64
    var number = 0
  }
  /// The member's hash and the request's key, of a purchase that is whole as far as they lie.
  private func purchaseHashes(_ command: UnsafeRawBufferPointer) -> (member: UInt64, request: UInt64)? {
    var reader = ByteReader(command)
    guard let header = try? CommandHeader(framed: &reader), header.rawKind >= CommandKind.earn.rawValue,
      header.rawKind <= CommandKind.hold.rawValue, let member = try? reader.readCounted(),
      (try? reader.readCounted()) != nil, let merchant = try? reader.readCounted(),
      (try? reader.readCounted()) != nil, let request = try? reader.readCounted()
    else { return nil }
    let tenant = header.context.tenant
    let hash = Slot.hash(.member, tenant: tenant, id: member)
    let key = RequestKey(
      member: hash, merchant: Catalogue.merchantKey(merchant, tenant), request: request, fingerprint: 0)
    return (hash, key.key)
  }
}

extension Stamp {
  var bits: UInt64 { UInt64(bitPattern: microseconds) }
}
extension Int64 {
  var bits: UInt64 { UInt64(bitPattern: self) }
}
