import Base
import Rules
import Vocabulary

// A shard's side of quotas: what it draws, what comes back, and what it asks of their homes. See docs/quotas.md.
extension Ledger {
  /// Periods that ended longer ago are forgotten: no purchase, however late, reaches them, and what comes back counts for nothing.
  static var quotaDays: Int64 { EntryKind.longestBackdate + 2 }

  /// A quota's id; empty: there is none of that number.
  public func quotaName(_ number: UInt32) -> [UInt8] { catalogue.quotaName(number) }

  // MARK: Lists

  func quotaHeads(_ quota: UInt32) -> QuotaHeads {
    Int(quota) < tables.quotas.heads.count ? tables.quotas.heads.read(Ref(place: Int(quota))).pointee : QuotaHeads()
  }
  private mutating func openHeads(_ quota: UInt32) -> Ref<QuotaHeads> {
    while tables.quotas.heads.count <= Int(quota) { _ = tables.quotas.heads.append(QuotaHeads()) }
    return Ref(place: Int(quota))
  }
  /// The leases of a period here, the newest first. O(the quota's periods).
  func forEachLease(of period: QuotaPeriod, _ body: (Ref<LeaseRecord>, UnsafePointer<LeaseRecord>) -> Void) {
    var next = quotaHeads(period.quota).lease
    while next != .none {
      let record = tables.quotas.leases.read(next)
      if record.pointee.isOf(period) { body(next, record) }
      next = record.pointee.next
    }
  }
  private func findUsed(_ period: QuotaPeriod) -> Ref<UsedRecord>? {
    var next = quotaHeads(period.quota).used
    while next != .none, !tables.quotas.used.read(next).pointee.isOf(period) {
      next = tables.quotas.used.read(next).pointee.next
    }
    return next == .none ? nil : next
  }
  /// What was drawn of a period in this shard.
  func drawn(of period: QuotaPeriod) -> Int64 {
    findUsed(period).map { tables.quotas.used.read($0).pointee.drawn } ?? 0
  }

  mutating func add(_ lease: LeaseRecord) -> Ref<LeaseRecord> {
    let heads = openHeads(lease.quota)
    var record = lease
    record.next = tables.quotas.heads.read(heads).pointee.lease
    let ref = tables.quotas.leases.add(record)
    tables.quotas.heads.write(heads).pointee.lease = ref
    return ref
  }
  mutating func remove(_ lease: Ref<LeaseRecord>) {
    let record = tables.quotas.leases.read(lease).pointee
    let heads = openHeads(record.quota)
    var before = tables.quotas.heads.read(heads).pointee.lease
    if before == lease {
      tables.quotas.heads.write(heads).pointee.lease = record.next
    } else {
      while tables.quotas.leases.read(before).pointee.next != lease {
        before = tables.quotas.leases.read(before).pointee.next
      }
      tables.quotas.leases.write(before).pointee.next = record.next
    }
    tables.quotas.leases.remove(lease)
  }
  /// Changes a lease, and what the digest knows of it.
  mutating func change(_ lease: Ref<LeaseRecord>, _ body: (inout LeaseRecord) -> Void) {
    count(tables.quotas.leases.read(lease), -1)
    body(&tables.quotas.leases.write(lease).pointee)
    count(tables.quotas.leases.read(lease), 1)
  }
  /// The lease at a slot, made if there is none.
  mutating func openLease(_ period: QuotaPeriod, at slot: Slot) -> Ref<LeaseRecord> {
    var found = Ref<LeaseRecord>.none
    forEachLease(of: period) { if $1.pointee.slot == slot.rawValue { found = $0 } }
    guard found == .none else { return found }
    forgetPeriods(of: period.quota)
    let ref = add(
      LeaseRecord(
        quota: period.quota, start: period.window.start, slot: slot.rawValue, kind: period.window.kind.rawValue))
    count(tables.quotas.leases.read(ref), 1)
    return ref
  }

