import Foundation
import Replies
import System

@testable import Client

/// A stand-in for a cluster: a few listeners on loopback that speak the line protocol over one shared ledger, thread
/// a connection, with faults on demand. It knows just what these tests ask of it.
final class FakeCluster: @unchecked Sendable {
  struct Faults {
    /// Every so many EARNs are answered with this line instead; 0 for never.
    var errorEvery = 0
    var errorLine = "-BUSY too much to do"
    /// Whether the effect of such an EARN happens all the same.
    var appliesAnyway = false
    /// A connection ends without a word after so many requests; 0 for never.
    var dropAfter = 0
  }

  private let lock = NSLock()
  private var members: Set<String> = []
  private var balances: [String: Int] = [:]
  private var answers: [String: (content: String, reply: String)] = [:]
  private var transactions = 0
  private var earnCount = 0
  private var begun = 0
  private var followed = 0
  /// So often it is told that a save is under way.
  private var savesLeft = 4
  private var programs: [String: String] = [:]
  private(set) var nodes: [FakeNode] = []
  private var storedFaults = Faults()
  private var feeds: [String] = []
  private var users: [String] = []
  var isBalanced = true

  init(nodeCount: Int = 3) throws {
    for i in 0..<nodeCount { nodes.append(try FakeNode(index: i, cluster: self)) }
  }
  deinit { for node in nodes { node.stop() } }

  var faults: Faults {
    get { lock.withLock { storedFaults } }
    set { lock.withLock { storedFaults = newValue } }
  }
  var addresses: String { nodes.map { "127.0.0.1:\($0.port)" }.joined(separator: ",") }
  var transactionCount: Int { lock.withLock { transactions } }
  var begunCount: Int { lock.withLock { begun } }
  /// How often it was asked how an operation is.
  var followedCount: Int { lock.withLock { followed } }
  var memberCount: Int { lock.withLock { members.count } }
  func balance(_ member: String) -> Int { lock.withLock { balances[member] ?? 0 } }
  /// How the feed was asked for.
  var asked: [String] { lock.withLock { feeds } }
  /// Who signed in, in order.
  var signedIn: [String] { lock.withLock { users } }
  var totalPoints: Int { lock.withLock { balances.values.reduce(0, +) } }

  static let regions = ["east", "north", "west"]

  /// The reply to one line, with its line breaks.
  func answer(_ line: String) -> String {
    lock.withLock { respond(line) } + "\r\n"
  }

