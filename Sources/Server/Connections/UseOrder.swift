/// Terminals' connections in the order in which they may be closed for want of room: first those that have never sent a
/// word, by when they came, so that nobody drives terminals away by connecting often; then the others, by when they last
/// sent something. One that is being closed stands in it no more. By places in the table; O(1) each.
struct UseOrder {
  private var speakers = RecencyList()
  private var strangers = RecencyList()

  mutating func arrived(_ place: Int) { strangers.append(place) }
  /// It has sent something.
  /// - Parameter hadSpoken: it had before.
  mutating func spoke(_ place: Int, hadSpoken: Bool) {
    if hadSpoken { return speakers.touch(place) }
    strangers.remove(place)
    speakers.append(place)
  }
  mutating func left(_ place: Int, hasSpoken: Bool) {
    if hasSpoken { speakers.remove(place) } else { strangers.remove(place) }
  }

  /// The first that may be closed; nil if none of the oldest of either kind may.
  /// - Parameter mayGo: whether a place's connection is of no use now.
  func first(where mayGo: (Int) -> Bool) -> Int? {
    UseOrder.oldest(of: strangers, mayGo) ?? UseOrder.oldest(of: speakers, mayGo)
  }
  private static func oldest(of list: RecencyList, _ mayGo: (Int) -> Bool) -> Int? {
    var next = list.oldest
    for _ in 0..<LoopOptions.idleLooks {
      guard let place = next else { return nil }
      if mayGo(place) { return place }
      next = list.newer(than: place)
    }
    return nil
  }
}
