import Base
import Raft

/// What an operator must look at, in words of capitals.
extension Node {
  /// Alarms of a node, as far as this one knows; sorted. Of another it knows what the leaders here have heard.
  func alarms(of node: NodeID) -> [String] {
    let isCorrupt = replicas.contains { replica in
      guard let replica else { return false }
      if node == id { return replica.raft.isDamaged || replica.raft.isFenced }
      return replica.raft.progress.contains { $0.id == node && $0.isDamaged }
    }
    return isCorrupt || node == id && (!rottenJournals.isEmpty || fence != 0) ? ["CORRUPT"] : []
  }
  /// Of all members.
  var alarms: [String] {
    var words: Set<String> = []
    for member in topology?.members ?? [] where member.state != .removed { words.formUnion(alarms(of: member.id)) }
    words.formUnion(alarms(of: id))
    return words.sorted()
  }
  static func text(ofAlarms words: [String]) -> String { words.isEmpty ? "none" : words.joined(separator: ",") }
}