  /// Counts what was drawn, or came back.
  mutating func countDrawn(_ points: Int64, of period: QuotaPeriod) {
    guard points != 0 else { return }
    core.digest.add(period.key, DigestField.quotaUsed, points)
    if let ref = findUsed(period) { return core.add(points, to: &tables.quotas.used.write(ref).pointee.drawn) }
    forgetPeriods(of: period.quota)
    let heads = openHeads(period.quota)
    var record = UsedRecord(quota: period.quota, start: period.window.start, kind: period.window.kind.rawValue)
    (record.drawn, record.next) = (points, tables.quotas.heads.read(heads).pointee.used)
    tables.quotas.heads.write(heads).pointee.used = tables.quotas.used.add(record)
  }
  /// A period that no purchase reaches any more.
  func isForgotten(_ window: CapWindow) -> Bool {
    window.end.map { $0 < CivilTime.day(of: now, offset: 0) - Ledger.quotaDays } ?? false
  }
  /// O(the quota's periods): as one of its periods begins here.
  private mutating func forgetPeriods(of quota: UInt32) {
    var lease = quotaHeads(quota).lease
    while lease != .none {
      let record = tables.quotas.leases.read(lease).pointee
      if record.ask == .none, isForgotten(record.window) {
        count(tables.quotas.leases.read(lease), -1)
        remove(lease)
      }
      lease = record.next
    }
    var kept = Ref<UsedRecord>.none
    var used = quotaHeads(quota).used
    while used != .none {
      let record = tables.quotas.used.read(used).pointee
      if isForgotten(record.window) {
        core.digest.add(record.period.key, DigestField.quotaUsed, 0 &- record.drawn)
        tables.quotas.used.remove(used)
        if kept == .none {
          tables.quotas.heads.write(openHeads(quota)).pointee.used = record.next
        } else {
          tables.quotas.used.write(kept).pointee.next = record.next
        }
      } else {
        kept = used
      }
      used = record.next
    }
  }

  // MARK: Drawing

  /// What a lease gives.
  func drawable(_ lease: UnsafePointer<LeaseRecord>) -> Int64 {
    let isActive = catalogue.quota(lease.pointee.quota)?.isActive ?? false
    return isActive && lease.pointee.isShut == 0 ? lease.pointee.amount : 0
  }
  /// Shuts the leases of quotas whose limits have fallen.
  @inline(__always) mutating func shutLowered() { if !catalogue.lowered.isEmpty { shutLoweredQuotas() } }
  @inline(never) private mutating func shutLoweredQuotas() {
    for quota in catalogue.lowered {
      let heads = openHeads(quota)
      (tables.quotas.heads.write(heads).pointee.loweredBy, tables.quotas.heads.write(heads).pointee.loweredAt) = (
        catalogue.version, now
      )
      var next = quotaHeads(quota).lease
      while next != .none {
        if tables.quotas.leases.read(next).pointee.isShut == 0 { change(next) { $0.isShut = 1 } }
        next = tables.quotas.leases.read(next).pointee.next
      }
    }
    catalogue.lowered = []
  }
  /// What this shard may draw of a period by itself.
  func drawable(_ period: QuotaPeriod) -> Int64 {
    var sum: Int64 = 0
    forEachLease(of: period) { sum &+= drawable($1) }
    return sum
  }
  /// Takes points, of which there are as many, out of leases.
  mutating func draw(_ points: Int64, of period: QuotaPeriod) {
    var left = points
    var next = quotaHeads(period.quota).lease
    while next != .none, left > 0 {
      let record = tables.quotas.leases.read(next)
      let part = record.pointee.isOf(period) ? min(left, drawable(record)) : 0
      let (lease, after) = (next, record.pointee.next)
      if part > 0 {
        let key = record.pointee.digestKey
        core.digest.add(key, DigestField.lease, -part)
        core.digest.add(key &+ 1, DigestField.lease, part)
        let own = tables.quotas.leases.write(lease)
        core.add(-part, to: &own.pointee.amount)
        core.add(part, to: &own.pointee.drawn)
        left -= part
        if own.pointee.ask == .none, own.pointee.isDry == 0, own.pointee.amount < own.pointee.granted / 4 {
          _ = askHome(lease, need: 0)
        }
      }
      next = after
    }
    if left != 0 { fail(.records) }
    countDrawn(points, of: period)
  }
  /// Points that were drawn of a period come back to it.
  mutating func giveBack(_ points: Int64, to period: QuotaPeriod, near slot: Slot) {
    guard points > 0, !isForgotten(period.window) else { return }
    countDrawn(-points, of: period)
    var own = Ref<LeaseRecord>.none
    forEachLease(of: period) { ref, _ in if own == .none { own = ref } }
    // Its home recalls leases that it knows: it never gave one to this shard, or the slot has gone.
    guard own != .none else { return sendHome(points, period, round: 0, from: slot) }
    change(own) { $0.amount += points }
  }

  // MARK: Short

