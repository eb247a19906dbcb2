import Base
import Glibc

/// How many inputs a test tries: `TALLY_FUZZ_INPUTS`, or its part of 100,000.
enum FuzzInputs {
  static func count(perMille: Int) -> Int {
    getenv("TALLY_FUZZ_INPUTS").flatMap { Int(String(cString: $0)) } ?? max(20, 100 * perMille)
  }
}

/// Damages bytes, the same way for the same seed.
struct Mutator {
  var random: SeededGenerator
  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func below(_ n: Int) -> Int { n <= 1 ? 0 : Int(random.next() % UInt64(n)) }
  mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) } }

  private static let edges: [UInt64] = [
    0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 40, 1 << 62,
    UInt64(Int64.max), 1 << 63, .max, 1_000_000_000_000_000,
  ]

  /// One to eight changes: bits, bytes, numbers at their edges, and runs cut out, doubled, put in or taken from elsewhere.
  mutating func mutate(_ input: [UInt8], with other: [UInt8] = []) -> [UInt8] {
    var bytes = input
    for _ in 0...below(4) * below(3) { change(&bytes, other) }
    return bytes
  }

  private mutating func change(_ bytes: inout [UInt8], _ other: [UInt8]) {
    guard !bytes.isEmpty else {
      bytes = self.bytes(below(32))
      return
    }
    let at = below(bytes.count)
    let run = min(1 + below(below(8) == 0 ? 64 : 8), bytes.count - at)
    switch below(10) {
    case 0, 1: bytes[at] ^= 1 << UInt8(below(8))
    case 2: bytes[at] = UInt8(truncatingIfNeeded: random.next())
    case 3: bytes[at] = pick([0, 1, 0x7F, 0x80, 0xFF, 32, 10, 13, 34, 39, 42, 36, 58, 61, 92])
    case 4: number(&bytes, at)
    case 5: bytes.removeSubrange(at..<at + run)
    case 6: bytes.insert(contentsOf: Array(bytes[at..<at + run]), at: below(bytes.count + 1))
    case 7: bytes.insert(contentsOf: self.bytes(run), at: at)
    case 8: bytes.removeLast(bytes.count - at)
    default:
      guard !other.isEmpty else { return }
      let from = below(other.count)
      let part = other[from..<min(from + 1 + below(64), other.count)]
      bytes.replaceSubrange(at..<min(at + part.count, bytes.count), with: part)
    }
  }

  /// Writes a number at an edge: 1 to 8 bytes, or a variable-length one.
  private mutating func number(_ bytes: inout [UInt8], _ at: Int) {
    var value = pick(Mutator.edges) &+ UInt64(below(3)) &- 1
    if below(3) == 0 {
      var encoded: [UInt8] = []
      while value >= 0x80 {
        encoded.append(UInt8(truncatingIfNeeded: value) | 0x80)
        value >>= 7
      }
      encoded.append(UInt8(truncatingIfNeeded: value))
      bytes.replaceSubrange(at..<at + 1, with: encoded)
      return
    }
    for i in 0..<min(pick([1, 2, 4, 8]), bytes.count - at) {
      bytes[at + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i))
    }
  }
}

func text(_ text: String) -> [UInt8] { Array(text.utf8) }
