import Base
import Cluster

/// Nodes at the end of their memory.
extension Life {
  /// Lets a process use so many hundredths of what it may.
  func strain(_ number: Int, to share: UInt64) {
    simulation.hosts[number].setMemoryLimit(asUsed: share)
  }

  /// With all nodes over their limit nothing grows, and all else goes on; far over it nothing is written. What was answered
  /// is answered again, whatever memory there is.
  func checkShortMemory() {
    guard let number = up.last else { return }
    // One voter that has memory is not enough: it may lead, and refuses for the others.
    strainAll(to: 104, but: number)
    expect("-BUSY the memory of ", "EARN m0 merchant=east points=1 id=short-1", of: number)
    expect("-BUSY the memory of ", "MEMBER ADD short", of: number)
    strainAll(to: 104)
    expect("-NOTFOUND", "REFUND 0-999999999 id=short-2", of: number)
    strainAll(to: 130)
    expect("-BUSY the memory of ", "REFUND 0-999999999 id=short-3", of: number)
    expect("+member=m0", "BALANCE m0", of: number)
    if failure == nil { repeatAll() }
    for host in simulation.hosts { host.memoryLimit = .max }
    simulation.run(for: 1_000_000)
  }
  private func strainAll(to share: UInt64, but spared: Int? = nil) {
    for host in simulation.hosts where host.number != spared { strain(host.number, to: share) }
    simulation.run(for: 1_000_000)
  }
  private func expect(_ wanted: String, _ line: String, of number: Int) {
    guard failure == nil, let client = simulation.connect(to: number) else { return }
    var answer = ""
    // Where a leader is lost at just that moment another answers.
    for _ in 0..<5 {
      answer = ask(client, line)
      if !answer.hasPrefix("-UNAVAILABLE") && !answer.hasPrefix("-UNKNOWN") { break }
      simulation.run(for: 1_000_000)
    }
    simulation.disconnect(client)
    // A log that is too long is a reason to refuse as well.
    if plan.isLogLimited && answer.hasPrefix("-BUSY the log") { return }
    if !answer.hasPrefix(wanted) { fail("with little memory \(line) is answered \(answer), not \(wanted)…") }
  }
}
