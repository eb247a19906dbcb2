import Base
import Protocol
import Storage

@testable import Cluster
@testable import NodeDisk

/// One node with a disk in memory and no shell but this: what it asks for is done at once.
final class NodeHarness {
  let node: Node
  private let storage: NodeStorage
  private var monotonic: UInt64 = 1_000_000
  private(set) var output: [UInt8] = []
  private(set) var closedClients: Set<ClientID> = []
  private(set) var closedLinks: Set<LinkID> = []
  private(set) var exit: Int32?

  init(seed: UInt64) throws {
    var configuration = NodeConfiguration(
      name: "n-1", region: "r", clientAddress: "n:1", peerAddress: "n:2", join: ["n:2"])
    configuration.snapshotLogBytes = 32 << 10
    configuration.logTailBytes = 4 << 10
    let wall = Stamp(microseconds: 1_700_000_000_000_000)
    let opened = try NodeStorage.open(
      dataDirectory: "/data", fileSystem: MemoryFileSystem(), newIdentity: seed | 1, wall: wall,
      logOptions: .init(segmentBytes: 1 << 20, maxRecordBytes: 512 << 10))
    storage = opened.storage
    node = Node(
      configuration: configuration, storage: opened.recovered, seed: seed, newHashKey: HashKey(low: 1, high: 2),
      now: Moment(monotonic: monotonic, wall: wall))
    quiesce()
  }

  var now: Moment {
    Moment(monotonic: monotonic, wall: Stamp(microseconds: 1_700_000_000_000_000 + Int64(monotonic)))
  }
  func pass(_ microseconds: UInt64) {
    let end = monotonic + microseconds
    while monotonic < end && exit == nil {
      monotonic += 10_000
      node.tick(now: now)
      quiesce()
    }
  }

  func client(_ number: UInt64) -> ClientID {
    node.clientOpened(ClientID(number), from: "fuzz", now: now)
    return ClientID(number)
  }
  /// What the node took of the bytes.
  @discardableResult func send(_ bytes: [UInt8], from client: ClientID) -> Int {
    let taken = bytes.withUnsafeBytes { node.clientReceived(client, $0, now: now) }
    quiesce()
    return taken
  }
  func ask(_ line: String, from client: ClientID) -> String {
    output.removeAll()
    send(text(line + "\r\n"), from: client)
    for _ in 0..<500 where output.isEmpty { pass(20_000) }
    return String(decoding: output, as: UTF8.self)
  }

  func link(_ number: UInt64) -> LinkID {
    node.linkOpened(LinkID(number), request: nil, now: now)
    quiesce()
    return LinkID(number)
  }
  @discardableResult func send(_ bytes: [UInt8], on link: LinkID) -> Int {
    let taken = bytes.withUnsafeBytes { node.linkReceived(link, $0, now: now) }
    quiesce()
    return taken
  }

  /// Does what the node wants done until it wants nothing more.
  func quiesce() {
    for _ in 0..<200 {
      var effects = Effects<NodeWork>()
      node.flush(now: now, into: &effects)
      for (_, bytes) in effects.clientOutput { output += bytes }
      closedClients.formUnion(effects.clientClose)
      closedLinks.formUnion(effects.linkClose)
      for (request, _, _) in effects.openLink { node.linkFailed(request: request, now: now) }
      if let exit = effects.exit { self.exit = exit.code }
      var isBusy = effects.wantsTurn
      if let batch = effects.logBatch {
        isBusy = true
        guard let completion = try? storage.write(batch) else {
          exit = 1
          return
        }
        node.completed(completion, now: now)
        if let measured = storage.maintain() { node.completed(measured, now: now) }
      }
      for job in effects.jobs {
        isBusy = true
        node.completed(storage.run(job), now: now)
      }
      if !isBusy { return }
    }
  }
}
