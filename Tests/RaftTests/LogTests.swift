import Base
import Testing

@testable import Raft

struct LogTests {
  private func log(_ terms: [UInt64]) -> Log {
    Log(
      start: LogPosition(index: LogIndex(0), term: Term(0)),
      entries: terms.enumerated().map { offset, term in
        LogEntry(index: LogIndex(UInt64(offset) + 1), term: Term(term), payload: [])
      })
  }

  @Test func theNewestConfigurationAboveAnIndexIsFoundInTheLog() {
    var log = log([1, 1])
    log.append(LogEntry(index: LogIndex(3), term: Term(1), kind: .configuration, payload: []))
    log.append(LogEntry(index: LogIndex(4), term: Term(1), payload: []))
    #expect(log.newestConfiguration(after: LogIndex(0)) == LogIndex(3))
    #expect(log.newestConfiguration(after: LogIndex(2)) == LogIndex(3))
    #expect(log.newestConfiguration(after: LogIndex(3)) == LogIndex(0))
  }
}
