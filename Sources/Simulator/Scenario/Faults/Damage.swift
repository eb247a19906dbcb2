/// What faults have done to hosts that explains what these do from then on.
struct Damage {
  /// Hosts of which damage may take copies: a minority of the voters of every group, unless safety alone is due.
  var candidates: [Int] = []
  /// Hosts of which it has taken copies, and that have not been given them again.
  private(set) var hosts: Set<Int> = []
  /// Those that were damaged when repair ended: their errors are explained.
  private var before: Set<Int> = []
  /// Hosts whose disk was replaced: what starts there is another node.
  private(set) var wiped: Set<Int> = []
  /// Hosts whose disk has done what explains errors.
  var faultyDisks: Set<Int> = []
  /// Hosts whose disk was full.
  var fullDisks: Set<Int> = []
  /// Hosts whose process had no descriptor left.
  var withoutDescriptors: Set<Int> = []

  /// Those as well that were repaired.
  var all: Set<Int> { hosts.union(before) }

  mutating func takesCopies(of host: Int) { hosts.insert(host) }
  mutating func wipes(_ host: Int) {
    hosts.insert(host)
    wiped.insert(host)
  }
  /// All have been repaired but these, and those that are other nodes now.
  mutating func isRepaired(but unrepaired: [Int]) {
    before = hosts
    hosts = wiped.union(unrepaired)
  }
}
