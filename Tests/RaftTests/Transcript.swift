import Base

@testable import Raft

/// A small cluster that does what a transcript's commands say, and tells what every node then did.
///
///     cluster voters=1,2,3 learners=4 new=5    nodes; `new` ones know of no configuration; 4@7 is node 4, born by v7
///     tick 1 [10]      propose 1 text     change 1 version=1 voters=1,2 learners=3     read 1 7
///     campaign 1       transfer 1 2       unreachable 1 2
///     write 1          complete all writes under way of node 1; `quiesce` does it by itself
///     deliver [1 2]    deliver what is on the way (from 1 to 2), once
///     drop 1 2         lose what is on the way from 1 to 2
///     quiesce [quietly] write and deliver until nothing moves
///     cut 2 / join 2   from now on, all messages from and to node 2 are lost / arrive
///     crash 1          losing what was not written; and start again
///     rot 1 2 [vote]   as crash, and the disk is what it was after its second write; the vote is lost too
///     compact 1 bytes  snapshot what is applied, keep a tail of so many bytes
///     send 1 2         node 1's snapshot goes to node 2; `fail 1 2`: it does not arrive
///     status           of all nodes;   log 1   node 1's log
struct Transcript {
  var nodes: [TestNode] = []
  var network: [Message] = []
  var isCut: Set<NodeID> = []
  var output: [String] = []

  // MARK: The file

