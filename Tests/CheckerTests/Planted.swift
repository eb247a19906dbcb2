import Base
import Checker

/// One error put into a true history of which every answer has its balance, and none was lost: so it shows.
enum Planted: CaseIterable {
  case lostUpdate, doubledEarn, staleRead, wrongBalance, redeemBeyondAvailable, effectOfRefused, effectOfNone
  case creditWithoutDebit, effectBeforeBegin, effectAfterEnd, capturedAndReleased

  /// Nil if the history has no place for it.
  func plant(seed: UInt64) -> [Operation]? {
    var random = SeededGenerator(seed: seed &* 31 &+ 7)
    let options = AtomicLedger.Options(
      clients: 4, members: 2, operations: 80, lostPerMille: 0, silentPerMille: 0, finalReads: true, ttl: 0)
    let ledger = AtomicLedger(seed: seed, options)
    var o = ledger.operations
    /// The places of operations for which something holds, one of them drawn.
    func one(_ holds: (Int) -> Bool) -> Int? {
      let places = o.indices.filter { o[$0].client != "reader" && holds($0) }
      return places.isEmpty ? nil : places[Int(random.next() % UInt64(places.count))]
    }
    let isChange = { (n: Int) in
      o[n].result == .ok && [.earn, .redeem].contains(o[n].kind)
    }
    switch self {
    case .lostUpdate:
      // It is gone for all that came after it.
      guard let n = one(isChange) else { return nil }
      shift(&o, ledger, after: n, by: o[n].kind == .earn ? -o[n].points : o[n].points)
    case .doubledEarn:
      guard let n = one({ isChange($0) && o[$0].kind == .earn }) else { return nil }
      shift(&o, ledger, after: n, by: o[n].points)
    case .staleRead:
      // What was so before a change that had been answered when the read began.
      guard
        let n = one({ read in
          o[read].kind == .balance
            && o.indices.contains { isChange($0) && o[$0].member == o[read].member && o[$0].end < o[read].begin }
        }),
        let change = o.indices.filter({
          isChange($0) && o[$0].member == o[n].member && o[$0].end < o[n].begin
        }).max(by: { o[$0].end < o[$1].end })
      else { return nil }
      let before = ledger.balances[change] - (o[change].kind == .earn ? o[change].points : -o[change].points)
      // The same balance may have come about again: then it is no error.
      let seen = o.indices.contains {
        $0 != n && o[$0].member == o[n].member && o[$0].end >= o[change].end && o[$0].begin <= o[n].end
          && ledger.balances[$0] == before
      }
      if seen { return nil }
      o[n].balance = before
      o[n].held = nil
      o[n].available = nil
    case .wrongBalance:
      guard let n = one({ o[$0].balance != nil && o[$0].kind != .balance }) else { return nil }
      o[n].balance = (o[n].balance ?? 0) + 1
      o[n].available = nil
    case .redeemBeyondAvailable:
      guard let n = one({ o[$0].result == .refused && o[$0].kind == .redeem }) else { return nil }
      o[n].result = .ok
      o[n].balance = ledger.balances[n] - o[n].points
      shift(&o, ledger, after: n, by: -o[n].points)
    case .effectOfRefused:
      guard let n = one({ o[$0].result == .refused && o[$0].kind == .redeem }) else { return nil }
      shift(&o, ledger, after: n, by: -o[n].points)
    case .effectOfNone:
      guard let n = one({ isChange($0) }) else { return nil }
      o[n].result = .rejected
      o[n].balance = nil
    case .creditWithoutDebit:
      guard let n = one({ o[$0].result == .ok && o[$0].kind == .transfer }) else { return nil }
      shift(&o, ledger, after: n, by: o[n].points)
    case .effectBeforeBegin:
      guard let n = one(isChange),
        let seer = o.indices.first(where: {
          o[$0].member == o[n].member && o[$0].balance != nil && $0 != n && ledger.moments[$0] > ledger.moments[n]
            && ledger.moments[$0] != .max && o[$0].client != "reader"
        })
      else { return nil }
      o[n].begin = o[seer].end + 1
      o[n].end = o[n].begin + 20
    case .effectAfterEnd:
      guard let n = one(isChange),
        let seer = o.indices.last(where: {
          o[$0].member == o[n].member && o[$0].balance != nil && $0 != n && ledger.moments[$0] < ledger.moments[n]
            && o[$0].begin > 2
        })
      else { return nil }
      o[n].end = o[seer].begin - 1
      o[n].begin = min(o[n].begin, o[n].end)
    case .capturedAndReleased:
      guard let n = one({ o[$0].result == .ok && [.capture, .release].contains(o[$0].kind) }) else { return nil }
      var other = Operation(
        o[n].kind == .capture ? .release : .capture, member: o[n].member, client: "cheat", begin: o[n].end + 1,
        end: o[n].end + 20, result: .ok)
      other.hold = o[n].hold
      other.id = "cheat"
      o.append(other)
    }
    return o
  }

  /// All that was seen of the member later than the operation is off by so many points.
  private func shift(_ o: inout [Operation], _ ledger: AtomicLedger, after n: Int, by points: Int64) {
    for i in o.indices where i != n && o[i].member == o[n].member && isLater(ledger, i, n) {
      o[i].balance = o[i].balance.map { $0 + points }
      o[i].available = o[i].available.map { $0 + points }
    }
  }
  private func isLater(_ ledger: AtomicLedger, _ i: Int, _ n: Int) -> Bool {
    // A refused operation has no moment: then what began after it had ended.
    if ledger.moments[i] == .max { return false }
    if ledger.moments[n] != .max { return ledger.moments[i] > ledger.moments[n] }
    return ledger.moments[i] > ledger.operations[n].end
  }
}
