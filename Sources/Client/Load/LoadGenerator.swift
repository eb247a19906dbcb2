import Foundation
import System

/// Runs a plan: connects everything first, then starts all threads, and merges what they saw.
struct LoadGenerator {
  let plan: LoadPlan
  /// Called about once a second with the replies so far.
  var progress: ((UInt64) -> Void)?

  /// Throws `.unreachable` where not one address answers; an address that does not is left out, and named by
  /// `unreachable`.
  func run() throws(ClientError) -> LoadResult {
    var (addresses, reasons) = LoadGenerator.reachable(plan.endpoints)
    guard !addresses.isEmpty else { throw .unreachable(reasons) }
    let workerCount = max(1, min(plan.threadCount, plan.clientCount))
    var workers: [LoadWorker] = []
    for i in 0..<workerCount {
      workers.append(try LoadWorker(plan: plan, worker: i, workerCount: workerCount, addresses: addresses))
    }
    for client in 0..<max(1, plan.clientCount) {
      let address = client % addresses.count
      do throws(ConnectFailure) {
        try workers[client % workerCount].connect(to: address, within: 3_000)
      } catch {
        reasons.append(error.text)
      }
    }
    guard workers.allSatisfy(\.hasConnections) else { throw .unreachable(reasons) }
    run(workers)
    var result = LoadResult()
    for worker in workers { result.merge(worker.result) }
    return result
  }

  private func run(_ workers: [LoadWorker]) {
    let group = DispatchGroup()
    for worker in workers {
      group.enter()
      let thread = Thread {
        worker.run()
        group.leave()
      }
      thread.start()
    }
    while group.wait(timeout: .now() + 1) == .timedOut {
      progress?(workers.reduce(0) { $0 + $1.answeredSoFar })
    }
  }

  /// One socket address for each endpoint that accepts a connection, and the reasons of the others.
  static func reachable(_ endpoints: [Endpoint]) -> (addresses: [Destination], reasons: [String]) {
    var addresses: [Destination] = []
    var reasons: [String] = []
    for endpoint in endpoints {
      do {
        var reason = "no address"
        var found: SocketAddress?
        for address in try endpoint.resolve() where found == nil {
          do throws(ConnectFailure) {
            _ = try Socket.connected(to: address, within: 3_000)
            found = address
          } catch {
            reason = error.text
          }
        }
        if let found {
          addresses.append(Destination(address: found, endpoint: endpoint))
        } else {
          reasons.append("\(endpoint): \(reason)")
        }
      } catch {
        reasons.append("\(error)")
      }
    }
    return (addresses, reasons)
  }
}