  /// What a purchase asked of budgets that leases here had not.
  struct Shortage {
    var period: QuotaPeriod
    var wanted: Int64
  }
  /// Cuts what budgets have not where that is known of the whole cluster; else asks for it, and the request is to wait.
  mutating func settle(_ shortages: [Shortage], of call: Call) throws(Stop) {
    for shortage in shortages {
      guard let row = catalogue.quota(shortage.period.quota) else { continue }
      if isOpen(shortage, for: call.asks) {
        deferral = ask(shortage, at: call.slot, for: call.asks)
        throw .decided(.deferred)
      }
      guard row.isRefusing else { continue }
      emptyQuota = shortage.period.quota
      throw .refused(Refusal(.limit, "the quota has no more"))
    }
  }
  /// Whether other shards may have what is short here.
  /// - Parameter asks: which were sent since it was wanted.
  func isOpen(_ shortage: Shortage, for asks: [QuotaAsk]) -> Bool {
    guard let row = catalogue.quota(shortage.period.quota) else { return false }
    return row.isActive && row.limit > 0 && !isForgotten(shortage.period.window) && !isFinal(shortage.period, for: asks)
  }
  /// Some ask since it was wanted was answered by a final grant.
  private func isFinal(_ period: QuotaPeriod, for asks: [QuotaAsk]) -> Bool {
    var isKnown = false
    forEachLease(of: period) { _, lease in
      let final = lease.pointee.finalAsk
      for ask in asks where ask.quota == period.quota && final != .none {
        if final.slot == ask.since.slot, final.sequence >= ask.since.sequence { isKnown = true }
      }
    }
    return isKnown
  }
  mutating func ask(_ shortage: Shortage, at slot: Slot, for asks: [QuotaAsk]) -> Deferral {
    let quota = shortage.period.quota
    var open = Ref<LeaseRecord>.none
    var any = Ref<LeaseRecord>.none
    forEachLease(of: shortage.period) { ref, lease in
      any = ref
      if lease.pointee.ask != .none { open = ref }
    }
    if open != .none {
      // It was on its way before the request came: what it finds says nothing of later.
      let ask = tables.quotas.leases.read(open).pointee.ask
      let next = TransactionID(rawValue: ask.rawValue + 1)
      return Deferral(awaited: ask, quota: quota, since: QuotaAsk.first(of: quota, ask.slot, in: asks) ?? next)
    }
    let lease = any == .none ? openLease(shortage.period, at: slot) : any
    let have = drawable(shortage.period) - drawable(tables.quotas.leases.read(lease))
    let ask = askHome(lease, need: shortage.wanted - have)
    return Deferral(awaited: ask, quota: quota, since: QuotaAsk.first(of: quota, ask.slot, in: asks) ?? ask)
  }

  /// Asks a quota's home for points.
  /// - Parameter need: what a purchase needs of the lease in all; 0: it is asked ahead.
  private mutating func askHome(_ lease: Ref<LeaseRecord>, need: Int64) -> TransactionID {
    let record = tables.quotas.leases.read(lease).pointee
    let isShut = record.isShut != 0
    let tx = nextTransaction(Slot(record.slot))
    var content = QuotaMessage(record.period, slot: record.slot)
    content.need = need
    content.have = isShut ? 0 : record.amount
    // What is shut comes back with it: so the home never takes it for given out.
    content.points = isShut ? record.amount : 0
    content.want = min(Ledger.largestAmount.rawValue, max(need, 1) * 8 + min(record.drawn, 1 << 50) * 4)
    content.ask = tx
    change(lease) {
      $0.ask = tx
      $0.drawn = 0
      if isShut { $0.amount = 0 }
    }
    send(.ask, content, tx, to: catalogue.quotaSlot(record.quota))
    return tx
  }
  mutating func send(_ kind: QuotaMessage.Kind, _ content: QuotaMessage, _ tx: TransactionID, to slot: Slot) {
    var out = OutboxRecord(id: tx, stamp: now, to: slot.rawValue, kind: kind.rawValue, tenant: .first)
    content.bytes.withUnsafeBytes { addOutbox(&out, $0) }
  }
  mutating func sendHome(_ points: Int64, _ period: QuotaPeriod, round: UInt64, from slot: Slot) {
    var content = QuotaMessage(period, slot: slot.rawValue)
    (content.points, content.round) = (points, round)
    send(.giveBack, content, nextTransaction(slot), to: catalogue.quotaSlot(period.quota))
  }
}