  private func respond(_ line: String) -> String {
    let words = Words.split(line) ?? []
    let verb = words.prefix(2).joined(separator: " ").uppercased()
    var keys: [String: String] = [:]
    for word in words {
      let pair = word.split(separator: "=", maxSplits: 1).map(String.init)
      if pair.count == 2 { keys[pair[0]] = pair[1] }
    }
    switch verb {
    case "MEMBER ADD":
      if let referrer = keys["referrer"], !members.contains(referrer) {
        return "-NOTFOUND referrer=: no such member '\(referrer)'"
      }
      members.insert(words[2])
      return "+OK"
    case "MEMBER SHOW":
      return members.contains(words[2]) ? "+member=\(words[2]) state=active" : "-NOTFOUND no member \(words[2])"
    case "PROGRAM SET":
      programs[words[2]] = keys["title"] ?? programs[words[2]] ?? ""
      return "+OK"
    case "PROGRAM LIST":
      let rows = programs.sorted { $0.key < $1.key }
        .map { "\r\n+program=\($0.key) kind=points earn=1/100 expire=never title=\(Words.quote($0.value))" }
      return "*\(programs.count)" + rows.joined()
    case "MERCHANT SET": return "+OK"
    case "CLUSTER NODES":
      let rows = nodes.indices.map {
        "\r\n+node=\(FakeCluster.regions[$0 % 3])-1 region=\(FakeCluster.regions[$0 % 3])"
          + " address=127.0.0.1:\(nodes[$0].port) state=up"
      }
      return "*\(nodes.count)" + rows.joined()
    case "CLUSTER SHARDS" where isBalanced:
      return "*1\r\n+shard=1 slots=0-16383 leader=east-1 region=east term=2 commit=7 applied=7"
    case "CLUSTER STATUS": return "+cluster=c1 nodes=3 up=3 shards=4 healthy=\(isBalanced ? "yes" : "no")"
    case "CLUSTER SHARD" where words[3] == "8" && savesLeft > 0 && keys["dry-run"] == nil:
      return "-CONFLICT operation 5 is under way on shard 8 (tally op wait 5); nothing was done"
    case "CLUSTER OP" where words.last == "5":
      savesLeft -= 1
      return operation("5", savesLeft > 0 ? "running" : "done").replacingOccurrences(
        of: "shard-leader", with: "backup-save")
    case "CLUSTER SHARD" where words[3] == "9": return "-CONFLICT operation 3 is under way on shard 9"
    case "CLUSTER SHARD" where keys["dry-run"] == "yes": return "*1\r\n+step=1 shard=3 from=east-1 to=north-1"
    case "CLUSTER SHARD": return operation("1", "running")
    case "CLUSTER REBALANCE" where keys["apply"] == "yes":
      begun += 1
      return operation("1", "running")
    case "CLUSTER REBALANCE":
      return "*2\r\n+node=east-1 region=east replicas=4 replicas-after=3 leaders=1 leaders-after=1"
        + "\r\n+step=1 shard=3 kind=replica from=east-1 to=east-2 bytes=1024 crosses=no"
    case "CLUSTER CHECK":
      let verdict = "+ok=\(isBalanced ? "yes" : "no") nodes=3 shards=4 compared=4"
      return isBalanced ? "*1\r\n\(verdict)" : "*2\r\n\(verdict)\r\n+kind=down node=west-1 text=\"it is not in reach\""
    case "HEALTH ALL=YES":
      return isBalanced
        ? "+healthy: committed on 4 of 4 led shards, took 812 us" : "-UNAVAILABLE this node knows no leader of shards 4"
    case "CLUSTER PLACEMENT" where keys["leaders"] == "mars": return "-CONFLICT there is no node in region mars"
    case "CLUSTER PLACEMENT":
      return "*3\r\n+kind=rule spread=even leads=any\r\n+kind=rule shard=3 leads=east"
        + "\r\n+kind=breach shard=3 node=west-1 text=\"it is led from region west, not from east\""
    case "CLUSTER LIMIT" where keys["dead-after"] == "9s": return "-ERR dead-after must be off, or a time"
    case "CLUSTER LIMIT": return "+dead-after=\(keys["dead-after"] ?? "10m") moves=\(keys["moves"] ?? "4")"
    case "CLUSTER OP":
      followed += words[2] == "SHOW" ? 1 : 0
      // Of three operations one is done, one has failed, one never ends unless it is given up.
      let states = ["1": "done", "2": "failed", "3": words[2] == "CANCEL" ? "cancelled" : "waiting"]
      guard words[2] != "LIST" else {
        let rows = states.sorted { $0.key > $1.key }.map { "\r\n" + operation($0.key, $0.value) }
        return "*3" + rows.joined()
      }
      return states[words[3]].map { operation(words[3], $0) } ?? "-NOTFOUND there is no operation \(words[3])"
    case "CLUSTER INIT" where keys["dry-run"] == "yes":
      return "*2\r\n+cluster=none nodes=3 shards=1 replicas=3\r\n+shard=1 slots=0-16383 leader=east-1"
    case "CLUSTER INIT" where keys["replicas"] == "2": return "-ERR replicas must be odd"
    case "CLUSTER INIT": return "+cluster=c1 shards=\(keys["shards"] ?? "4")"
    default: break
    }
    switch words.first?.uppercased() ?? "" {
    case "AUDIT":
      let total = "total=yes members=\(members.count) transactions=\(transactions) sum=0 intransit=0"
      return "*2\r\n+shard=1 index=7 accounts=3 transactions=\(transactions) sum=0 intransit=0 digest=00ff\r\n+\(total)"
        + " balanced=\(isBalanced ? "yes" : "no") asof=1764385200000"
    case "EARN": return earn(words[1], keys, line)
    case "FEED":
      feeds.append(line)
      let (from, limit) = (Int(keys["from"] ?? "0") ?? 0, Int(keys["limit"] ?? "") ?? 1_000)
      guard from <= transactions else { return "-NOTFOUND no such place" }
      let rows = (from..<min(from + limit, transactions)).map {
        "\r\n+cursor=\($0 + 1) shard=1 tx=1-\($0 + 1) kind=earn"
      }
      return "*\(rows.count)" + rows.joined()
    case "REPORT" where words.count < 3: return "-ERR there are reports of points, members, campaigns"
    case "REPORT":
      return "*2\r\n+merchant=\"a, b\" issued=5 outstanding=5 asof=1764385200000"
        + "\r\n+merchant=operator issued=1 outstanding=1 adjusted=1 asof=1764385200000"
    case "BALANCE": return "+member=\(words[1]) program=p balance=\(balances[words[1]] ?? 0)"
    case "AUTH" where words.last == "wrong": return "-WRONGPASS invalid username-password pair or user is disabled."
    case "AUTH":
      users.append(words[1])
      return "+OK"
    case "PING": return "+PONG"
    case "HELP": return "$11\r\nEARN\r\nAUDIT"
    default: return "-ERR unknown verb '\(words.first ?? "")'"
    }
  }

