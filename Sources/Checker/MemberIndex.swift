/// Which operations concern which member: its own, and transfers to it.
struct MemberIndex {
  /// In the order in which they first come.
  private(set) var names: [String] = []
  private var starts: [Int] = []
  private var places: [Int] = []

  init(_ operations: [Operation]) {
    var numbers: [String: Int32] = [:]
    var counts: [Int] = []
    func number(_ name: String, _ names: inout [String]) -> Int32 {
      if let number = numbers[name] { return number }
      let number = Int32(names.count)
      numbers[name] = number
      names.append(name)
      counts.append(0)
      return number
    }
    var sides: [(Int32, Int32)] = []
    sides.reserveCapacity(operations.count)
    for operation in operations {
      let member = number(operation.member, &names)
      let recipient = operation.kind == .transfer ? number(operation.to, &names) : -1
      counts[Int(member)] += 1
      if recipient >= 0 { counts[Int(recipient)] += 1 }
      sides.append((member, recipient))
    }
    var start = 0
    for count in counts {
      starts.append(start)
      start += count
    }
    starts.append(start)
    places = [Int](repeating: 0, count: start)
    var next = starts
    for (place, side) in sides.enumerated() {
      for number in [side.0, side.1] where number >= 0 {
        places[next[Int(number)]] = place
        next[Int(number)] += 1
      }
    }
  }

  func operations(of number: Int) -> ArraySlice<Int> { places[starts[number]..<starts[number + 1]] }
}
