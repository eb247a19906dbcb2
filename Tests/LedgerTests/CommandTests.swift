import Base
import Testing

@testable import CommandSupport
@testable import Ledger
@testable import Vocabulary

/// Commands as bytes: what the encoder writes of a verb's row is what a `Call` reads.
@Suite struct CommandTests {
  typealias Bytes = UnsafeRawBufferPointer
  static let context = CommandContext(tenant: TenantID(7), principal: PrincipalID(8), fingerprint: 9)
  static let slot = Slot(77)
  private static let scopeOffset = CommandHeader.bodyOffset - 1
  static func bytes<R>(_ text: String, _ body: (Bytes) throws -> R) rethrows -> R {
    try Array(text.utf8).withUnsafeBytes { try body($0) }
  }
  static func read(_ command: [UInt8]) -> String {
    command.withUnsafeBytes { bytes in
      do throws(MalformedBytes) { return "\(try Call(bytes).verb)" } catch { return error.description }
    }
  }

  /// Of every verb that goes to a shard, with every value that it may have.
  @Test func everyVerbIsReadAsItWasWritten() throws {
    let text = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 1)
    defer { text.deallocate() }
    text.copyBytes(from: Array("ann-card".utf8))
    let one = Bytes(rebasing: text[0..<3])
    let card = Bytes(rebasing: text[4..<8])
    let tx = TransactionID(slot: Self.slot, sequence: 5)
    let rows = VerbSpec.table.filter { ![.directory, .node, .connection, .inner].contains($0.route) }
    #expect(rows.count == 49)
    for row in rows {
      let values = Self.values(row)
      var draft = Draft(row.verb)
      for (place, argument) in row.arguments.enumerated() where argument.key == nil {
        if argument.shape == .transaction { draft.set(place, tx) } else { draft.set(place, one) }
      }
      for argument in values {
        guard let key = argument.key else { continue }
        switch argument.shape.wire {
        case .number: draft.set(key, Self.number(argument.shape))
        case .transaction: draft.set(key, Int64(bitPattern: tx.rawValue))
        default: draft.set(key, one)
        }
      }
      var buffer = ByteBuffer()
      let isMember = row.route == .member
      draft.append(
        to: &buffer, Self.slot, Self.context, isMember ? Command.Party(member: one, card: card) : nil,
        recipient: Command.Party(member: one), otherFingerprints: [3, 4])
      let call = try Call(buffer.bytes)
      #expect(call.verb == row.verb && call.tenant == TenantID(7) && call.context.fingerprint == 9, "\(row.words)")
      #expect(call.otherFingerprints.count == 16 && call.facts.isEmpty)
      if row.route == .transaction { #expect(call.transaction == tx) }
      if isMember { #expect(call.party.elementsEqual(one) && call.card.elementsEqual(card), "\(row.words)") }
      if row.route == .card || row.route == .cardIfGiven { #expect(call.card.elementsEqual(one), "\(row.words)") }
      for argument in values where argument.part == .value {
        guard let key = argument.key else { continue }
        switch argument.shape.wire {
        case .number: #expect(call.number(key) == Self.number(argument.shape), "\(row.words) \(key)")
        case .transaction: #expect(call.transaction(key) == tx)
        default: #expect(call.text(key).elementsEqual(one), "\(row.words) \(key)")
        }
      }
      let whole = buffer.array
      for end in 0..<whole.count { #expect(Self.read(Array(whole[..<end])) != "\(row.verb)") }
      for scope in UInt8(0)...4 where scope != whole[Self.scopeOffset] {
        var other = whole
        other[Self.scopeOffset] = scope
        #expect(Self.read(other) != "\(row.verb)", "\(row.words) of scope \(scope)")
      }
    }
  }
  /// All of a verb's keys, but one of those that exclude each other.
  static func values(_ row: VerbSpec) -> [Argument] {
    let choices = row.arguments.filter { $0.need == .oneOf || $0.need == .atMostOne }
    return row.arguments.filter { argument in
      argument.key != nil
        && (argument.need == .required || argument.need == .optional || argument.key == choices[0].key)
    }
  }
  static func number(_ shape: Shape) -> Int64 { shape.range.map { $0.upperBound - 1 } ?? 12 }

  /// It stands in every log, so its length is watched.
  @Test func aPurchaseTakesNoMoreThanItsContentAndThirtyBytes() throws {
    var buffer = ByteBuffer()
    Self.bytes("ann") { member in
      Self.bytes("shop") { merchant in
        Self.bytes("r-1") {
          Command.appendEarn(
            to: &buffer, context: Self.context, member: member, merchant: merchant, amount: .spend(1250), request: $0)
        }
      }
    }
    #expect(buffer.count == 4 + CommandHeader.size + (1 + 3) + 1 + (1 + 4) + (1 + 3) + 1 + 2)
  }

  @Test func whatNoRowHasIsRefused() throws {
    func command(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
      var buffer = ByteBuffer()
      Self.bytes("ann") { member in
        Self.bytes("shop") {
          Command.appendRedeem(
            to: &buffer, context: Self.context, member: member, merchant: $0, points: 5, request: member)
        }
      }
      var bytes = buffer.array
      change(&bytes)
      bytes[0] = UInt8(bytes.count - 4)
      return bytes
    }
    func refusal(_ change: (inout [UInt8]) -> Void) -> String { Self.read(command(change)) }
    #expect(refusal { _ in } == "redeem")
    #expect(refusal { $0[4] = 250 } == "verb 250 is not known")
    #expect(refusal { $0[4] = 78 } == "PING has not the values that it needs")
    #expect(refusal { $0[$0.count - 1] = 0 } == "points must be a whole number from 1 to 1000000000000000")
    #expect(refusal { $0[$0.count - 2] = 0 } == "REDEEM has not the values that it needs")
    #expect(refusal { $0 += [9, 0] } == "a command has bytes left over")
    #expect(refusal { $0[Self.scopeOffset] = 9 } == "a scope of unknown kind")
    #expect(refusal { $0[Self.scopeOffset] = ScopeKind.card.rawValue } == "REDEEM is not about whom it says")
    #expect(refusal { $0[$0.count - 3] = 0x20 } == "id must be 1 to 64 of A-Za-z0-9._-")
  }

  /// What no parser lets through, and a peer may send all the same.
  @Test func valuesThatAreNoneOfTheirShapeAreRefused() {
    func refusal(_ verb: Verb, recipient: String = "ben", _ change: (inout Draft) -> Void) -> String {
      var draft = Draft(verb)
      change(&draft)
      var buffer = ByteBuffer()
      Self.bytes("ann") { member in
        Self.bytes(recipient) {
          draft.append(
            to: &buffer, Self.slot, Self.context, Command.Party(member: member), recipient: Command.Party(member: $0))
        }
      }
      return Self.read(buffer.array)
    }
    func redeem(_ program: String) -> String {
      Self.bytes(program) { program in
        Self.bytes("r-1") { id in
          refusal(.redeem) {
            $0.set(.merchant, id)
            $0.set(.id, id)
            $0.set(.points, 5)
            $0.set(.program, program)
          }
        }
      }
    }
    #expect(redeem("gold") == "redeem" && redeem("a b") == "program must be 1 to 64 of A-Za-z0-9._-")
    func note(_ count: Int) -> String {
      Self.bytes(String(repeating: "x", count: count)) { text in
        refusal(.memberNote) {
          $0.set(.kind, Bytes(rebasing: text[..<1]))
          $0.set(.text, text)
        }
      }
    }
    #expect(note(1_024) == "memberNote" && note(1_025).hasPrefix("text must be UTF-8 text of at most 1024 bytes"))
    func transfer(to recipient: String) -> String {
      Self.bytes("r-1") { id in
        refusal(.transfer, recipient: recipient) {
          $0.set(.id, id)
          $0.set(.points, 5)
        }
      }
    }
    #expect(transfer(to: "ben") == "transfer" && transfer(to: "a b").contains(" must be "))
    func history(before slot: UInt64) -> String {
      refusal(.history) { $0.set(.before, Int64(bitPattern: slot << 48 | 5)) }
    }
    let end = UInt64(Slot.count)
    #expect(history(before: end - 1) == "history" && history(before: end).hasPrefix("before must be "))
  }
}
