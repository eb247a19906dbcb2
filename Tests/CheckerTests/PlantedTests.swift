import Checker
import Testing

@Suite struct PlantedTests {
  @Test(arguments: Planted.allCases) func aPlantedErrorIsFound(kind: Planted) {
    var planted = 0
    var missed: [UInt64] = []
    for seed in UInt64(0)..<240 where planted < 200 {
      guard let operations = kind.plant(seed: seed) else { continue }
      planted += 1
      if LinearizabilityChecker.check(operations).violation == nil { missed.append(seed) }
    }
    #expect(planted >= 100)
    #expect(missed.count * 100 <= planted, "\(missed.count) of \(planted) missed: \(missed.prefix(5))")
  }
}
