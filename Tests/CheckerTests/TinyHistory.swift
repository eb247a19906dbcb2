import Base
import Checker

/// A few operations of one member with small numbers, drawn at random: about half of them cannot be.
struct TinyHistory {
  private(set) var operations: [Operation] = []
  private var random: SeededGenerator
  private mutating func below(_ n: UInt64) -> UInt64 { random.next() % n }

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    let count = 1 + below(6)
    // Answers often follow what really happens in order of beginning, so that many a history is possible.
    var balance: Int64 = 0
    var open: [(id: String, points: Int64)] = []
    for number in 0..<count { add(number, &balance, &open) }
  }

  private mutating func add(_ number: UInt64, _ balance: inout Int64, _ open: inout [(id: String, points: Int64)]) {
    let begin = 1 + below(12)
    let kinds = Operation.Kind.allCases
    var kind = kinds[Int(below(UInt64(kinds.count)))]
    if balance == 0 && below(3) > 0 { kind = .earn }
    var o = Operation(kind, member: "ann", client: "c\(number)", begin: begin, end: begin + below(10), result: .ok)
    o.points = Int64(1 + below(4))
    o.id = "r\(number)"
    var held = open.reduce(0) { $0 + $1.points }
    switch below(10) {
    case 0, 1: o.result = .inDoubt
    case 2: o.result = .refused
    case 3 where below(3) == 0: o.result = .rejected
    default: break
    }
    let happens = o.result == .ok || (o.result == .inDoubt && below(2) == 0)
    switch kind {
    case .earn: if happens { balance += o.points }
    case .redeem: if happens { balance -= o.points }
    case .transfer:
      o.to = "bob"
      if below(2) == 0 {
        o.member = "bob"
        // Bob has enough for anything: no refusal of his is for want of points.
        if o.result == .refused { o.code = "FROZEN" }
        o.to = "ann"
        if happens { balance += o.points }
      } else if happens {
        balance -= o.points
      }
    case .hold:
      if below(2) == 0 { o.expires = begin + below(12) }
      if happens {
        open.append((o.id, o.points))
        held += o.points
      }
    case .capture, .release: resolve(&o, happens, &balance, &held, &open)
    case .balance:
      o.points = 0
      o.id = ""
      if o.result == .refused { o.result = .ok }
      if below(4) == 0 { o.local = 1 + below(o.end) }
    }
    if o.result == .inDoubt { o.end = .max }
    if o.result == .ok && o.member == "ann" { see(&o, balance, held) }
    operations.append(o)
  }

  private mutating func resolve(
    _ o: inout Operation, _ happens: Bool, _ balance: inout Int64, _ held: inout Int64,
    _ open: inout [(id: String, points: Int64)]
  ) {
    o.hold = "r\(below(6))"
    if let last = open.last, below(4) > 0 { o.hold = last.id }
    if let place = open.firstIndex(where: { $0.id == o.hold }) {
      if below(3) > 0 { o.points = o.kind == .release ? open[place].points : min(o.points, open[place].points) }
      if happens {
        held -= open[place].points
        if o.kind == .capture { balance -= o.points }
        open.remove(at: place)
      }
    }
    if below(4) == 0 { o.points = 0 }
  }

  private mutating func see(_ o: inout Operation, _ balance: Int64, _ held: Int64) {
    if below(2) == 0 || o.kind == .balance { o.balance = balance }
    if o.kind == .balance && below(2) == 0 { o.held = held }
    if below(4) == 0 { o.available = balance - held }
    if below(12) == 0 { o.balance = balance + Int64(below(5)) - 2 }
  }
}