  private func operation(_ number: String, _ state: String) -> String {
    "+op=\(number) kind=shard-leader target=\"shard 3\" state=\(state) steps=1 done=0 current=\"hand over\""
      + " eta-seconds=unknown error=none started=1764385200000 by=operator detail=none"
  }

  private func earn(_ member: String, _ keys: [String: String], _ line: String) -> String {
    earnCount += 1
    let isFaulty = storedFaults.errorEvery > 0 && earnCount % storedFaults.errorEvery == 0
    if isFaulty, !storedFaults.appliesAnyway { return storedFaults.errorLine }
    guard members.contains(member) else { return "-NOTFOUND no member \(member)" }
    let key = "\(member) \(keys["merchant"] ?? "") \(keys["id"] ?? "")"
    if let kept = answers[key] {
      return kept.content == line ? kept.reply : "-CONFLICT the request id was used for another request"
    }
    let points = keys["points"].flatMap { Int($0) } ?? (keys["spend"].flatMap { Int($0) } ?? 0) / 100
    transactions += 1
    balances[member, default: 0] += points
    let reply = "+tx=1-\(transactions) member=\(member) program=p points=\(points) balance=\(balances[member] ?? 0)"
    answers[key] = (line, reply)
    return isFaulty ? storedFaults.errorLine : reply
  }
}

/// One listener of a fake cluster. It can be stopped and started again on the same port.
///
/// A second socket is bound to the port for as long as the node exists and never listens, so that a stopped node
/// refuses connections: without it the system gives the port to the next listener, and a client of this node is then
/// served by the cluster of another test.
final class FakeNode: @unchecked Sendable {
  let port: UInt16
  private let seat: Int32
  private unowned let cluster: FakeCluster
  private let lock = NSLock()
  private var listener: Int32 = -1
  private var peers: Set<Int32> = []
  private var served = 0
  var requestCount: Int { lock.withLock { served } }

  /// - Parameter isHung: takes connections, as the system does for a process that is stopped, and nothing else.
  init(index: Int, cluster: FakeCluster, isHung: Bool = false) throws {
    self.cluster = cluster
    (seat, port) = try FakeNode.bind(to: 0)
    let (descriptor, _) = try FakeNode.bind(to: port)
    guard Foundation.listen(descriptor, 128) == 0 else { throw FakeNode.failure("listen") }
    listener = descriptor
    if !isHung { accept(descriptor) }
  }
  deinit { close(seat) }

  private static func failure(_ call: String) -> ClientError { .local("\(call): \(SystemError.text(of: errno))") }

  private static func bind(to port: UInt16) throws -> (Int32, UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, 4)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
        Foundation.bind(descriptor, rebound, size) == 0 && getsockname(descriptor, rebound, &size) == 0
      }
    }
    guard isBound else { throw failure("bind") }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  /// As if killed: the listener and all connections end at once.
  func stop() {
    lock.withLock {
      if listener >= 0 { shutdown(listener, Int32(SHUT_RDWR)) }
      listener = -1
      for peer in peers { shutdown(peer, Int32(SHUT_RDWR)) }
    }
  }

  func restart() throws {
    let (descriptor, _) = try FakeNode.bind(to: port)
    guard Foundation.listen(descriptor, 128) == 0 else { throw FakeNode.failure("listen") }
    lock.withLock { listener = descriptor }
    accept(descriptor)
  }

  private func accept(_ descriptor: Int32) {
    Thread.detachNewThread { [self] in
      while true {
        let peer = Foundation.accept(descriptor, nil, nil)
        guard peer >= 0 else { break }
        lock.withLock { _ = peers.insert(peer) }
        Thread.detachNewThread { [self] in serve(peer) }
      }
      close(descriptor)
    }
  }

  private func serve(_ peer: Int32) {
    var input: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    var requests = 0
    serving: while true {
      let n = recv(peer, &chunk, chunk.count, 0)
      guard n > 0 else { break }
      input += chunk[..<n]
      var output = ""
      var start = 0
      while let newline = input[start...].firstIndex(of: 10) {
        let line = String(decoding: input[start..<newline], as: UTF8.self).trimmingCharacters(in: .newlines)
        start = newline + 1
        output += cluster.answer(line)
        requests += 1
        lock.withLock { served += 1 }
        let dropAfter = cluster.faults.dropAfter
        // The replies to what was done just now are lost with the connection.
        if dropAfter > 0, requests >= dropAfter { break serving }
      }
      input.removeFirst(start)
      let bytes = Array(output.utf8)
      var sent = 0
      while sent < bytes.count {
        let n = bytes.withUnsafeBytes {
          send(peer, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL))
        }
        guard n > 0 else { break serving }
        sent += n
      }
    }
    lock.withLock { _ = peers.remove(peer) }
    close(peer)
  }
}
