import Base
import Ledger
import Protocol
import Vocabulary

/// `MEMBER ADD * region=R id=…`: the member gets an id whose slot belongs to a shard that is led from region R. Two steps: the id is chosen
/// here, and kept under the request's id at a slot of its own, the first choice for good; then that member is added, by the same request. So
/// the same again gives the same id, whoever leads by then, and finishes what a crash left between the two.
struct MintRequest {
  var owner: EdgeItem.Owner
  var raw: [UInt8]
  /// The member that it names as referrer: the request as it came may have an alias there.
  var referrer: [UInt8]
}

extension RequestDesk {
  static func isMinted(_ request: Request) -> Bool {
    request.verb == .memberAdd && request.positional(0).elementsEqual("*".utf8)
  }
  func mint(_ request: Request, _ raw: Bytes, _ owner: EdgeItem.Owner, _ client: Client) {
    guard let region = request.text(.region), let id = request.text(.id) else {
      return answerError(owner, .malformed, "MEMBER ADD * mints an id: it needs region= and id=")
    }
    client.barrier = true
    let tenant = client.session.tenant
    let ids = MintedIDs(key: hashKey, tenant: tenant, region: region, request: id)
    let candidate = candidate(of: ids, tenant, in: String(decoding: region, as: UTF8.self)) ?? ""
    let context = CommandContext(
      tenant: tenant, principal: client.session.principal, fingerprint: request.fingerprint(hashKey))
    let continuation = keep(
      .mint(MintRequest(owner: owner, raw: Array(raw), referrer: request.text(.referrer).map(Array.init) ?? [])))
    let slot = ids.slot
    submitInternal(edge.shard(of: slot), flags: .repeatable, continuation: continuation) { buffer in
      Array(ids.scope.utf8).withUnsafeBytes { scope in
        Array(candidate.utf8).withUnsafeBytes { candidate in
          Command.appendMint(to: &buffer, slot: slot, context: context, scope: scope, request: id, candidate: candidate)
        }
      }
    }
  }
  /// The first that lies in a shard which is led from a region; nil: none does.
  private func candidate(of ids: MintedIDs, _ tenant: TenantID, in region: String) -> String? {
    guard let topology = membership.topology else { return nil }
    let near = Set(topology.nodes.filter { $0.region == region }.map(\.id))
    let led = Set(topology.shards.map(\.shard).filter { isLed($0) && near.contains(edge.leader(of: $0).node) })
    guard !led.isEmpty else { return nil }
    return (0..<MintedIDs.most).lazy.map { ids.candidate($0) }.first { candidate in
      Array(candidate.utf8).withUnsafeBytes { led.contains(edge.shard(of: Command.memberSlot($0, tenant: tenant))) }
    }
  }

  func minted(_ mint: MintRequest, _ reply: Bytes) {
    guard let member = RecordView(reply).text(.member) else { return answer(mint.owner, reply) }
    guard let client = client(of: mint.owner) else { return }
    mint.raw.withUnsafeBytes { raw in
      guard let request = parseAgain(raw) else {
        return answerError(mint.owner, .unavailable, "the request was lost at this node; nothing was done")
      }
      let tenant = client.session.tenant
      let card = request.bytes(at: request.rule.pointee.card)
      let slot = card.isEmpty ? Command.memberSlot(member, tenant: tenant) : Command.cardSlot(card, tenant: tenant)
      let context = CommandContext(
        tenant: tenant, principal: client.session.principal, fingerprint: request.fingerprint(hashKey, member))
      let continuation = keep(.mintedAdded(mint.owner, member: Array(member)))
      mint.referrer.withUnsafeBytes { referrer in
        request.replace(.referrer, by: referrer)
        submitInternal(edge.shard(of: slot), flags: .repeatable, continuation: continuation) {
          Command.append(
            request, to: &$0, slot: slot, context: context, party: Command.Party(member: member, card: card))
        }
      }
    }
  }
  func mintedAdded(_ owner: EdgeItem.Owner, _ member: [UInt8], _ reply: Bytes) {
    guard RecordView(reply).tag == .ok else { return answer(owner, reply) }
    answer(owner) { reply in
      reply.record()
      member.withUnsafeBytes { reply.field(.member, $0) }
    }
  }
}

/// Ids for one request, in the order in which they are tried: keyed hashes, which nobody can foresee or choose.
struct MintedIDs {
  private let seed: UInt64
  /// What the request's id is scoped to: tenant and region.
  let scope: String
  /// Where it is decided which it is.
  let slot: Slot

  /// So many are tried: of them one lies in a shard of the region, if that leads but a few hundredths of a percent of the slots.
  static let most = 16_384

  init(key: HashKey, tenant: TenantID, region: UnsafeRawBufferPointer, request: UnsafeRawBufferPointer) {
    var hash = SipHash(wide: key)
    hash.absorb(UInt64(Verb.memberMint.rawValue) | UInt64(tenant.rawValue) &<< 32)
    hash.absorb(region, tag: 1)
    let (low, high) = hash.finishedWide()
    scope = "mint-" + NodeID(low).hex + NodeID(high).hex
    hash.absorb(request, tag: 2)
    seed = hash.finishedWide().0
    slot = Slot(hash: seed)
  }
  func candidate(_ number: Int) -> String {
    var state = seed &+ UInt64(number + 1) &* 0x9E37_79B9_7F4A_7C15
    state = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    state = (state ^ state >> 27) &* 0x94D0_49BB_1331_11EB
    return "m" + NodeID(state ^ state >> 31).hex
  }
}
