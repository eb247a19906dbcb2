import Base
import Rules

/// Who has leases of a quota's period, and who waits for more: a part of its home.
struct QuotaHome: Equatable {
  struct Holder: Equatable {
    var slot: UInt16
    /// Grants that are on their way to it.
    var grants: UInt32 = 0
    var recall = Recall.none
  }
  enum Recall: UInt8 {
    case none = 0
    /// Once the grants that are on their way have arrived.
    case wanted, sent
  }
  struct Ask: Equatable {
    var slot: UInt16
    var need: Int64
    var have: Int64
    var want: Int64
    var ask: TransactionID
    /// It came before the leases began to be collected.
    var isServedNext = false
  }
  /// By their slots.
  var holders: [Holder] = []
  /// In the order in which they came.
  var asks: [Ask] = []
  /// Leases are being collected.
  var isCollecting = false
  /// Rises with each collection.
  var round: UInt64 = 0

  init() {}
  var encoded: [UInt8] {
    var buffer = ByteBuffer(capacity: 64 + 4 * holders.count)
    buffer.append(UInt8(isCollecting ? 1 : 0))
    buffer.append(varint: round)
    buffer.append(varint: UInt64(holders.count))
    for holder in holders {
      buffer.append(holder.slot)
      buffer.append(holder.grants)
      buffer.append(holder.recall.rawValue)
    }
    for ask in asks {
      buffer.append(ask.slot)
      for number in [ask.need, ask.have, ask.want] { buffer.append(zigzag: number) }
      buffer.append(ask.ask.rawValue)
      buffer.append(UInt8(ask.isServedNext ? 1 : 0))
    }
    return buffer.array
  }
  init(decoding bytes: [UInt8]) throws(MalformedBytes) {
    guard !bytes.isEmpty else { return }
    var failure: MalformedBytes?
    var home = QuotaHome()
    bytes.withUnsafeBytes { raw in
      do throws(MalformedBytes) { try home.read(raw) } catch { failure = error }
    }
    if let failure { throw failure }
    self = home
  }
  private mutating func read(_ bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    isCollecting = try reader.read(UInt8.self) != 0
    round = try reader.readVarint()
    for _ in 0..<min(try reader.readVarint(), UInt64(Slot.count)) {
      let (slot, grants): (UInt16, UInt32) = (try reader.read(), try reader.read())
      let recall: UInt8 = try reader.read()
      guard let recall = Recall(rawValue: recall), slot < UInt16(Slot.count) else {
        throw MalformedBytes("a holder that cannot be")
      }
      holders.append(Holder(slot: slot, grants: grants, recall: recall))
    }
    while !reader.isAtEnd {
      let slot: UInt16 = try reader.read()
      var ask = Ask(
        slot: slot, need: try reader.readZigzag(), have: try reader.readZigzag(), want: try reader.readZigzag(),
        ask: TransactionID(rawValue: try reader.read()))
      ask.isServedNext = try reader.read(UInt8.self) != 0
      guard slot < UInt16(Slot.count) else { throw MalformedBytes("an ask that cannot be") }
      asks.append(ask)
    }
  }

  /// The place of a holder, who is added if he is new.
  mutating func holder(_ slot: UInt16) -> Int {
    let place = holders.firstIndex { $0.slot >= slot } ?? holders.count
    if place == holders.count || holders[place].slot != slot { holders.insert(Holder(slot: slot), at: place) }
    return place
  }
  func find(_ slot: UInt16) -> Int? { holders.firstIndex { $0.slot == slot } }
}

extension Ledger {
  // MARK: Records

  func findHome(_ period: QuotaPeriod) -> Ref<HomeRecord>? {
    var next = quotaHeads(period.quota).home
    while next != .none, !tables.quotas.homes.read(next).pointee.isOf(period) {
      next = tables.quotas.homes.read(next).pointee.next
    }
    return next == .none ? nil : next
  }
  mutating func add(_ home: HomeRecord) -> Ref<HomeRecord> {
    while tables.quotas.heads.count <= Int(home.quota) { _ = tables.quotas.heads.append(QuotaHeads()) }
    let heads = Ref<QuotaHeads>(place: Int(home.quota))
    var record = home
    record.next = tables.quotas.heads.read(heads).pointee.home
    let ref = tables.quotas.homes.add(record)
    tables.quotas.heads.write(heads).pointee.home = ref
    return ref
  }
  mutating func remove(_ home: Ref<HomeRecord>) {
    let record = tables.quotas.homes.read(home).pointee
    let heads = Ref<QuotaHeads>(place: Int(record.quota))
    var before = tables.quotas.heads.read(heads).pointee.home
    if before == home {
      tables.quotas.heads.write(heads).pointee.home = record.next
    } else {
      while tables.quotas.homes.read(before).pointee.next != home {
        before = tables.quotas.homes.read(before).pointee.next
      }
      tables.quotas.homes.write(before).pointee.next = record.next
    }
    dropChunks(from: record.firstChunk)
    tables.quotas.homes.remove(home)
  }
  private mutating func openHome(_ period: QuotaPeriod) -> Ref<HomeRecord> {
    if let known = findHome(period) { return known }
    forgetHomes(of: period.quota)
    let ref = add(
      HomeRecord(
        quota: period.quota, start: period.window.start, slot: catalogue.quotaSlot(period.quota).rawValue,
        kind: period.window.kind.rawValue))
    count(tables.quotas.homes.read(ref), 1)
    return ref
  }
  private mutating func forgetHomes(of quota: UInt32) {
    var next = quotaHeads(quota).home
    while next != .none {
      let record = tables.quotas.homes.read(next).pointee
      if isForgotten(record.window), content(of: next).map({ $0.asks.isEmpty && !$0.isCollecting }) ?? true {
        count(tables.quotas.homes.read(next), -1)
        remove(next)
      }
      next = record.next
    }
  }
  private func content(of home: Ref<HomeRecord>) -> QuotaHome? {
    let record = tables.quotas.homes.read(home).pointee
    return try? QuotaHome(decoding: bytes(ofChunks: record.firstChunk, count: Int(record.byteCount)))
  }
  /// Changes what a home knows, then does what follows.
  private mutating func change(_ period: QuotaPeriod, _ body: (inout QuotaHome, inout Int64) -> Void) {
    let ref = openHome(period)
    guard var home = content(of: ref) else { return fail(.records) }
    var granted = tables.quotas.homes.read(ref).pointee.granted
    body(&home, &granted)
    goOn(period, &home, &granted)
    count(tables.quotas.homes.read(ref), -1)
    dropChunks(from: tables.quotas.homes.read(ref).pointee.firstChunk)
    let bytes = home.encoded
    let first = addChunks(bytes)
    let record = tables.quotas.homes.write(ref)
    (record.pointee.firstChunk, record.pointee.byteCount) = (first, UInt32(bytes.count))
    record.pointee.granted = granted
    count(tables.quotas.homes.read(ref), 1)
  }

