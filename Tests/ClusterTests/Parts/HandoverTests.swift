import Base
import Ledger
import Testing

@testable import Cluster

/// Slots that go from shard to shard, and back, under requests: the edge is the real one, shards and links are toys. Each
/// request has its effect once at most, those to one member in the order sent, and every answer is true.
@Suite struct HandoverTests {
  @Test(arguments: 1..<17) func requestsFollowTheirSlots(_ seed: UInt64) {
    let toy = Toy(seed: seed, losesLeaders: false)
    toy.live(steps: 2_000)
    #expect(toy.problems == [])
    // Nobody was lost, and every shard knows to whom it gave its slots.
    #expect(toy.given.isEmpty && toy.wentOver > 20, "\(toy.given) \(toy.wentOver)")
  }
  /// New requests wait behind those that wait for their slot to have left, also if it comes back meanwhile.
  @Test func nothingOvertakesWhatIsHeld() throws {
    var edge = Edge(streamBytesLimit: 64 << 20)
    let (one, two) = (ShardID(1), ShardID(2))
    edge.makeTables(through: two, incarnation: 3)
    func owns(_ shard: ShardID, _ epoch: UInt64) throws -> Whereabouts {
      Whereabouts(shard: shard, epoch: epoch, slots: try #require(SlotRanges([100..<112])))
    }
    edge.place([])
    edge.note(try owns(one, 1))
    _ = edge.note(leader: NodeID(5), Term(1), of: one)
    func append(_ number: UInt64, _ slot: Int) { Toy.append(number, slot: slot, flags: .repeatable, to: edge) }
    func sent(_ shard: ShardID) -> UInt32 {
      let stream = edge.stream(shard)
      var count: UInt32 = 0
      _ = edge.target(of: stream, now: .max) { _ in true }
      while stream.hasUnsent { stream.sendNext(limit: 1000) { _, added, _ in count += added } }
      return count
    }
    append(1, 100)
    append(2, 101)
    #expect(sent(one) == 2)
    let first = edge.stream(one).items.first
    let lost = edge.moved(edge.stream(one), first, Moved(to: try owns(two, 2)))
    append(3, 100)
    edge.handOver()
    let overtaking = sent(one)
    #expect(lost == nil && overtaking == 0)
    #expect(edge.shard(of: Slot(100)) == one && edge.owner(of: Slot(100)) == two)
    edge.note(try owns(one, 3))
    edge.handOver()
    let early = sent(one)
    #expect(early == 0, "the first request waits for the second")
    _ = edge.stream(one).complete(first + 1)
    edge.handOver()
    let left = edge.stream(one)
    let late = sent(one)
    #expect(late == 2 && (left.items.first..<left.items.next).map { left.items[$0].owner.slot } == [1, 3])
  }

  @Test(arguments: 1..<33) func andOutliveLeaders(_ seed: UInt64) {
    let toy = Toy(seed: seed + 1_000, losesLeaders: true)
    toy.live(steps: 2_000)
    #expect(toy.problems == [])
    #expect(toy.wentOver > 5 && toy.given.keys.allSatisfy { $0 == .unknown }, "\(toy.given) \(toy.wentOver)")
  }
}

/// A shard whose log is one list: a leader takes into it, and applies from it, when chance says so.
private struct ToyShard {
  struct Request {
    var member: Int
    var number: Int
    var sequence: UInt64
  }
  enum Entry {
    case request(Request)
    case handOver(Range<Int>, to: Int)
  }
  var leader: NodeID
  var term: UInt64 = 1
  var epochs = EdgeEpochs()
  var epoch: UInt64 = 1
  /// Taken and not applied. Whoever waits for one of them waits at the leader of its time.
  var log: [(entry: Entry, leader: NodeID)] = []
  var successors: [Int: Whereabouts] = [:]
}

fileprivate final class Toy {
  static let members = 12
  private struct Forwarded {
    var to: NodeID
    var shard: Int
    var epoch: UInt32
    var message: UInt64
    var requests: [ToyShard.Request]
  }
  private struct Answered {
    var from: NodeID
    var shard: Int
    var request: ToyShard.Request
    var moved: Moved?
  }
  var edge = Edge(streamBytesLimit: 64 << 20)
  private var chance: SeededGenerator
  private let losesLeaders: Bool
  private var shards: [ToyShard] = []
  /// By member, which has a slot of its own: who owns it, and since which epoch.
  private var owner: [Int]
  private var ownerEpoch: [UInt64]
  /// By member: the numbers of its requests that took effect, in order.
  private var effects = [[Int]](repeating: [], count: members)
  private var network: [Forwarded] = []
  private var answers: [Answered] = []
  private var sent = 0
  private var memberOf: [Int] = []
  private var isRepeatable: [Bool] = []
  private var outcomes: [Int: ErrorCode?] = [:]
  private(set) var problems: [String] = []
  private(set) var given: [ErrorCode: Int] = [:]
  private(set) var wentOver = 0

  init(seed: UInt64, losesLeaders: Bool) {
    chance = SeededGenerator(seed: seed)
    self.losesLeaders = losesLeaders
    edge.makeTables(through: ShardID(3), incarnation: 3)
    edge.place([])
    owner = (0..<Toy.members).map { $0 % 3 + 1 }
    ownerEpoch = [UInt64](repeating: 1, count: Toy.members)
    for number in 0...3 {
      shards.append(ToyShard(leader: NodeID(UInt64(number) << 32 | 1)))
      _ = edge.note(leader: shards[number].leader, Term(1), of: ShardID(UInt32(number)))
    }
    for member in 0..<Toy.members { tellMap(member) }
  }

  /// Members have neighbouring slots.
  private func slot(_ member: Int) -> Int { 100 + member }
  private func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &chance) }

  func live(steps: Int) {
    for step in 0..<steps {
      switch below(24) {
      case 0..<8: request()
      case 8..<11: send()
      case 11..<15: deliver()
      case 15..<18: apply()
      case 18..<21: answer()
      case 21: if below(4) == 0 { give() }
      case 22: if below(6) == 0 { tellMap(below(Toy.members)) }
      default:
        if losesLeaders, step % 7 == 0 { loseLeader(1 + below(3)) }
        if losesLeaders, below(3) == 0 { deliver(isOpen: false) }
      }
    }
    for _ in 0..<20_000 where outcomes.count < sent || edge.streams.contains(where: { !$0.items.isEmpty }) {
      send()
      deliver()
      apply()
      answer()
    }
    check()
  }

  private func request() {
    let member = below(Toy.members)
    let number = sent
    sent += 1
    memberOf.append(member)
    isRepeatable.append(below(5) != 0)
    Toy.append(
      UInt64(number), slot: slot(member), member: member, flags: isRepeatable[number] ? .repeatable : [], to: edge)
  }
  static func append(_ number: UInt64, slot: Int, member: Int = 0, flags: EdgeItem.Flags, to edge: Edge) {
    edge.stream(of: Slot(UInt16(slot))).append(
      owner: .init(client: 1, generation: 1, slot: number), flags: flags, deadline: .max
    ) { buffer in
      buffer.append(UInt32(CommandHeader.size + 16))
      buffer.append(UInt16(1))
      buffer.append(UInt16(slot))
      buffer.append([UInt8](repeating: 0, count: CommandHeader.size - 4))
      buffer.append(UInt64(member))
      buffer.append(number)
    }
  }
  private func send() {
    edge.handOver()
    for stream in edge.streams where stream.hasUnsent {
      let (target, lost) = edge.target(of: stream, now: .max) { _ in true }
      lost.forEach(giveUp)
      guard let target, below(5) != 0 else { continue }
      while stream.hasUnsent {
        stream.sendNext(limit: 100) { message, count, items in
          network.append(
            Forwarded(
              to: target, shard: Int(stream.shard.rawValue), epoch: stream.epoch, message: message,
              requests: read(items, count)))
        }
      }
    }
  }
  private func read(_ items: UnsafeRawBufferPointer, _ count: UInt32) -> [ToyShard.Request] {
    var reader = ByteReader(items)
    return (0..<count).compactMap { _ in
      guard let sequence = try? reader.read(UInt64.self), (try? reader.read(UInt8.self)) != nil,
        let command = try? Envelope.next(&reader)
      else {
        problems.append("a message that cannot be read")
        return nil
      }
      var body = ByteReader(UnsafeRawBufferPointer(rebasing: command[CommandHeader.bodyOffset...]))
      guard let member = try? body.read(UInt64.self), let number = try? body.read(UInt64.self) else { return nil }
      return ToyShard.Request(member: Int(member), number: Int(number), sequence: sequence)
    }
  }
  /// The next message of some link; while refusing, none is taken.
  private func deliver(isOpen: Bool = true) {
    guard !network.isEmpty else { return }
    let link = network[below(network.count)].to
    guard let place = network.firstIndex(where: { $0.to == link }) else { return }
    let message = network.remove(at: place)
    guard shards[message.shard].leader == link else { return }
    let verdict = shards[message.shard].epochs.receive(message.message, of: message.epoch, from: 0, isOpen: isOpen)
    if case .refused(let first) = verdict {
      edge.refused(ShardID(UInt32(message.shard)), epoch: message.epoch, from: first, now: 0).forEach(giveUp)
    }
    guard verdict == .taken else { return }
    shards[message.shard].log.append(contentsOf: message.requests.map { (.request($0), link) })
  }
  private func apply() {
    let number = 1 + below(3)
    guard !shards[number].log.isEmpty else { return }
    let (entry, leader) = shards[number].log.removeFirst()
    switch entry {
    case .handOver(let members, let other):
      let mine = members.filter { owner[$0] == number && isAtItsOwner($0) }
      guard !mine.isEmpty, let slots = SlotRanges([slot(mine[0])..<slot(mine[0]) + 1]) else { return }
      let epoch = max(shards[number].epoch, shards[other].epoch) + 1
      (shards[number].epoch, shards[other].epoch) = (epoch, epoch)
      owner[mine[0]] = other
      ownerEpoch[mine[0]] = epoch
      shards[number].successors[mine[0]] = Whereabouts(shard: ShardID(UInt32(other)), epoch: epoch, slots: slots)
    case .request(let request):
      let member = request.member
      var moved: Moved?
      if owner[member] != number {
        moved = Moved(to: shards[number].successors[member])
      } else if !effects[member].contains(request.number) {
        effects[member].append(request.number)
      } else if !isRepeatable[request.number] {
        problems.append("request \(request.number) without an id came twice")
      }
      guard shards[number].leader == leader else { return }
      answers.append(Answered(from: leader, shard: number, request: request, moved: moved))
    }
  }
  /// The next answer of some link.
  private func answer() {
    guard !answers.isEmpty else { return }
    let link = answers[below(answers.count)].from
    guard let place = answers.firstIndex(where: { $0.from == link }) else { return }
    let answer = answers.remove(at: place)
    let stream = edge.stream(ShardID(UInt32(answer.shard)))
    if let moved = answer.moved {
      wentOver += 1
      edge.moved(stream, answer.request.sequence, moved).map(giveUp)
    } else if let item = stream.complete(answer.request.sequence) {
      conclude(Int(item.owner.slot), nil)
    }
  }
  private func giveUp(_ lost: Edge.GivenUp) {
    guard let item = lost.stream.complete(lost.sequence) else { return }
    given[lost.code, default: 0] += 1
    conclude(Int(item.owner.slot), lost.code)
  }
  private func conclude(_ number: Int, _ code: ErrorCode?) {
    if outcomes[number] != nil { problems.append("request \(number) was answered twice") }
    outcomes.updateValue(code, forKey: number)
  }

  private func give() {
    let from = 1 + below(3)
    let other = from % 3 + 1
    let first = below(Toy.members)
    shards[from].log.append((.handOver(first..<Toy.members, to: other), shards[from].leader))
  }
  private func tellMap(_ member: Int) {
    guard let slots = SlotRanges([slot(member)..<slot(member) + 1]) else { return }
    edge.note(
      Whereabouts(shard: ShardID(UInt32(owner[member])), epoch: ownerEpoch[member], slots: slots))
  }
  /// A slot does not come back, or go on, while a shard that had it before may yet answer a request for it: that takes a round
  /// trip, and slots move twice within seconds at the least.
  private func isAtItsOwner(_ member: Int) -> Bool {
    let ofNetwork = network.flatMap { message in message.requests.map { ($0.member, message.shard) } }
    let ofLogs = shards.enumerated().flatMap { place, shard in
      shard.log.compactMap { entry in
        if case .request(let request) = entry.entry { (request.member, place) } else { nil }
      }
    }
    let ofAnswers = answers.map { ($0.request.member, $0.moved == nil ? owner[$0.request.member] : 0) }
    return (ofNetwork + ofLogs + ofAnswers).allSatisfy { $0.0 != member || $0.1 == owner[member] }
  }
  /// Another leads. Of what the last one took and did not apply some is lost, from one entry on.
  private func loseLeader(_ number: Int) {
    let old = shards[number].leader
    let kept = below(shards[number].log.count + 1)
    shards[number].log.removeLast(shards[number].log.count - kept)
    shards[number].term += 1
    shards[number].leader = NodeID(UInt64(number) << 32 | shards[number].term)
    shards[number].epochs = EdgeEpochs()
    network.removeAll { $0.to == old }
    answers.removeAll { $0.from == old }
    edge.lost(old).forEach(giveUp)
    _ = edge.note(leader: shards[number].leader, Term(shards[number].term), of: ShardID(UInt32(number)))
  }

  private func check() {
    if outcomes.count < sent { problems.append("\(sent - outcomes.count) of \(sent) requests were not answered") }
    for (member, numbers) in effects.enumerated() {
      if Set(numbers).count != numbers.count { problems.append("member \(member): an effect twice") }
      if numbers != numbers.sorted() { problems.append("member \(member): out of order: \(numbers)") }
    }
    for number in 0..<sent {
      guard let outcome = outcomes[number] else { continue }
      let hadEffect = effects[memberOf[number]].contains(number)
      if outcome == nil, !hadEffect { problems.append("request \(number) was answered, and had no effect") }
      if outcome == .unavailable, hadEffect {
        problems.append("request \(number) had an effect, and was said to have none")
      }
    }
  }
}
