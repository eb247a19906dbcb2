import Base
import Testing

@testable import Cluster
@testable import Storage

/// What is done about a log that grows, from what is measured of it.
@Suite struct LogBoundPartTests {
  private var bound = LogBound(limit: 1_600)
  private var out = NodeOutput()
  private var version: UInt64 = 0

  private mutating func judge(
    pinned: UInt64, segments: Int = 10, _ live: [UInt64], now: UInt64 = 0, underWay: ShardID? = nil
  ) -> (step: LogBound.Step, isPinningNew: Bool) {
    version += 1
    let shards = live.enumerated().map {
      ShardUsage(shard: ShardID(UInt32($0.offset + 1)), liveBytes: $0.element, pinnedBytes: 0)
    }
    let usage = LogUsage(
      version: version, byteCount: pinned, pinnedBytes: pinned, segmentCount: segments, shards: shards)
    return bound.judge(usage, now: now, underWay: underWay, &out)
  }

  @Test mutating func aShortLogIsLetBe() {
    #expect(judge(pinned: 1_600, [1_500]).step == .none)
    #expect(judge(pinned: 100, [0]).step == .none)
    #expect(judge(pinned: 1_000, segments: 4, [0]).step == .none)
  }

  @Test mutating func aLogThatIsMostlyNeedlessIsWrittenAgain() {
    #expect(judge(pinned: 1_000, [500]).step == .rewrite)
    #expect(judge(pinned: 1_000, [501]).step == .none)
    #expect(judge(pinned: 2_000, [1_000]).step == .rewrite)
  }

  @Test mutating func whoHoldsBackMostIsRelievedFirst() {
    let step = judge(pinned: 2_000, [900, 100, 950]).step
    #expect(step == .snapshot(ofFirst: [ShardID(3), ShardID(1)], orRewrite: false))
    bound.forced(ShardID(3), now: 0)
    // One at a time.
    #expect(judge(pinned: 2_000, [900, 100, 950], now: 1, underWay: ShardID(3)).step == .none)
    #expect(judge(pinned: 2_000, [900, 100, 950], now: 2).step == .snapshot(ofFirst: [ShardID(1)], orRewrite: false))
    #expect(
      judge(pinned: 2_000, [900, 100, 950], now: LogBound.snapshotPause).step
        == .snapshot(ofFirst: [ShardID(3), ShardID(1)], orRewrite: false))
  }

  @Test mutating func whereNoneCanBeRelievedALittleIsGainedByWritingAgain() {
    #expect(judge(pinned: 2_000, [1_500]).step == .snapshot(ofFirst: [ShardID(1)], orRewrite: true))
    #expect(judge(pinned: 2_000, [1_501]).step == .snapshot(ofFirst: [ShardID(1)], orRewrite: false))
  }

  @Test mutating func aLogThatDoesNotBecomeShorterIsLetBeForAWhile() {
    var rewrites = 0
    for round in 0..<40 where judge(pinned: 1_000, segments: 10, [0], now: UInt64(round)).step == .rewrite {
      rewrites += 1
    }
    #expect(rewrites == 24)
    #expect(judge(pinned: 1_000, [0], now: 23 + LogBound.rewritePause).step == .rewrite)
    // Progress is a reason to go on.
    #expect(judge(pinned: 999, [0], now: 24 + LogBound.rewritePause).step == .rewrite)
  }

  @Test mutating func writesAreRefusedOfWhomHoldsBackTooMuchUntilItDoesNot() {
    #expect(!judge(pinned: 2_400, [1_700, 100]).isPinningNew && bound.pinning.isEmpty)
    #expect(judge(pinned: 2_401, [1_700, 100]).isPinningNew && bound.pinning == [ShardID(1)])
    // Within the half above the limit nobody is added, and who was stays.
    #expect(!judge(pinned: 2_000, [1_000, 900]).isPinningNew && bound.pinning == [ShardID(1)])
    #expect(judge(pinned: 2_000, [100, 1_700]).isPinningNew && bound.pinning.isEmpty)
    _ = judge(pinned: 2_401, [1_700, 100])
    #expect(judge(pinned: 1_600, [1_500, 100]).isPinningNew && bound.pinning.isEmpty)
    #expect(out.logLines.map(\.level) == [.error, .info, .error, .info])
  }

  @Test mutating func oneLookIsJudgedOnce() {
    let usage = LogUsage(version: 1, pinnedBytes: 1_000, segmentCount: 10)
    #expect(bound.judge(usage, now: 0, underWay: nil, &out).step == .rewrite)
    #expect(bound.judge(usage, now: 0, underWay: nil, &out).step == .none)
  }
}
