/// What a configuration says: which actions have taken effect, and in what state that leaves the member.
extension MemberSearch {
  @inline(__always) func isSet(_ bit: Int, _ words: UnsafeMutablePointer<UInt64>) -> Bool {
    words[2 + bit >> 6] >> UInt64(bit & 63) & 1 == 1
  }
  @inline(__always) func setBit(_ bit: Int, _ words: UnsafeMutablePointer<UInt64>) {
    words[2 + bit >> 6] |= 1 << UInt64(bit & 63)
  }
  func hasHappened(_ number: Int, _ words: UnsafeMutablePointer<UInt64>) -> Bool {
    let bit = bits[number]
    return bit == MemberSearch.ended || (bit >= 0 && isSet(bit, words))
  }
  func isOpen(_ hold: Int, _ words: UnsafeMutablePointer<UInt64>) -> Bool {
    let hold = member.holds[hold]
    guard hold.opener >= 0, hasHappened(hold.opener, words) else { return false }
    return !hold.closers.contains { hasHappened($0, words) }
  }

  func apply(_ number: Int, to words: UnsafeMutablePointer<UInt64>) {
    let action = member.actions[number]
    words[0] = UInt64(bitPattern: Int64(bitPattern: words[0]) &+ action.balanceChange)
    words[1] = UInt64(bitPattern: Int64(bitPattern: words[1]) &+ action.heldChange)
    setBit(bits[number], words)
  }

  func isPossible(_ number: Int, _ words: UnsafeMutablePointer<UInt64>) -> Bool {
    let action = member.actions[number]
    let balance = Int64(bitPattern: words[0])
    let held = Int64(bitPattern: words[1])
    let available = balance &- held
    if action.need > 0 && available < action.need { return false }
    if action.refusedNeed > 0 && available >= action.refusedNeed { return false }
    if balance < action.leastBalance { return false }
    let balanceAfter = balance &+ action.balanceChange
    let heldAfter = held &+ action.heldChange
    if action.balance != Action.unseen && action.balance != balanceAfter { return false }
    if action.held != Action.unseen && action.held != heldAfter { return false }
    if action.available != Action.unseen && action.available != balanceAfter &- heldAfter { return false }
    if action.closes >= 0 && !isOpen(action.closes, words) { return false }
    if action.refusedHold >= 0 && isOpen(action.refusedHold, words)
      && action.refusedHoldPoints <= member.holds[action.refusedHold].points
    {
      return false
    }
    return true
  }
}
