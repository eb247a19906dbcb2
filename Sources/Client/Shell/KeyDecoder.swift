/// A key as a person presses it.
enum Key: Equatable, Sendable {
  case character(Character)
  case enter, tab, backspace, delete, left, right, up, down, home, end, wordLeft, wordRight
  case killToEnd, killToStart, killWord, clearScreen, search, interrupt, endOfInput
}

/// Makes keys of the bytes that a terminal sends: UTF-8, control characters, and the escape sequences of arrows and
/// their neighbours. What it does not know it swallows.
struct KeyDecoder {
  private var pending: [UInt8] = []

  /// The keys that are complete with this byte, in order.
  mutating func feed(_ byte: UInt8) -> [Key] {
    pending.append(byte)
    guard let key = decode() else { return [] }
    pending.removeAll(keepingCapacity: true)
    return key.map { [$0] } ?? []
  }

  /// `nil` while the key is incomplete; `.some(nil)` for one that means nothing.
  private func decode() -> Key?? {
    let first = pending[0]
    if first == 0x1B { return escape() }
    if first < 0x20 || first == 0x7F { return .some(control(first)) }
    guard first >= 0x80 else { return .some(.character(Character(UnicodeScalar(first)))) }
    let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
    guard length > 1 else { return .some(nil) }
    guard pending.count >= length else { return nil }
    return .some(String(decoding: pending, as: UTF8.self).first.map { .character($0) })
  }

  private func control(_ byte: UInt8) -> Key? {
    switch byte {
    case 0x01: .home
    case 0x02: .left
    case 0x03: .interrupt
    case 0x04: .endOfInput
    case 0x05: .end
    case 0x06: .right
    case 0x08, 0x7F: .backspace
    case 0x09: .tab
    case 0x0A, 0x0D: .enter
    case 0x0B: .killToEnd
    case 0x0C: .clearScreen
    case 0x0E: .down
    case 0x10: .up
    case 0x12: .search
    case 0x15: .killToStart
    case 0x17: .killWord
    default: nil
    }
  }

  private func escape() -> Key?? {
    guard pending.count > 1 else { return nil }
    switch pending[1] {
    case UInt8(ascii: "b"): return .some(.wordLeft)
    case UInt8(ascii: "f"): return .some(.wordRight)
    case 0x7F: return .some(.killWord)
    case UInt8(ascii: "["), UInt8(ascii: "O"): break
    default: return .some(nil)
    }
    guard pending.count > 2, let last = pending.last else { return nil }
    // A sequence ends with its first byte from 0x40 on.
    guard last >= 0x40 else { return pending.count > 12 ? .some(nil) : nil }
    let parameters = String(decoding: pending[2..<(pending.count - 1)], as: UTF8.self)
    let isByWord = parameters.hasSuffix(";5") || parameters.hasSuffix(";3")
    switch last {
    case UInt8(ascii: "A"): return .some(.up)
    case UInt8(ascii: "B"): return .some(.down)
    case UInt8(ascii: "C"): return .some(isByWord ? .wordRight : .right)
    case UInt8(ascii: "D"): return .some(isByWord ? .wordLeft : .left)
    case UInt8(ascii: "H"): return .some(.home)
    case UInt8(ascii: "F"): return .some(.end)
    case UInt8(ascii: "~"):
      switch parameters {
      case "1", "7": return .some(.home)
      case "4", "8": return .some(.end)
      case "3": return .some(.delete)
      default: return .some(nil)
      }
    default: return .some(nil)
    }
  }
}
