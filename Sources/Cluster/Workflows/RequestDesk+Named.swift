import Base
import Ledger
import Protocol
import Vocabulary

/// A request that names a member beside the one that it is about: who referred, or who is to have the points of those who leave.
/// It goes on once that member is known to be there. Members are never removed, so what was found stays true.
struct NamedMember {
  var owner: EdgeItem.Owner
  var raw: [UInt8]
  var resolved: RequestDesk.Resolved
  var member: [UInt8]
  /// The key by which it was named.
  var key: StaticString
}

extension RequestDesk {
  /// Asks a named member's shard whether it is there. Until then the connection waits.
  func lookUp(
    named member: [UInt8], by key: StaticString, _ raw: Bytes, _ owner: EdgeItem.Owner, _ client: Client,
    _ resolved: Resolved
  ) {
    client.barrier = true
    let named = NamedMember(owner: owner, raw: Array(raw), resolved: resolved, member: member, key: key)
    let tenant = client.session.tenant
    let context = CommandContext(tenant: tenant, principal: client.session.principal, fingerprint: 0)
    Array("MEMBER SHOW \(String(decoding: member, as: UTF8.self))\n".utf8).withUnsafeBytes { line in
      guard let request = parseAgain(line) else {
        return answerError(owner, .unavailable, "the request was lost at this node; nothing was done")
      }
      let party = request.who(0).id
      let slot = Command.memberSlot(party, tenant: tenant)
      submitInternal(edge.shard(of: slot), flags: .query, continuation: keep(.named(named))) {
        Command.append(request, to: &$0, slot: slot, context: context, party: Command.Party(member: party))
      }
    }
  }
  func namedAnswered(_ named: NamedMember, _ reply: Bytes) {
    let view = RecordView(reply)
    switch view.errorCode {
    case .notFound:
      let name = String(decoding: named.member, as: UTF8.self)
      answerError(named.owner, .notFound, "\(named.key)=: no such member '\(name)'")
    case .unavailable, .busy, .unknown: answer(named.owner, reply)
    default:
      // Also one that is closed, or was merged: that says how it stands, and that it is there.
      var resolved = named.resolved
      resolved.isNamedKnown = true
      route(named.raw, named.owner, resolved)
    }
  }

  /// A `SET` by which members that leave give their points to another: whether that one is looked up first.
  func waitsForHeir(
    _ request: Request, _ raw: Bytes, _ owner: EdgeItem.Owner, _ client: Client, _ resolved: Resolved
  ) -> Bool {
    guard !resolved.isNamedKnown, let heir = RequestDesk.heir(request) else { return false }
    lookUp(named: heir, by: "on-close", raw, owner, client, resolved)
    return true
  }
  private static func heir(_ request: Request) -> [UInt8]? {
    var buffer = ByteBuffer(capacity: 256)
    buffer.append(request.positional(0))
    buffer.append(request.positional(1))
    var reader = ByteReader(buffer.bytes)
    guard let entry = try? EntryRequest(decoding: &reader),
      let field = EntryKind.all.first(where: { $0.number == Int(entry.kind) })?.field("on-close"),
      let said = entry.fields.first(where: { $0.number == field.number }),
      case .transfer(let heir) = ClosingText(said.text)
    else { return nil }
    return heir
  }
}