  // MARK: What comes

  mutating func receiveAsk(_ content: QuotaMessage) {
    change(content.period) { home, granted in
      _ = home.holder(content.slot)
      granted -= content.points
      // One that could not be answered has been given up for this.
      home.asks.removeAll { $0.slot == content.slot && $0.ask.slot == content.ask.slot }
      home.asks.append(
        QuotaHome.Ask(
          slot: content.slot, need: content.need, have: content.have, want: content.want, ask: content.ask))
    }
  }
  mutating func receiveReturn(_ content: QuotaMessage) {
    // Forgotten here: nobody draws on it any more.
    guard !isForgotten(content.period.window) else { return }
    change(content.period) { home, granted in
      granted -= content.points
      guard content.round == home.round, let place = home.find(content.slot), home.holders[place].recall == .sent else {
        return
      }
      home.holders[place].recall = .none
    }
  }
  mutating func grantArrived(_ content: QuotaMessage) {
    change(content.period) { home, _ in
      if let place = home.find(content.slot), home.holders[place].grants > 0 { home.holders[place].grants -= 1 }
    }
  }
  /// A recall could not be taken in: it is tried again.
  mutating func recallFailed(_ content: QuotaMessage) {
    change(content.period) { home, _ in
      guard content.round == home.round, let place = home.find(content.slot), home.holders[place].recall == .sent else {
        return
      }
      home.holders[place].recall = .wanted
    }
  }

  // MARK: What follows

  private mutating func goOn(_ period: QuotaPeriod, _ home: inout QuotaHome, _ granted: inout Int64) {
    while true {
      if home.isCollecting {
        sendRecalls(period, &home)
        guard home.holders.allSatisfy({ $0.recall == .none }) else { return }
        home.isCollecting = false
        serveCollected(period, &home, &granted)
        continue
      }
      guard let ask = home.asks.first else { return }
      let short = max(0, ask.need - ask.have)
      let rest = rest(of: period, granted)
      if ask.need > 0, rest < short {
        home.isCollecting = true
        home.round += 1
        for place in home.asks.indices { home.asks[place].isServedNext = home.asks[place].need > 0 }
        for place in home.holders.indices { home.holders[place].recall = .wanted }
        continue
      }
      home.asks.removeFirst()
      let extra = min(ask.want, (rest - short) / Int64(2 * home.holders.count))
      grant(short + extra, ask, period, isFinal: false, isDry: extra < max(1, ask.want / 8), &home, &granted)
    }
  }
  /// What a quota has that was not given out.
  private func rest(of period: QuotaPeriod, _ granted: Int64) -> Int64 {
    guard let row = catalogue.quota(period.quota), row.isActive else { return 0 }
    return max(0, row.limit - granted)
  }
  private mutating func sendRecalls(_ period: QuotaPeriod, _ home: inout QuotaHome) {
    let slot = catalogue.quotaSlot(period.quota)
    for place in home.holders.indices where home.holders[place].recall == .wanted && home.holders[place].grants == 0 {
      home.holders[place].recall = .sent
      var content = QuotaMessage(period, slot: home.holders[place].slot)
      content.round = home.round
      send(.recall, content, nextTransaction(slot), to: Slot(home.holders[place].slot))
    }
  }
  /// All that there is has come home: whoever asked before has as much as it needs, in order.
  private mutating func serveCollected(_ period: QuotaPeriod, _ home: inout QuotaHome, _ granted: inout Int64) {
    let served = home.asks.filter(\.isServedNext)
    home.asks.removeAll(where: \.isServedNext)
    for ask in served {
      let points = min(ask.need, rest(of: period, granted))
      grant(points, ask, period, isFinal: points < ask.need, isDry: true, &home, &granted)
    }
  }
  private mutating func grant(
    _ points: Int64, _ ask: QuotaHome.Ask, _ period: QuotaPeriod, isFinal: Bool, isDry: Bool, _ home: inout QuotaHome,
    _ granted: inout Int64
  ) {
    let row = catalogue.quota(period.quota)
    var content = QuotaMessage(period, slot: ask.slot)
    content.points = points
    content.ask = ask.ask
    (content.isFinal, content.isDry) = (isFinal, isDry)
    granted += points
    content.isShut = granted > row?.limit ?? 0
    (content.version, content.stamp) = (catalogue.version, now)
    let place = home.holder(ask.slot)
    home.holders[place].grants &+= 1
    send(.grant, content, nextTransaction(catalogue.quotaSlot(period.quota)), to: Slot(ask.slot))
  }
}
