import Testing

@testable import Server

/// How fast what has time is written beside the log.
@Suite struct LogPacerTests {
  @Test func itSlowsDownWhileTheLogSuffersAndNoFurtherThanItMay() {
    var rate = WriteRate()
    let first = rate.bytesPerSecond
    rate.adjust(worst: 2_000, usual: 300)
    #expect(rate.bytesPerSecond == first / 2)
    for _ in 0..<20 { rate.adjust(worst: 90_000, usual: 300) }
    #expect(rate.bytesPerSecond == WriteRate.least)
    #expect(rate.wait(after: WriteRate.least) == 1_000_000)
    // Scatter is no suffering, nor is a disk that is slow by itself.
    let slow = rate
    rate.adjust(worst: 1_500, usual: 300)
    #expect(rate.bytesPerSecond == slow.bytesPerSecond / 4 * 5)
    for _ in 0..<40 { rate.adjust(worst: 20_000, usual: 15_000) }
    #expect(rate.bytesPerSecond == WriteRate.most)
  }

  @Test func whatALogWriteUsuallyTakesIsNotLearntWhileOthersWrite() {
    let pulse = Pulse()
    for _ in 0..<100 { pulse.noteLogWrite(320) }
    #expect(pulse.usualLogWrite.load(ordering: .relaxed) == 320)
    pulse.pacing.add(1, ordering: .relaxed)
    pulse.noteLogWrite(50_000)
    #expect(pulse.usualLogWrite.load(ordering: .relaxed) == 320)
    #expect(pulse.worstLogWrite.exchange(0, ordering: .relaxed) == 50_000)
  }
}
