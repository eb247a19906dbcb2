import Testing

@testable import Ledger

struct RuleTests {
  @Test func scratch() throws {
    let world = World()
    print(
      try world.play(
        """
        > PROGRAM SET points earn=1/100
        > MERCHANT SET cafe program=points
        > MEMBER ADD ann name=Ann
        > EARN ann merchant=cafe spend=1250 id=a
        > EARN ann merchant=cafe spend=1250 id=a
        > EARN ann merchant=cafe spend=1251 id=a
        > BALANCE ann
        > CHECK
        > HISTORY ann
        """))
  }
}
