import Base
import Testing

@testable import Server

@Suite struct RecencyListTests {
  @Test(arguments: 0..<20) func itKeepsTheOrderOfUse(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var list = RecencyList()
    var model: [Int] = []
    for _ in 0..<400 {
      let place = Int(random.next() % 12)
      if let at = model.firstIndex(of: place) {
        model.remove(at: at)
        if random.next() % 2 == 0 {
          list.remove(place)
        } else {
          list.touch(place)
          model.append(place)
        }
      } else {
        list.append(place)
        model.append(place)
      }
      var walked: [Int] = []
      var next = list.oldest
      while let found = next, walked.count <= model.count {
        walked.append(found)
        next = list.newer(than: found)
      }
      #expect(walked == model)
    }
  }
}
