/// Events by time; those of one time in the order in which they were made.
struct EventQueue {
  private struct Key {
    var time: UInt64
    var order: UInt64
    var place: Int
  }
  private var heap: [Key] = []
  private var waiting: [Simulation.Event?] = []
  private var free: [Int] = []
  private(set) var pushed: UInt64 = 0

  mutating func push(at time: UInt64, _ what: Simulation.Event) {
    var place = waiting.count
    if let used = free.popLast() {
      place = used
      waiting[place] = what
    } else {
      waiting.append(what)
    }
    heap.append(Key(time: time, order: pushed, place: place))
    pushed += 1
    var child = heap.count - 1
    while child > 0, precedes(heap[child], heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }
  /// The earliest event, unless it is at `end` or later.
  mutating func popFirst(before end: UInt64) -> (time: UInt64, what: Simulation.Event)? {
    guard let first = heap.first, first.time < end, let what = waiting[first.place] else { return nil }
    waiting[first.place] = nil
    free.append(first.place)
    let last = heap.removeLast()
    if !heap.isEmpty { sink(last) }
    return (first.time, what)
  }
  /// Nothing is still to come; what has been is counted on.
  mutating func removeAll() {
    heap = []
    waiting = []
    free = []
  }
  private func precedes(_ a: Key, _ b: Key) -> Bool { a.time < b.time || (a.time == b.time && a.order < b.order) }
  private mutating func sink(_ key: Key) {
    var parent = 0
    while true {
      var child = parent * 2 + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count && precedes(heap[child + 1], heap[child]) { child += 1 }
      guard precedes(heap[child], key) else { break }
      heap[parent] = heap[child]
      parent = child
    }
    heap[parent] = key
  }
}