  /// The file's text with each block's output replaced by what happens now.
  static func replay(_ text: String) throws -> String {
    var transcript = Transcript()
    var result: [String] = []
    var commands: [Substring] = []
    var isInOutput = false
    func finish() throws {
      result.append("----")
      for command in commands where !command.hasPrefix("#") { try transcript.perform(command) }
      result += transcript.output.isEmpty ? ["nothing"] : transcript.output
      transcript.output = []
      commands = []
    }
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty {
        if isInOutput { try finish() }
        isInOutput = false
        result.append("")
      } else if line == "----" {
        isInOutput = true
      } else if !isInOutput {
        commands.append(line)
        result.append(String(line))
      }
    }
    if isInOutput { try finish() }
    while result.last == "" { result.removeLast() }
    return result.joined(separator: "\n") + "\n"
  }

  private func place(_ id: NodeID) throws -> Int {
    guard let at = nodes.firstIndex(where: { $0.id == id }) else { throw Violation(description: "no node \(id)") }
    return at
  }

  // MARK: Commands

  private mutating func perform(_ line: Substring) throws {
    let words = line.split(separator: " ").map(String.init)
    let numbers = words.map { UInt64($0) }
    if words[0] == "cluster" { return try makeCluster(words) }
    if words[0] == "quiesce" { return try quiesce(quietly: words.count > 1) }
    if words[0] == "status" { return nodes.forEach { output.append(Self.status($0)) } }
    if words[0] == "deliver", words.count == 1 { return try deliver { _ in true } }
    guard words.count > 1, let first = numbers[1] else { throw Violation(description: "what is '\(line)'?") }
    let id = NodeID(first)
    let at = try place(id)
    let second = words.count > 2 ? numbers[2] : nil
    let other = NodeID(second ?? 0)
    switch words[0] {
    case "tick": for _ in 0..<(second ?? 1) { nodes[at].group.tick() }
    case "campaign": nodes[at].group.campaign()
    case "recover": nodes[at].group.recover(without: Set(Self.list("lost", words)))
    case "accept": nodes[at].group.acceptLoss()
    case "commit": nodes[at].group.commitAll()
    case "begin": nodes[at].group.beginMembers(withSnapshotThrough: LogIndex(second ?? 0))
    case "unreachable": nodes[at].group.reportUnreachable(other)
    case "write": while !nodes[at].writing.isEmpty { nodes[at].completeWrite() }
    case "deliver": try deliver { $0.from.node == id && $0.to.node == other }
    case "drop": network.removeAll { $0.from.node == id && $0.to.node == other }
    case "cut": isCut.insert(id)
    case "join": isCut.remove(id)
    case "crash": try nodes[at].restart()
    case "rot":
      nodes[at].disk.rot(to: Int(second ?? 0), isVoteLost: words.count > 3)
      try nodes[at].restart()
    case "compact": nodes[at].makeSnapshot(keepingTail: Int(second ?? 0))
    case "send": try send(from: at, to: try place(other))
    case "fail": nodes[at].group.snapshotSent(to: other, index: LogIndex(0), succeeded: false)
    case "log": output.append("\(first) log \(Self.entries(Self.log(nodes[at].group)))")
    default: try order(words, at, second)
    }
    try drain(at)
  }
  /// The commands that may be refused.
  private mutating func order(_ words: [String], _ at: Int, _ second: UInt64?) throws {
    do throws(ProposalRefused) {
      switch words[0] {
      case "propose": _ = try nodes[at].group.propose(Array(words[2].utf8))
      case "read": try nodes[at].group.readIndex(context: second ?? 0)
      case "transfer": try nodes[at].group.transferLeadership(to: NodeID(second ?? 0))
      case "change":
        let version = Self.list("version", words).first?.rawValue ?? 0
        _ = try nodes[at].group.propose(
          voters: Self.list("voters", words), learners: Self.list("learners", words), ifVersion: version)
      default: output.append("unknown command \(words[0])")
      }
    } catch {
      output.append("\(nodes[at].id.rawValue) refuses: \(Self.refusal(error))")
    }
  }
  private mutating func makeCluster(_ words: [String]) throws {
    self = Transcript()
    let first = Configuration(founders: Self.list("voters", words), learners: Self.list("learners", words))
    var options = RaftOptions()
    options.maxMessageBytes = 64
    options.maxInflightBytes = 200
    for member in first.members {
      nodes.append(try TestNode(id: member.node, options: options, configuration: first))
    }
    for id in Self.list("new", words) { nodes.append(try TestNode(id: id, options: options, configuration: .empty)) }
    for at in nodes.indices { _ = nodes[at].group.takeReady() }
  }
  private static func list(_ key: String, _ words: [String]) -> [NodeID] {
    guard let word = words.first(where: { $0.hasPrefix(key + "=") }) else { return [] }
    return word.dropFirst(key.count + 1).split(separator: ",").compactMap { UInt64($0).map { NodeID($0) } }
  }
  private mutating func send(from: Int, to: Int) throws {
    let snapshot = nodes[from].disk.snapshot
    let isTaken = nodes[to].install(snapshot)
    output.append(
      "\(nodes[to].id.rawValue) \(isTaken ? "installs" : "refuses") the snapshot at \(Self.place(snapshot.position))")
    try drain(to)
    nodes[from].group.snapshotSent(to: nodes[to].id, index: snapshot.position.index, succeeded: isTaken)
  }
  private mutating func deliver(_ isMeant: (Message) -> Bool) throws {
    let messages = network.filter(isMeant)
    network.removeAll(where: isMeant)
    for message in messages where !isCut.contains(message.from.node) && !isCut.contains(message.to.node) {
      let at = try place(message.to.node)
      nodes[at].group.step(message)
      try drain(at)
    }
  }
  private mutating func quiesce(quietly: Bool) throws {
    let before = output
    for _ in 0..<100 {
      for at in nodes.indices {
        while !nodes[at].writing.isEmpty { nodes[at].completeWrite() }
        try drain(at)
      }
      if network.isEmpty && nodes.allSatisfy(\.writing.isEmpty) { break }
      try deliver { _ in true }
    }
    if quietly { output = before }
  }
  /// Does what the node wants, and tells.
  private mutating func drain(_ at: Int) throws {
    let id = nodes[at].id.rawValue
    let ready = nodes[at].group.takeReady()
    let group = nodes[at].group
    if ready.roleChanged { output.append("\(id) is \(group.role) in term \(group.term.rawValue)") }
    for message in ready.messages {
      network.append(try Schedule.recoded(message))
      output.append(Self.line(message))
    }
    if let persist = ready.persist {
      nodes[at].writing.append(persist)
      output.append("\(id) writes \(Self.line(persist))")
    }
    nodes[at].toApply += ready.committed
    while let entry = nodes[at].applyOne() { output.append("\(id) applies \(Self.entry(entry))") }
    if let born = ready.successor {
      output.append("\(id) is another now, born by version \(born)")
      try nodes[at].beginAnew(born: born)
    }
    if ready.isRepaired { output.append("\(id) is whole again") }
    if let index = ready.lossNoticed { output.append("\(id) lacks entries up to \(index.rawValue)") }
    if ready.configurationChanged { output.append("\(id) has \(Self.line(group.configuration))") }
    for state in ready.readStates { output.append("\(id) may read \(state.context) at \(state.index.rawValue)") }
    for context in ready.readsRefused { output.append("\(id) refuses read \(context)") }
    for need in ready.snapshotNeeded {
      output.append("\(id) wants a snapshot of \(need.afterIndex.rawValue) or later sent to \(need.peer.rawValue)")
    }
  }

  // MARK: Words

  private static func place(_ position: LogPosition) -> String {
    "\(position.index.rawValue)/\(position.term.rawValue)"
  }
  private static func entry(_ entry: LogEntry) -> String {
    let place = "\(entry.index.rawValue)/\(entry.term.rawValue)"
    switch entry.kind {
    case .noop: return "\(place) no-op"
    case .command: return "\(place) '\(String(decoding: entry.payload, as: UTF8.self))'"
    case .configuration:
      let configuration = try? Configuration(payload: entry.payload)
      return "\(place) \(configuration.map(line) ?? "?")"
    }
  }
  private static func entries(_ list: [LogEntry]) -> String { "[" + list.map(entry).joined(separator: ", ") + "]" }
  private static func id(_ replica: ReplicaID) -> String {
    "\(replica.node.rawValue)" + (replica.born > 1 ? "@\(replica.born)" : "")
  }
  private static func ids(_ list: [ReplicaID]) -> String { list.map(id).joined(separator: ",") }
  private static func line(_ configuration: Configuration) -> String {
    var text = "v\(configuration.version) voters \(ids(configuration.voters))"
    if configuration.isJoint { text += " and \(ids(configuration.outgoing))" }
    if !configuration.learners.isEmpty { text += " learners \(ids(configuration.learners))" }
    return text
  }
  private static func line(_ persist: Persist) -> String {
    var parts: [String] = []
    if let restart = persist.restart { parts.append("restart after \(place(restart))") }
    if let state = persist.hardState {
      parts.append("term \(state.term.rawValue) vote \(id(state.vote)) commit \(state.commit.rawValue)")
      if state.damage != .none { parts.append(line(state.damage)) }
    }
    if !persist.entries.isEmpty { parts.append(entries(persist.entries)) }
    return parts.joined(separator: ", ")
  }
  private static func line(_ damage: Damage) -> String {
    "life \(damage.life)\(damage.isOpen ? " damaged" : "")\(damage.isFenced ? " fenced" : "")"
  }
  private static func line(_ message: Message) -> String {
    var text = "\(id(message.from))→\(id(message.to)) \(message.kind) term \(message.term.rawValue)"
    let at = "\(message.index.rawValue)/\(message.logTerm.rawValue)"
    switch message.kind {
    case .preVote, .vote: text += " log \(at)\(message.force ? " by order" : "")"
    case .preVoteReply, .voteReply: text += message.reject ? " no" : " yes"
    case .append: text += " after \(at) \(entries(message.entries)) commit \(message.commit.rawValue)"
    case .appendReply:
      text +=
        message.reject
        ? " not after \(message.index.rawValue), try \(message.hint.rawValue)/\(message.logTerm.rawValue)"
        : " through \(message.index.rawValue)"
    case .heartbeat:
      text += " commit \(message.commit.rawValue)\(message.context > 0 ? " round \(message.context)" : "")"
    case .heartbeatReply: text += message.context > 0 ? " round \(message.context)" : ""
    case .timeoutNow: break
    }
    if message.kind == .heartbeat, message.index.rawValue > 0 { text += " whole at \(message.index.rawValue)" }
    if message.life > 0 {
      text +=
        " [" + line(Damage(life: message.life, isOpen: message.isDamaged, isFenced: message.isFenced)) + "]"
    }
    return text
  }
  private static func status(_ node: TestNode) -> String {
    let group = node.group
    var text = "\(node.id.rawValue) \(group.role) term \(group.term.rawValue) leader \(id(group.leader))"
    text += " log \(group.firstIndex.rawValue)...\(group.lastIndex.rawValue) commit \(group.commitIndex.rawValue)"
    if group.damage != .none { text += " " + line(group.damage) }
    for peer in group.progress {
      text += "; \(id(ReplicaID(node: peer.id, born: peer.born))) \(peer.state) match \(peer.match.rawValue)"
      if peer.lagEntries > 0 { text += " lag \(peer.lagEntries)" }
    }
    return text
  }
  private static func log(_ group: RaftGroup) -> [LogEntry] {
    group.log.slice(from: group.log.firstIndex, through: group.log.lastIndex)
  }
  private static func refusal(_ error: ProposalRefused) -> String {
    switch error {
    case .notLeader(let leader): "not the leader, ask \(leader.rawValue)"
    case .transferring(let to): "leadership goes to \(to.rawValue)"
    case .tooMuchUncommitted: "too much is uncommitted"
    case .changeInFlight: "a change is under way"
    case .termNotCommitted: "nothing of this term is committed"
    case .wrongVersion(let current): "the configuration is version \(current)"
    case .invalidConfiguration: "no valid change"
    case .notAVoter: "that is no voter"
    }
  }
}
