import Base
import CommandSupport

@testable import Ledger

/// Draws commands of a small world: a few members, cards and request ids, amounts at their edges.
struct LedgerCommands {
  var mutator: Mutator
  /// Transactions that were made.
  var transactions: [UInt64] = [1 << 48 | 1]
  /// Commands of shards to each other.
  var deliveries: [[UInt8]] = []
  var requests: UInt64 = 0

  init(seed: UInt64) { mutator = Mutator(seed: seed) }

  static let members = [
    "ann", "bob", "cat", "dan", "Eve.With-A_Rather.Long-Name.Of.Sixty-Four.Characters.Or.So.1234567",
  ]
  private mutating func member() -> [UInt8] { text(mutator.pick(LedgerCommands.members)) }
  private mutating func card() -> [UInt8] { mutator.below(4) == 0 ? text("500\(mutator.below(4))") : [] }
  private mutating func request() -> [UInt8] {
    requests += 1
    return text(mutator.below(4) == 0 ? "r\(mutator.below(40))" : "r\(requests)")
  }
  private mutating func points() -> Int64 {
    let most: Int64 = 1_000_000_000_000_000
    return mutator.pick([1, 2, 3, 7, 10, 100, 1_000_000, most / 2, most - 1, most, most, Int64(1 + mutator.below(40))])
  }
  private mutating func context() -> CommandContext { CommandContext(fingerprint: mutator.below(10) == 0 ? 1 : 0) }

  mutating func next() -> [UInt8] {
    if mutator.below(100) == 0 { return mutator.pick(LedgerCommands.deltas) }
    if !deliveries.isEmpty && mutator.below(4) == 0 { return mutator.pick(deliveries) }
    var buffer = ByteBuffer()
    let kind = mutator.below(15)
    let (member, card, request, points, context) = (member(), card(), request(), points(), context())
    let other = self.member()
    let transaction = TransactionID(rawValue: mutator.pick(transactions))
    member.withUnsafeBytes { member in
      card.withUnsafeBytes { card in
        request.withUnsafeBytes { request in
          other.withUnsafeBytes { other in
            build(&buffer, kind, member, card, request, other, points, context, transaction)
          }
        }
      }
    }
    return buffer.array
  }

  private mutating func build(
    _ buffer: inout ByteBuffer, _ kind: Int, _ member: UnsafeRawBufferPointer, _ card: UnsafeRawBufferPointer,
    _ request: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer, _ points: Int64, _ context: CommandContext,
    _ transaction: TransactionID
  ) {
    let merchant = text("cafe")
    let number = text("500\(mutator.below(4))")
    let near = 1_700_000_000_000_000 + Int64(mutator.below(1 << 40))
    let edges: [Int64] = [.min, .min + 1, -1, 0, .max - 1, .max]
    let moment: Int64 = mutator.below(8) == 0 ? mutator.pick(edges) : near
    let at = mutator.below(5) == 0 ? Stamp(microseconds: moment) : nil
    merchant.withUnsafeBytes { merchant in
      switch kind {
      case 0, 1, 2:
        Command.appendEarn(
          to: &buffer, context: context, member: member, card: card, merchant: merchant,
          amount: kind == 0 ? .spend(points) : .points(points), request: request, at: at)
      case 3:
        Command.appendRedeem(
          to: &buffer, context: context, member: member, card: card, merchant: merchant, points: points,
          request: request)
      case 4:
        Command.appendHold(
          to: &buffer, context: context, member: member, merchant: merchant, points: points, request: request,
          ttlSeconds: mutator.pick([1, 900, 2_592_000]))
      case 5:
        Command.appendCapture(
          to: &buffer, context: context, hold: transaction, points: mutator.below(2) == 0 ? nil : points,
          request: request)
      case 6: Command.appendRelease(to: &buffer, context: context, hold: transaction, request: request)
      case 7:
        Command.appendRefund(
          to: &buffer, context: context, of: transaction,
          amount: mutator.pick([.whole, .spend(points), .points(points)]), request: request)
      case 8, 9:
        Command.appendTransfer(
          to: &buffer, context: context, from: member, recipient: other, recipientCard: card, points: points,
          request: request, otherFingerprints: mutator.below(5) == 0 ? [1, 2] : [])
      case 10:
        number.withUnsafeBytes {
          Command.appendMemberAdd(
            to: &buffer, context: context, member: member, name: other, card: mutator.below(2) == 0 ? nil : $0)
        }
      case 11:
        Command.appendMemberState(
          to: &buffer, context: context, member: member,
          change: mutator.pick([.freeze, .thaw, .thaw, .thaw, mutator.below(10) == 0 ? .close : .thaw]))
      case 12:
        number.withUnsafeBytes { Command.appendCardAdd(to: &buffer, context: context, number: $0, member: member) }
      case 13:
        number.withUnsafeBytes {
          Command.appendCardState(
            to: &buffer, context: context, number: $0, change: mutator.pick([.lost, .found, .remove]))
        }
      default:
        if mutator.below(2) == 0 {
          Command.appendTick(to: &buffer, slot: Slot(0))
        } else {
          Command.appendMarker(to: &buffer, slot: Slot(0))
        }
      }
    }
  }

