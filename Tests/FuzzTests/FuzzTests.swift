import Base
import Testing

@Suite struct FuzzTests {
  @Test func theGeneratorIsSeeded() {
    var (a, b) = (SeededGenerator(seed: 1), SeededGenerator(seed: 1))
    #expect(a.next() == b.next())
  }
}
