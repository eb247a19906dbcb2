import Base
import Rules
import Vocabulary

/// What draws ask of a quota, as it is now.
struct QuotaRow: Sendable, BitwiseCopyable {
  var limit: Int64 = 0
  var per = CapWindow.Kind.ever
  /// It is in force, and not stopped: else it gives out nothing.
  var isActive = false
  /// An empty one refuses what asks for points, and does not cut it.
  var isRefusing = false
  /// Where its number lives.
  var slot = Slot(0)
  var tenant = TenantID(0)
}

/// Numbers of fields: see `EntryKind.quota` and `EntryKind.campaign`.
private enum QuotaField {
  static let limit = 2
  static let per = 3
  static let whenEmpty = 4
}
enum CampaignField {
  static let budget = 3
  static let funded = 5
}

extension Catalogue {
  /// Nil: there is none of that number.
  func quota(_ number: UInt32) -> QuotaRow? { Int(number) < quotaRows.count ? quotaRows[Int(number)] : nil }
  func quotaName(_ number: UInt32) -> [UInt8] {
    Int(number) < records[.quota].count ? records[.quota][Int(number)].name : []
  }
  func quotaSlot(_ number: UInt32) -> Slot { quota(number)?.slot ?? Slot(0) }
  /// The number of a quota or a campaign. O(entries): for reports.
  func number(_ kind: CatalogueKind, _ name: Bytes, _ tenant: TenantID) -> UInt32? {
    records[kind].firstIndex { $0.tenant == tenant && $0.name.elementsEqual(name) }.map { UInt32($0) }
  }
  /// The period that holds a day.
  func period(ofQuota number: UInt32, day: Int64) -> QuotaPeriod? {
    quota(number).map { QuotaPeriod(number, CapWindow($0.per, holding: day)) }
  }

  mutating func putQuota(_ number: Int) {
    while quotaRows.count <= number { quotaRows.append(QuotaRow()) }
    refreshQuota(number)
    announce(records[.quota][number], EntryKind.quota, number)
  }
  mutating func refreshQuota(_ number: Int) {
    let item = records[.quota][number]
    guard let version = item.version(at: records.moment) else { return }
    func said(_ field: Int) -> Int64? { version.values[field].map { EntryField.number(stored: $0) } }
    let kinds: [CapWindow.Kind] = [.ever, .year, .month, .week, .day]
    let per = Int(said(QuotaField.per) ?? 0)
    let before = quotaRows[number].limit
    quotaRows[number] = QuotaRow(
      limit: max(0, said(QuotaField.limit) ?? 0), per: kinds.indices.contains(per) ? kinds[per] : .ever,
      isActive: item.isInForce(at: records.moment) && said(EntryField.stateNumber) ?? 0 == 0,
      isRefusing: said(QuotaField.whenEmpty) == 1,
      slot: item.name.withUnsafeBytes { Slot(hash: Slot.hash(.quota, tenant: item.tenant, id: $0)) },
      tenant: item.tenant)
    if quotaRows[number].limit < before { lowered.append(UInt32(number)) }
  }
}
