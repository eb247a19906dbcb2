/// Values in chunks, numbered in the order in which they came, for ever; the first can be dropped. A copy costs nothing,
/// and the first change of a value after that copies its chunk and 8 bytes for each other chunk: so a copy can be written
/// from another thread while the queue goes on changing.
public struct ChunkedQueue<Element: Sendable>: Sendable, RandomAccessCollection, MutableCollection {
  private static var chunkCapacity: Int { 64 }
  private var chunks: [[Element]] = []
  /// The number of the first chunk's first value; some of that chunk may be dropped.
  private var origin: Int
  /// The number of the first value that is not dropped.
  public private(set) var startIndex: Int
  /// The number that the next value will have.
  public private(set) var endIndex: Int

  /// An empty one whose first value will have that number.
  public init(startingAt number: Int = 0) {
    origin = number
    startIndex = number
    endIndex = number
  }

  public subscript(number: Int) -> Element {
    get { chunks[(number - origin) / Self.chunkCapacity][(number - origin) % Self.chunkCapacity] }
    _modify {
      let place = number - origin
      yield &chunks[place / Self.chunkCapacity][place % Self.chunkCapacity]
    }
  }

  public mutating func append(_ element: Element) {
    if endIndex - origin == chunks.count * Self.chunkCapacity { chunks.append([]) }
    chunks[chunks.count - 1].append(element)
    endIndex += 1
  }

  /// Drops the values before a number; O(chunks), and nothing but whole chunks leaves memory.
  public mutating func drop(before number: Int) {
    startIndex = Swift.min(Swift.max(number, startIndex), endIndex)
    let whole = (startIndex - origin) / Self.chunkCapacity
    guard whole > 0 else { return }
    chunks.removeFirst(whole)
    origin += whole * Self.chunkCapacity
  }
}

extension ChunkedQueue: Equatable where Element: Equatable {
  public static func == (left: Self, right: Self) -> Bool { left.elementsEqual(right) }
}
