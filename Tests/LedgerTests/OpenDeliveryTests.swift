import Testing

@testable import Ledger

/// What one shard sends to another until it is acknowledged.
struct OpenDeliveryTests {
  /// As many as there are while another shard takes nothing: they are sent again some at a time, and all in turn.
  @Test func openDeliveriesAreVisitedSomeAtATimeAndAllInTurn() throws {
    let world = try World.withCafe(members: ["ann", "bob"], shards: 2)
    let target = try #require((0..<50).map { "m\($0)" }.first { world.home($0) != world.home("ann") })
    try #require(try world.run("MEMBER ADD \(target)") == "+OK")
    _ = try world.run("EARN ann merchant=cafe points=100 id=a")
    world.holdsPost = true
    for i in 0..<10 { _ = try world.run("TRANSFER ann \(target) points=1 id=t\(i)") }
    let shard = world.shards[world.home("ann")]
    var seen: [[UInt8]] = []
    var places = DeliveryPlaces()
    var calls = 0
    repeat {
      var count = 0
      shard.ledger.openDeliveries(from: &places, limit: 3) {
        seen.append($0.command)
        count += 1
      }
      #expect(count <= 3)
      calls += 1
    } while places.outbox != 0 && calls < 20
    #expect(seen.count == 10 && Set(seen).count == 10 && calls >= 4, "\(seen.count) in \(calls)")
    // The verdicts on them as well, at the other shard.
    let sent = world.post
    world.post = []
    for delivery in sent { try world.send(delivery.command) }
    var verdicts = 0
    places = DeliveryPlaces()
    world.shards[world.home(target)].ledger.openDeliveries(from: &places, limit: 100) { _ in verdicts += 1 }
    #expect(verdicts == 10)
  }

}
