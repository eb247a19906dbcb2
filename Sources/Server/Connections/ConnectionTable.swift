/// Connections by id. An id is a place in the table and a serial number, so that a lookup is an index and an id is
/// never used twice. Elements do not move: a pointer to one is good until it is removed.
struct ConnectionTable<Element: ~Copyable>: ~Copyable {
  private let elements: UnsafeMutablePointer<Element>
  private let ids: UnsafeMutablePointer<UInt64>
  private var free: [Int] = []
  /// Places from here on were never used; memory that is not used is not touched.
  private var fresh = 0
  private var serial: UInt64 = 0
  private(set) var count = 0
  let capacity: Int

  private static var placeBits: UInt64 { 20 }
  /// An id has 56 bits: 20 for the place, 36 for the serial number.
  static var idBits: UInt64 { 56 }

  init(capacity: Int) {
    precondition(capacity > 0 && capacity <= 1 << ConnectionTable.placeBits, "a table has at most 2^20 places")
    self.capacity = capacity
    elements = .allocate(capacity: capacity)
    ids = .allocate(capacity: capacity)
  }
  deinit {
    for place in 0..<fresh where ids[place] != 0 { (elements + place).deinitialize(count: 1) }
    elements.deallocate()
    ids.deallocate()
  }

  var isFull: Bool { count == capacity }

  /// Takes a connection in. O(1). The table must not be full.
  /// - Returns: its id, never 0.
  mutating func insert(_ element: consuming Element) -> UInt64 {
    precondition(!isFull, "the caller looks whether there is room")
    let place: Int
    if let last = free.popLast() {
      place = last
    } else {
      place = fresh
      fresh += 1
    }
    serial += 1
    precondition(
      serial < 1 << (ConnectionTable.idBits - ConnectionTable.placeBits), "68 billion connections are enough")
    let id = serial << ConnectionTable.placeBits | UInt64(place)
    (elements + place).initialize(to: element)
    ids[place] = id
    count += 1
    return id
  }
  /// The connection of that id, nil if it is gone. O(1).
  func find(_ id: UInt64) -> UnsafeMutablePointer<Element>? {
    let place = ConnectionTable.place(of: id)
    guard place < fresh, ids[place] == id, id != 0 else { return nil }
    return elements + place
  }
  /// Gives a connection away. O(1). It must be there.
  mutating func remove(_ id: UInt64) -> Element {
    let place = ConnectionTable.place(of: id)
    precondition(place < fresh && ids[place] == id && id != 0, "only a connection that is there is removed")
    ids[place] = 0
    free.append(place)
    count -= 1
    return (elements + place).move()
  }
  /// The place of a connection in the table: below `capacity`, and its own for as long as it is there.
  static func place(of id: UInt64) -> Int { Int(id & (1 << ConnectionTable.placeBits - 1)) }
  /// The id of the connection at a place, 0 if there is none.
  func id(at place: Int) -> UInt64 { place < fresh ? ids[place] : 0 }
  /// The ids of all connections. O(capacity used).
  var allIDs: [UInt64] { (0..<fresh).compactMap { ids[$0] == 0 ? nil : ids[$0] } }
}
