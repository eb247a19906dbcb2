import Base
import Cluster
import Synchronization

/// Threads on which replicas take their turns. A shard is always on the same one, whose cache then knows it; the loop does
/// its own share, and waits for the others. Costs two wake-ups a thread.
final class TurnPool: TurnRunner {
  private let workers: [Worker<@Sendable () -> Void>]
  private let done = Semaphore()

  /// - Parameter threads: at least 1, beside the loop's own.
  init(threads: Int) {
    precondition(threads >= 1, "a pool has a thread")
    workers = (0..<threads).map { number in Worker(name: "replicas-\(number)") { $0() } }
  }

  func run(_ shards: [ShardID], _ turn: @escaping @Sendable (_ place: Int) -> Void) {
    var shares = [[Int]](repeating: [], count: workers.count + 1)
    for (place, shard) in shards.enumerated() { shares[Int(shard.rawValue) % shares.count].append(place) }
    var submitted = 0
    for (worker, share) in zip(workers, shares.dropFirst()) where !share.isEmpty {
      // The worker lets go of this some time after it has signalled: so `turn` is one that escapes.
      worker.submit { [done] in
        for place in share { turn(place) }
        done.signal()
      }
      submitted += 1
    }
    for place in shares[0] { turn(place) }
    for _ in 0..<submitted { done.wait() }
  }

  deinit { for worker in workers { worker.abandon() } }
}
