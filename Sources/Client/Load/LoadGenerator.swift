import Foundation

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
    var sockets = [[(socket: Socket, address: Int)]](repeating: [], count: workerCount)
    for client in 0..<max(1, plan.clientCount) {
      let address = client % addresses.count
      switch Socket.connected(to: addresses[address], within: 3_000) {
      case .success(let socket): sockets[client % workerCount].append((socket, address))
      case .failure(let failure): reasons.append(failure.text)
      }
    }
    guard sockets.allSatisfy({ !$0.isEmpty }) else { throw .unreachable(reasons) }
    var workers: [LoadWorker] = []
    for (i, share) in sockets.enumerated() {
      workers.append(
        try LoadWorker(plan: plan, worker: i, workerCount: workerCount, addresses: addresses, sockets: share))
    }
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
  static func reachable(_ endpoints: [Endpoint]) -> (addresses: [SocketAddress], reasons: [String]) {
    var addresses: [SocketAddress] = []
    var reasons: [String] = []
    for endpoint in endpoints {
      do {
        var reason = "no address"
        var found: SocketAddress?
        for address in try endpoint.resolve() where found == nil {
          switch Socket.connected(to: address, within: 3_000) {
          case .success(let socket):
            socket.close()
            found = address
          case .failure(let failure): reason = failure.text
          }
        }
        if let found { addresses.append(found) } else { reasons.append("\(endpoint): \(reason)") }
      } catch {
        reasons.append("\(error)")
      }
    }
    return (addresses, reasons)
  }
}
