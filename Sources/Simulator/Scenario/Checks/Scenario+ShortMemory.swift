import Base
import Cluster

/// Nodes at the end of their memory.
extension Scenario {
  /// Lets a process use so many hundredths of what it may.
  func strainMemory(of number: Int, to share: UInt64) {
    simulation.hosts[number].setMemoryLimit(asUsed: share)
  }

  /// With all nodes over their limit nothing grows, and all else goes on; far over it nothing is written. What was answered
  /// is answered again, whatever memory there is.
  func checkShortMemory() {
    guard let number = up.last else { return }
    // The last word of a node that went down at its limit still counts for ten seconds, by clocks that drift.
    if !down.isEmpty { simulation.run(for: 12_000_000) }
    // One voter that has memory is not enough: it may lead, and refuses for the others.
    expect("-BUSY the memory of ", "EARN m0 merchant=east spend=0 id=short-1-#", of: number, at: 104, but: number)
    expect("-BUSY the memory of ", "MEMBER ADD short-#", of: number, at: 104, but: number)
    expect("-NOTFOUND", "REFUND 0-999999999 id=short-2", of: number, at: 104)
    expect("-BUSY the memory of ", "REFUND 0-999999999 id=short-3", of: number, at: 130)
    expect("+member=m0", "BALANCE m0", of: number, at: 130)
    if failure == nil { repeatAnsweredRequests() }
    for host in simulation.hosts { host.memoryLimit = .max }
    simulation.run(for: 1_000_000)
  }
  private func strainAllMemories(to share: UInt64, but spared: Int? = nil) {
    for host in simulation.hosts where host.number != spared { strainMemory(of: host.number, to: share) }
    simulation.run(for: 1_000_000)
  }
  /// With processes that use so many hundredths of their limits. What they use may fall meanwhile, when a log is let go of:
  /// then they are strained again, and another question is asked (`#`).
  private func expect(_ wanted: String, _ line: String, of number: Int, at share: UInt64, but spared: Int? = nil) {
    guard failure == nil else { return }
    var answer = ""
    for attempt in 0..<5 {
      strainAllMemories(to: share, but: spared)
      guard let client = simulation.connect(to: number) else { return }
      answer = ask(client, line.replacing("#", with: "\(attempt)"))
      simulation.disconnect(client)
      // A log that is too long is a reason to refuse as well.
      if answer.hasPrefix(wanted) || plan.sizes.isLogLimited && answer.hasPrefix("-BUSY the log") { return }
    }
    fail("with little memory \(line) is answered \(answer), not \(wanted)…")
  }
}