  /// What makes the first two members and gives each so many of the largest purchases.
  static func filling(_ count: Int) -> [[UInt8]] {
    var commands: [[UInt8]] = []
    let merchant = text("cafe")
    for id in members.prefix(2) {
      let id = text(id)
      for number in 0...count {
        var buffer = ByteBuffer()
        let request = text("fill\(number)")
        id.withUnsafeBytes { id in
          merchant.withUnsafeBytes { merchant in
            request.withUnsafeBytes {
              let context = CommandContext(fingerprint: 7)
              if number == 0 { return Command.appendMemberAdd(to: &buffer, context: context, member: id) }
              Command.appendEarn(
                to: &buffer, context: context, member: id, merchant: merchant, amount: .points(1_000_000_000_000_000),
                request: $0)
            }
          }
        }
        commands.append(buffer.array)
      }
    }
    return commands
  }

  /// A question, as bytes.
  mutating func query() -> [UInt8] {
    var buffer = ByteBuffer()
    let (member, card) = (member(), text("500\(mutator.below(4))"))
    let transaction = TransactionID(rawValue: mutator.pick(transactions))
    member.withUnsafeBytes { member in
      card.withUnsafeBytes { card in
        switch mutator.below(6) {
        case 0: Query.appendBalance(to: &buffer, tenant: .first, member: member)
        case 1: Query.appendHistory(to: &buffer, tenant: .first, member: member, limit: 20, before: transaction)
        case 2: Query.appendTransaction(to: &buffer, tenant: .first, transaction: transaction)
        case 3: Query.appendMemberShow(to: &buffer, tenant: .first, member: member)
        case 4: Query.appendCard(to: &buffer, tenant: .first, number: card)
        default:
          Query.appendRequest(
            to: &buffer, tenant: .first, member: member, merchant: nil, request: card, fingerprints: [1, 2])
        }
      }
    }
    return buffer.array
  }

  /// As a catalogue's next deltas, and as its first.
  private static let deltas =
    catalogue()
    + catalogue().map { command in
      var next = command
      next[Command.innerBodyOffset] += 2
      return next
    }

  /// What makes the program `points` and its merchant.
  static func catalogue() -> [[UInt8]] {
    EntryLine.deltas(["PROGRAM SET points earn=1/100 expire=2m", "MERCHANT SET cafe program=points"]).map { delta in
      var buffer = ByteBuffer()
      delta.withUnsafeBytes { Command.appendCatalogue(to: &buffer, slot: Slot(0), delta: $0) }
      return buffer.array
    }
  }
}
