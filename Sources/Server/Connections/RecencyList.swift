/// Places of a table in the order of their last use. All but `init` O(1); eight bytes a place that was ever used.
struct RecencyList {
  private struct Neighbours {
    var older: Int32
    var newer: Int32
  }
  private static let none: Int32 = -1
  private var neighbours: [Neighbours] = []
  private var first = RecencyList.none
  private var last = RecencyList.none

  /// The place that was used longest ago; nil: there is none.
  var oldest: Int? { RecencyList.place(first) }
  func newer(than place: Int) -> Int? { RecencyList.place(neighbours[place].newer) }
  private static func place(_ raw: Int32) -> Int? { raw == none ? nil : Int(raw) }

  /// Takes in a place that is not there: it is the newest.
  mutating func append(_ place: Int) {
    while neighbours.count <= place {
      neighbours.append(Neighbours(older: RecencyList.none, newer: RecencyList.none))
    }
    neighbours[place] = Neighbours(older: last, newer: RecencyList.none)
    if last == RecencyList.none { first = Int32(place) } else { neighbours[Int(last)].newer = Int32(place) }
    last = Int32(place)
  }
  /// Takes out a place that is there.
  mutating func remove(_ place: Int) {
    let (older, newer) = (neighbours[place].older, neighbours[place].newer)
    if older == RecencyList.none { first = newer } else { neighbours[Int(older)].newer = newer }
    if newer == RecencyList.none { last = older } else { neighbours[Int(newer)].older = older }
  }
  /// Makes a place that is there the newest.
  mutating func touch(_ place: Int) {
    guard last != Int32(place) else { return }
    remove(place)
    append(place)
  }
}
