import Base
import Testing

@testable import Raft

/// Groups in which nothing is under way.
struct IdleGroupTests {
  private struct Trio {
    var nodes: [TestNode] = []

    init() throws {
      var options = RaftOptions()
      options.idleAfterTicks = 4
      let ids = (1...3 as ClosedRange<UInt64>).map { NodeID($0) }
      let payload = Configuration(founders: ids).payload
      let founding = LogEntry(index: LogIndex(1), term: Term(1), kind: .configuration, payload: payload)
      nodes = try ids.map { try TestNode(id: $0, options: options, founding: founding) }
      nodes[0].group.campaign()
      settle()
    }
    /// Writes and delivers until nothing moves. Gives what was sent.
    @discardableResult mutating func settle(losing isLost: (Message) -> Bool = { _ in false }) -> [Message] {
      var sent: [Message] = []
      while true {
        var moving: [Message] = []
        for at in nodes.indices {
          let ready = nodes[at].group.takeReady()
          if let persist = ready.persist {
            nodes[at].disk.write(persist)
            nodes[at].group.persisted(persist.sequence)
          }
          moving += ready.messages + nodes[at].group.takeReady().messages
        }
        if moving.isEmpty { return sent }
        sent += moving
        for message in moving where !isLost(message) { nodes[Int(message.to.node.rawValue) - 1].group.step(message) }
      }
    }
    /// A tick at each node. Gives what was sent.
    mutating func tick(isIdleBeat: Bool = false) -> [Message] {
      for at in nodes.indices { nodes[at].group.tick(isIdleBeat: isIdleBeat) }
      return settle()
    }
    mutating func rest() {
      for _ in 0..<5 { _ = tick() }
    }
    var isIdle: Bool { nodes[0].group.isIdle }
  }

  @Test func aLeaderOfAnIdleGroupSpeaksWithSomeTicksOnly() throws {
    var trio = try Trio()
    for _ in 0..<3 {
      let sent = trio.tick()
      #expect(sent.count == 4 && !sent.contains(where: \.mayWait))
    }
    #expect(!trio.isIdle)
    for _ in 0..<6 {
      let sent = trio.tick()
      #expect(trio.isIdle && sent.isEmpty)
    }
    let sent = trio.tick(isIdleBeat: true)
    #expect(sent.map(\.kind) == [.heartbeat, .heartbeat, .heartbeatReply, .heartbeatReply])
    #expect(sent.allSatisfy { $0.mayWait })
  }

  @Test func whatBeginsEndsItsRestAtOnce() throws {
    let events: [(String, (inout RaftGroup) throws -> Void)] = [
      ("proposal", { _ = try $0.propose([1]) }), ("read", { try $0.readIndex(context: 7) }),
      ("transfer", { try $0.transferLeadership(to: NodeID(2)) }),
      ("change", { _ = try $0.propose(voters: [NodeID(1), NodeID(2)], ifVersion: 1) }),
    ]
    for (name, begin) in events {
      var trio = try Trio()
      trio.rest()
      try #require(trio.isIdle)
      try begin(&trio.nodes[0].group)
      #expect(!trio.isIdle, "\(name)")
      let sent = trio.settle()
      #expect(!sent.isEmpty && !sent.contains(where: \.mayWait), "\(name)")
    }
  }

  @Test func aReadThatNobodyWaitsForLeavesItIdle() throws {
    var trio = try Trio()
    trio.rest()
    try trio.nodes[0].group.readIndex(context: 9, mayWait: true)
    #expect(trio.isIdle)
    let sent = trio.settle()
    #expect(sent.count == 4 && sent.allSatisfy { $0.mayWait })
    // One that somebody waits for is sent at once, and its answers too, though the other's have not come.
    try trio.nodes[0].group.readIndex(context: 10, mayWait: true)
    _ = trio.settle(losing: \.mayWait)
    try trio.nodes[0].group.readIndex(context: 11)
    let urgent = trio.settle()
    #expect(!urgent.isEmpty && !urgent.contains(where: \.mayWait))
  }

  @Test func aTickAndARoundShareTheirHeartbeats() throws {
    var trio = try Trio()
    trio.nodes[0].group.tick()
    try trio.nodes[0].group.readIndex(context: 3)
    let ready = trio.nodes[0].group.takeReady()
    #expect(ready.messages.map(\.kind) == [.heartbeat, .heartbeat])
    #expect(ready.messages.allSatisfy { $0.context > 0 })
  }

  @Test func aMemberThatLacksSomethingKeepsItAwake() throws {
    var trio = try Trio()
    trio.rest()
    _ = try trio.nodes[0].group.propose([1])
    _ = trio.settle { $0.to.node == NodeID(3) || $0.from.node == NodeID(3) }
    for _ in 0..<8 {
      trio.nodes[0].group.tick(isIdleBeat: false)
      let sent = trio.settle { $0.to.node == NodeID(3) || $0.from.node == NodeID(3) }
      #expect(sent.contains { $0.kind == .heartbeat && !$0.mayWait })
    }
    #expect(!trio.isIdle)
    trio.rest()
    trio.rest()
    #expect(trio.isIdle)
  }

  @Test func aTickSaysWhetherAnythingIsDue() throws {
    var trio = try Trio()
    let ofBusy = trio.nodes[0].group.tick(isIdleBeat: false)
    _ = trio.settle()
    trio.rest()
    let between = trio.nodes[0].group.tick(isIdleBeat: false)
    let ofIdle = trio.nodes[0].group.tick(isIdleBeat: true)
    #expect(ofBusy.isReady && !between.isReady && ofIdle.isReady)
    #expect(!ofBusy.isIdle && between.isIdle && ofIdle.isIdle)
    _ = trio.settle()
    var (waits, calm) = (1, 0)
    while waits < 100 {
      let outcome = trio.nodes[1].group.tick()
      if outcome.isReady { break }
      if !outcome.isWaiting { calm += 1 }
      waits += 1
    }
    #expect(waits >= trio.nodes[1].group.options.electionTicks && waits <= 15)
    let electionTicks = trio.nodes[1].group.options.electionTicks
    #expect(calm == (electionTicks - 1) / 2, "from half of the shortest wait on each tick counts")
  }
}
