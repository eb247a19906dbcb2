/// Looks for an order of one member's actions that explains all that was seen.
///
/// The search goes through the moments at which actions begin and end (just-in-time linearization: Wing and Gong 1993;
/// Lowe, "Testing for linearizability", 2017) and keeps every configuration that the past allows: which of the actions
/// under way have taken effect. When an action ends, configurations without it must be led on, by letting actions take
/// effect, to ones that have it; where there are none, nothing explains the history.
///
/// What keeps that small:
/// - A read or a refusal takes effect as soon as what it saw is so: it changes nothing.
/// - An action that saw its balance takes effect only where that fits.
/// - One that saw nothing takes effect only as one of a smallest set that makes another possible: it can always come
///   after the other instead. (Whatever is left over is possible afterwards in some order, credits first, because what is
///   available in the end is the same. Only a hold that is closed while its own answer is still out must come early:
///   `Action.branches`.)
/// - Of optional actions of the same effect the first to begin is used first.
struct MemberSearch {
  struct Limits {
    /// Configurations kept from one moment to the next.
    var configurations: Int
    /// Actions that saw nothing, used at one moment to explain those that did.
    var unseenAtOnce: Int
    /// So many of them are tried also where fewer explain it.
    var unseenTried: Int
    /// Configurations that one may lead to at one moment; then no more are looked for.
    var successors: Int
    /// Steps in all.
    var steps: Int
  }
  enum Conclusion {
    /// With what took effect in all orders that were found, by action; and in any.
    case linearizable(inAll: [Bool], inAny: [Bool])
    /// Nothing explains this action, nor could it in the states (balance, held) that were possible.
    case violated(action: Int, states: [(balance: Int64, held: Int64)])
    case undecided
  }

  let member: MemberHistory
  let limits: Limits
  var stepsLeft: Int
  var wasCut = false

  /// Bits of a configuration by action: `notBegun`, `ended`, or the bit.
  var bits: [Int]
  /// Configurations looked at from one at one moment.
  static let mostVisited = 1 << 18
  static let notBegun = -1
  static let ended = -2
  var freeBits: [Int] = []
  var firstOptionalBit = 0
  /// Certain actions under way, and optional ones that may still take effect.
  var pending: [Int] = []
  var optional: [Int] = []

  var configurations: ConfigurationSet
  var next: ConfigurationSet
  var visited: ConfigurationSet
  let stride: Int
  let node: UnsafeMutablePointer<UInt64>
  let child: UnsafeMutablePointer<UInt64>
  let reached: UnsafeMutablePointer<UInt64>
  /// Scratch of `reach`: candidates, and how far those from each on can move balance and what is available.
  var candidates: [Int] = []
  var balanceChanges: [Int64] = []
  var ranges: [Range] = []
  var hasCandidates = false
  var target = 0
  var ending = 0
  var unseenLimit = 0
  var optionalAtStart = 0
  var successorsLeft = 0

  struct Range {
    var balanceDown: Int64 = 0
    var balanceUp: Int64 = 0
    var availableDown: Int64 = 0
    var availableUp: Int64 = 0
  }

  init(_ member: MemberHistory, _ limits: Limits, scratch: UnsafeMutablePointer<UInt64>, _ stride: Int) {
    self.member = member
    self.limits = limits
    self.stride = stride
    stepsLeft = limits.steps
    bits = [Int](repeating: MemberSearch.notBegun, count: member.actions.count)
    configurations = ConfigurationSet(stride: stride)
    next = ConfigurationSet(stride: stride)
    visited = ConfigurationSet(stride: stride)
    node = scratch
    child = scratch + stride
    reached = scratch + 2 * stride
  }

  /// Cost: some 0.3 µs an action where few are under way at once and balances are seen; exponential, up to the limits, in
  /// the number of those that nobody saw the effect of.
  static func run(_ member: MemberHistory, _ limits: Limits) -> Conclusion {
    var most = 0
    var underWay = 0
    var optionals = 0
    for event in member.events {
      if member.actions[event.action].isOptional {
        optionals += 1
      } else {
        underWay += event.isEnd ? -1 : 1
        most = max(most, underWay)
      }
    }
    let stride = 2 + (most + optionals + 63) / 64
    let scratch = UnsafeMutablePointer<UInt64>.allocate(capacity: 3 * stride)
    scratch.initialize(repeating: 0, count: 3 * stride)
    defer { scratch.deallocate() }
    var search = MemberSearch(member, limits, scratch: scratch, stride)
    search.freeBits = Array((0..<most).reversed())
    search.firstOptionalBit = most
    return search.run()
  }

