/// Where the records of one slot lie, table by table, in no order; what is not there hangs on these.
struct SlotPlaces {
  var members: [Ref<MemberRecord>] = []
  var cards: [Ref<CardEntryRecord>] = []
  var blocks: [Ref<PastTable.Block>] = []
  /// Numbers in the queues.
  var transactions: [UInt64] = []
  var requests: [UInt64] = []
  var lapsed: [UInt64] = []
  var outbox: [Ref<OutboxRecord>] = []
  var inbox: [Ref<InboxRecord>] = []
  var leases: [Ref<LeaseRecord>] = []
  var homes: [Ref<HomeRecord>] = []
}
