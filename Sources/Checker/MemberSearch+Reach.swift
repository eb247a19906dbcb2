/// Sets of unseen actions.
extension MemberSearch {
  /// Finds the smallest sets of unseen actions after which `number` is possible, and goes on from there.
  mutating func reach(_ number: Int) {
    let action = member.actions[number]
    // Who may close a hold waits for nothing unseen: the opener is tried by itself.
    if action.need == .max || (action.closes >= 0 && !isOpen(action.closes, node)) { return }
    findCandidates()
    guard !candidates.isEmpty, canReach(action, 0, node) else { return }
    let used = optionalCount(node) - optionalAtStart
    guard unseenLimit > used else {
      wasCut = true
      return
    }
    target = number
    for i in 0..<stride { reached[i] = node[i] }
    choose(from: 0, left: unseenLimit - used)
  }

  /// Unseen actions that may take effect at the node.
  private mutating func findCandidates() {
    guard !hasCandidates else { return }
    hasCandidates = true
    candidates.removeAll(keepingCapacity: true)
    for number in pending where number != ending && !isSet(bits[number], node) {
      let action = member.actions[number]
      if !action.isObserving && !action.branches && !action.isPure { offer(number) }
    }
    for number in optional where !isSet(bits[number], node) && !member.actions[number].branches { offer(number) }
    balanceChanges.removeAll(keepingCapacity: true)
    for number in candidates { balanceChanges.append(member.actions[number].balanceChange) }
    ranges.removeAll(keepingCapacity: true)
    ranges.append(contentsOf: repeatElement(Range(), count: candidates.count + 1))
    for i in candidates.indices.reversed() {
      let action = member.actions[candidates[i]]
      var range = ranges[i + 1]
      range.balanceDown &+= min(0, action.balanceChange)
      range.balanceUp &+= max(0, action.balanceChange)
      range.availableDown &+= min(0, action.availableChange)
      range.availableUp &+= max(0, action.availableChange)
      ranges[i] = range
    }
  }
  private mutating func offer(_ number: Int) {
    let hold = member.actions[number].closes
    if hold < 0 || isOpen(hold, node) { candidates.append(number) }
  }

  /// Whether candidates from the `from`-th on can move the state to where the target is possible.
  private func canReach(_ action: Action, _ from: Int, _ words: UnsafeMutablePointer<UInt64>) -> Bool {
    let range = ranges[from]
    let balance = Int64(bitPattern: words[0])
    let available = balance &- Int64(bitPattern: words[1])
    if action.balance != Action.unseen {
      let missing = action.balance &- action.balanceChange &- balance
      if missing < range.balanceDown || missing > range.balanceUp { return false }
    }
    if action.available != Action.unseen {
      let missing = action.available &- action.availableChange &- available
      if missing < range.availableDown || missing > range.availableUp { return false }
    }
    if action.need > 0 && available &+ range.availableUp < action.need { return false }
    if action.refusedNeed > 0 && available &+ range.availableDown >= action.refusedNeed { return false }
    if action.leastBalance > 0 && balance &+ range.balanceUp < action.leastBalance { return false }
    return available &+ range.availableUp >= 0
  }

  private mutating func choose(from: Int, left: Int) {
    let action = member.actions[target]
    // The last one has to make up for the whole difference: most are passed over at a glance.
    let missing = action.balance == Action.unseen || left > 1 ? nil : missingBalance(action)
    // Larger sets are left out.
    if left == 1 && from + 1 < candidates.count && canReach(action, from, reached) { wasCut = true }
    for i in from..<candidates.count {
      if let missing {
        if balanceChanges[i] != missing { continue }
      } else if !canReach(action, i, reached) {
        return
      }
      guard stepsLeft > 0 else { return }
      stepsLeft -= 1
      let number = candidates[i]
      let candidate = member.actions[number]
      if candidate.previousAlike >= 0 && !hasHappened(candidate.previousAlike, reached) { continue }
      if candidate.closes >= 0 && !isOpen(candidate.closes, reached) { continue }
      let wantsHoldClosed = action.refusedHold >= 0 && action.available == Action.unseen
      if wantsHoldClosed && candidate.closes != action.refusedHold { continue }
      apply(number, to: reached)
      let available = Int64(bitPattern: reached[0]) &- Int64(bitPattern: reached[1])
      if available >= 0 && isPossible(target, reached) {
        for i in 0..<stride { child[i] = reached[i] }
        apply(target, to: child)
        arrive(child)
      } else if left > 1 {
        choose(from: i + 1, left: left - 1)
      }
      undo(number)
    }
  }
  /// By how much the balance differs from what the target has to find.
  private func missingBalance(_ action: Action) -> Int64 {
    action.balance &- action.balanceChange &- Int64(bitPattern: reached[0])
  }
  /// How many optional actions have taken effect.
  func optionalCount(_ words: UnsafeMutablePointer<UInt64>) -> Int {
    guard !optional.isEmpty else { return 0 }
    var count = 0
    let first = firstOptionalBit >> 6
    for i in first..<stride - 2 {
      let word = words[2 + i] & (i == first ? ~0 << UInt64(firstOptionalBit & 63) : ~0)
      count += word.nonzeroBitCount
    }
    return count
  }
  private func undo(_ number: Int) {
    let action = member.actions[number]
    reached[0] = UInt64(bitPattern: Int64(bitPattern: reached[0]) &- action.balanceChange)
    reached[1] = UInt64(bitPattern: Int64(bitPattern: reached[1]) &- action.heldChange)
    let bit = bits[number]
    reached[2 + bit >> 6] &= ~(1 << UInt64(bit & 63))
  }
}
