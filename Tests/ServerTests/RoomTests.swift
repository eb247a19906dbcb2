import System
import Testing

@testable import Server

/// How many terminals there may be, and who goes when there are too many.
@Suite struct RoomTests {
  private func options(clientsMax: Int = 20_000, descriptorsMax: Int) -> LoopOptions {
    var options = LoopOptions()
    options.clientsMax = clientsMax
    options.descriptorsMax = descriptorsMax
    return options
  }
  private let ownUse = LoopOptions.descriptorsOfLoop + LoopOptions.linksExpected

  @Test func terminalsHaveTheDescriptorsThatTheDiskAndTheLinksLeave() {
    var limit = ClientLimit(options(descriptorsMax: 1000 + ownUse))
    let first = limit.reckon(links: 10, reserved: 90)
    #expect(first == ClientLimit.Change(limit: 900, isNews: true) && limit.current == 900)
    let same = limit.reckon(links: 20, reserved: 80)
    #expect(same == nil)
    var few = ClientLimit(options(descriptorsMax: ownUse))
    #expect(few.reckon(links: 10, reserved: 90)?.limit == LoopOptions.clientsMin)
  }
  @Test func theNodeHearsOfTheLimitAtTheStartAlsoIfTheOperatorsBoundIsTheLower() {
    var limit = ClientLimit(options(clientsMax: 100, descriptorsMax: 1000 + ownUse))
    #expect(limit.reckon(links: 0, reserved: 0) == ClientLimit.Change(limit: 100, isNews: false))
    #expect(limit.reckon(links: 1, reserved: 0) == nil)
  }
  @Test func theOperatorHearsOfATenthFewerThanWasToldLast() {
    var limit = ClientLimit(options(descriptorsMax: 1000 + ownUse))
    #expect(limit.reckon(links: 0, reserved: 0)?.isNews == true)
    #expect(limit.reckon(links: 100, reserved: 0) == ClientLimit.Change(limit: 900, isNews: false))
    #expect(limit.reckon(links: 101, reserved: 0) == ClientLimit.Change(limit: 899, isNews: true))
    // More is no news, but what is told next is measured by it.
    #expect(limit.reckon(links: 50, reserved: 0) == ClientLimit.Change(limit: 950, isNews: false))
    #expect(limit.reckon(links: 146, reserved: 0) == ClientLimit.Change(limit: 854, isNews: true))
  }

  @Test func connectionsAreCountedByAddressButThoseOfThisMachine() throws {
    func address(_ host: String) throws -> SocketAddress {
      try #require(SocketAddress(HostPort(host: host, port: 1), numericOnly: true))
    }
    var counts = AddressCounts(most: 2)
    #expect(counts.origin(of: try address("127.0.0.1")) == nil)
    let here = try #require(counts.origin(of: try address("10.0.0.1")))
    let there = try #require(counts.origin(of: try address("10.0.0.2")))
    counts.add(here)
    #expect(counts.bound(reachedBy: here) == nil)
    counts.add(here)
    #expect(counts.bound(reachedBy: here) == 2 && counts.bound(reachedBy: there) == nil)
    counts.remove(here)
    #expect(counts.bound(reachedBy: here) == nil)
    counts.remove(here)
    counts.remove(here)
    counts.add(here)
    #expect(counts.bound(reachedBy: here) == nil)
    counts.add(here)
    #expect(counts.bound(reachedBy: here) == 2, "what was not counted is not taken off")
    #expect(AddressCounts(most: nil).origin(of: try address("10.0.0.1")) == nil)
  }

  @Test func whoHasNeverSpokenGoesBeforeWhoHasAndOfEachTheOneThatWasSilentLongest() {
    var order = UseOrder()
    for place in 0..<4 { order.arrived(place) }
    order.spoke(0, hadSpoken: false)
    order.spoke(1, hadSpoken: false)
    order.spoke(0, hadSpoken: true)
    var gone: [Int] = []
    while let place = order.first(where: { _ in true }) {
      gone.append(place)
      order.left(place, hasSpoken: place < 2)
    }
    #expect(gone == [2, 3, 1, 0])
  }
  @Test func whoIsOfUseIsPassedOverButNotForEver() {
    var order = UseOrder()
    for place in 0..<3 { order.arrived(place) }
    #expect(order.first { $0 == 2 } == 2)
    #expect(order.first { _ in false } == nil)
    for place in 3...LoopOptions.idleLooks { order.arrived(place) }
    #expect(order.first { $0 == LoopOptions.idleLooks - 1 } == LoopOptions.idleLooks - 1)
    #expect(order.first { $0 == LoopOptions.idleLooks } == nil)
  }
}
