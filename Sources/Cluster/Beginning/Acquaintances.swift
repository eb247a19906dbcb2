import Base

/// Nodes without a cluster pass on whom they are linked to, so that one of them knows all when it is asked to make one.
struct Acquaintances {
  private struct Item {
    var address: String
    var toldAt: UInt64
  }
  private var items: [NodeID: Item] = [:]
  /// For so long a node that was seen is not left out, though it is not in reach, in microseconds.
  static let limit: UInt64 = 30_000_000
  private static let most = 64
  private static let addressBytes = 255

  /// A peer is linked to that node. Whether it was not heard of before: then it is to be dialled.
  mutating func note(_ node: NodeID, at address: String, now: UInt64) -> Bool {
    guard address.utf8.count <= Acquaintances.addressBytes else { return false }
    let isNew = items[node] == nil
    guard !isNew || items.count < Acquaintances.most else { return false }
    items[node] = Item(address: address, toldAt: now)
    return isNew
  }
  mutating func forgetOld(now: UInt64) {
    items = items.filter { now - $0.value.toldAt < Acquaintances.limit }
  }
  mutating func removeAll() { items.removeAll() }

  /// Those that were heard of lately and never met, in the order of their ids: where they are.
  func unmet(now: UInt64, isMet: (NodeID) -> Bool) -> [String] {
    items.sorted { $0.key < $1.key }
      .filter { !isMet($0.key) && now - $0.value.toldAt < Acquaintances.limit }.map(\.value.address)
  }
}