  private mutating func run() -> Conclusion {
    configurations.insert(node)
    var nextOptionalBit = firstOptionalBit
    for event in member.events {
      let number = event.action
      if !event.isEnd {
        if member.actions[number].isOptional {
          bits[number] = nextOptionalBit
          nextOptionalBit += 1
          optional.append(number)
        } else {
          bits[number] = freeBits.removeLast()
          pending.append(number)
        }
        continue
      }
      end(number)
      if next.count == 0 {
        return wasCut || stepsLeft <= 0 ? .undecided : .violated(action: number, states: states())
      }
      if next.count > limits.configurations {
        wasCut = true
        next.keep(limits.configurations, fewestFrom: firstOptionalBit)
      }
      swap(&configurations, &next)
      freeBits.append(bits[number])
      bits[number] = MemberSearch.ended
      pending.removeAll { $0 == number }
      if !optional.isEmpty { takeOptional() }
    }
    return finish()
  }

  /// Optional actions that took effect in all configurations, or that can no longer, need no more looking at.
  private mutating func takeOptional() {
    let common = configurations.commonBits()
    optional.removeAll { number in
      let bit = bits[number]
      if common[2 + bit >> 6] >> UInt64(bit & 63) & 1 == 1 { return true }
      let hold = member.actions[number].closes
      return hold >= 0 && member.holds[hold].closers.contains { bits[$0] == MemberSearch.ended }
    }
  }

  private func finish() -> Conclusion {
    var inAll = [Bool](repeating: false, count: bits.count)
    var inAny = inAll
    for (number, bit) in bits.enumerated() where bit >= 0 {
      inAll[number] = true
      for index in 0..<configurations.count {
        let isSet = configurations.hasBit(bit, at: index)
        inAll[number] = inAll[number] && isSet
        inAny[number] = inAny[number] || isSet
      }
    }
    return .linearizable(inAll: inAll, inAny: inAny)
  }

  private func states() -> [(balance: Int64, held: Int64)] {
    var states: [(balance: Int64, held: Int64)] = []
    for index in 0..<min(configurations.count, 1000) {
      let start = index * stride
      let state = (Int64(bitPattern: configurations.words[start]), Int64(bitPattern: configurations.words[start + 1]))
      if !states.contains(where: { $0 == state }) { states.append(state) }
    }
    return states.sorted { $0 < $1 }
  }

  // MARK: An action ends

  private mutating func end(_ number: Int) {
    next.removeAll()
    ending = number
    let bit = bits[number]
    for index in 0..<configurations.count {
      if configurations.hasBit(bit, at: index) {
        configurations.copy(index, to: child)
        emit(child)
        continue
      }
      // Memory has a bound, whatever there is to be found.
      if next.count > 2 * limits.configurations {
        wasCut = true
        return
      }
      // The fewest unseen actions first.
      let before = next.count
      let wasCutBefore = wasCut
      unseenLimit = limits.unseenTried
      while true {
        successorsLeft = limits.successors
        wasCut = wasCutBefore
        leadOn(from: index)
        if next.count > before || unseenLimit >= limits.unseenAtOnce || optional.isEmpty && pending.count < 2 { break }
        unseenLimit += 1
      }
    }
  }

  private mutating func leadOn(from index: Int) {
    visited.removeAll()
    configurations.copy(index, to: child)
    optionalAtStart = optionalCount(child)
    arrive(child)
    var at = 0
    while at < visited.count {
      guard stepsLeft > 0, successorsLeft > 0, visited.count < MemberSearch.mostVisited else {
        wasCut = true
        return
      }
      stepsLeft -= 1
      visited.copy(at, to: node)
      at += 1
      expand()
    }
  }

  private mutating func expand() {
    hasCandidates = false
    for number in pending where !isSet(bits[number], node) {
      let action = member.actions[number]
      if number == ending || action.isObserving || action.branches { attempt(number) }
    }
    for number in optional where member.actions[number].branches && !isSet(bits[number], node) { attempt(number) }
  }

  /// Lets an action take effect at the node, if need be after a smallest set of unseen ones.
  private mutating func attempt(_ number: Int) {
    if isPossible(number, node) {
      for i in 0..<stride { child[i] = node[i] }
      apply(number, to: child)
      arrive(child)
    } else {
      reach(number)
    }
  }

  /// A new configuration: what only looks takes effect at once.
  mutating func arrive(_ new: UnsafeMutablePointer<UInt64>) {
    for number in pending where member.actions[number].isPure && !isSet(bits[number], new) {
      if isPossible(number, new) { setBit(bits[number], new) }
    }
    if isSet(bits[ending], new) { emit(new) } else { visited.insert(new) }
  }

  private mutating func emit(_ new: UnsafeMutablePointer<UInt64>) {
    let bit = bits[ending]
    new[2 + bit >> 6] &= ~(1 << UInt64(bit & 63))
    next.insert(new)
    successorsLeft -= 1
  }
}
