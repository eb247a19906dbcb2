import Glibc
import System
import Testing

@testable import Server

/// What is to be done about links and clients, without a loop.
@Suite struct ConnectionListsTests {
  private func descriptor() -> Descriptor { Descriptor(owning: open("/dev/null", O_RDWR | O_CLOEXEC)) }

  // MARK: Links

  private func link(connecting request: UInt64? = nil, deadline: UInt64 = 0) -> LinkConnection {
    var link = LinkConnection(descriptor: descriptor(), interest: .readable, isBulk: false)
    link.connecting = request
    link.deadline = deadline
    return link
  }

  @Test func aLinkIsSentToOnceHoweverOftenItGetsOutput() {
    var links = Links(capacity: 4)
    let (first, second) = (links.insert(link()), links.insert(link()))
    let taken = [links.append([1], to: second), links.append([2], to: first), links.append([3], to: second)]
    let (dirty, byteCount) = (links.dirty, links.find(second)?.pointee.output.byteCount)
    #expect(taken == [true, true, true] && dirty == [second, first] && byteCount == 2)
    links.cleaned()
    links.find(first)?.pointee.isClosing = true
    let late = [links.append([4], to: first), links.append([5], to: 77)]
    let after = links.dirty
    #expect(late == [false, false] && after.isEmpty)
  }
  @Test func theNodeHearsOnceWhatCameOfLinks() {
    var links = Links(capacity: 4)
    var hasNews = [links.hasNews]
    links.noteFailed(request: 7)
    hasNews.append(links.hasNews)
    let failed = [links.takeFailed(), links.takeFailed()]
    links.noteDrained(3)
    hasNews.append(links.hasNews)
    var drained: [UInt64] = []
    links.takeDrained(into: &drained)
    hasNews.append(links.hasNews)
    #expect(failed == [[7], []] && drained == [3] && hasNews == [false, true, true, false])
  }
  @Test func aLinkThatIsNotMadeInTimeExpiresAndOneThatIsMadeDoesNot() {
    var links = Links(capacity: 4)
    let late = links.insert(link(connecting: 1, deadline: 100))
    let made = links.insert(link(connecting: 2, deadline: 100))
    _ = links.insert(link(deadline: 100))
    links.find(made)?.pointee.connecting = nil
    let expired = [links.takeExpired(at: 99), links.takeExpired(at: 100), links.takeExpired(at: 200)]
    #expect(expired == [[], [late], []])
  }
  @Test func aLinkIsClosedWhenItsOutputIsSentOrItsTimeIsOver() {
    var links = Links(capacity: 4)
    let (empty, full) = (links.insert(link()), links.insert(link(connecting: 1, deadline: 50)))
    _ = links.append([1], to: full)
    // It is made, and closed before anybody has looked at its deadline: it is listed once.
    links.find(full)?.pointee.connecting = nil
    let waits = [
      links.beginClose(empty, at: 10), links.beginClose(full, at: 10), links.beginClose(full, at: 1000),
      links.beginClose(77, at: 10),
    ]
    #expect(waits == [false, true, true, true])
    let end = 10 + LoopOptions.closeTimeout
    let expired = [links.takeExpired(at: end - 1), links.takeExpired(at: end)]
    #expect(expired == [[], [full]])
  }

  // MARK: Clients

  /// Takes in clients, each with so many bytes of a request that has begun.
  private func fill(_ clients: inout Clients, _ leftovers: [Int], at time: UInt64 = 0) -> [UInt64] {
    leftovers.map { count in
      let id = clients.insert(ClientConnection(descriptor: descriptor()))
      guard count > 0, let client = clients.find(id) else { return id }
      client.pointee.leftover = Array(repeating: 120, count: count)
      clients.noteIncomplete(id, client, isNew: true, at: time)
      return id
    }
  }
  private func find(_ id: UInt64, _ clients: borrowing Clients) throws -> UnsafeMutablePointer<ClientConnection> {
    let client = clients.find(id)
    return try #require(client)
  }
  private func enqueue(_ ids: [UInt64], _ clients: inout Clients) {
    for id in ids {
      guard let client = clients.find(id) else { continue }
      clients.enqueue(id, client)
    }
  }
  private func overdue(_ clients: inout Clients, at time: UInt64, _ options: LoopOptions) -> [UInt64] {
    clients.takeOverdue(at: time, options).map(\.id)
  }
  private func idle(_ clients: borrowing Clients, but busy: UInt64 = 0) -> UInt64? {
    clients.longestIdle { $0 != busy }
  }

  @Test func clientsThatWereNotReachedAreReadBeforeThoseThatCameMeanwhile() {
    var clients = Clients(capacity: 8)
    let ids = fill(&clients, [0, 0, 0, 0])
    enqueue([ids[2], ids[0], ids[1], ids[0]], &clients)
    var queue: [UInt64] = []
    clients.takeReady(into: &queue)
    #expect(queue == [ids[2], ids[0], ids[1]])
    clients.find(ids[2])?.pointee.state.remove(.queued)
    enqueue([ids[3], ids[2]], &clients)
    clients.putBack(&queue, reached: 1)
    var next: [UInt64] = []
    clients.takeReady(into: &next)
    let isMore = clients.hasReady
    #expect(next == [ids[0], ids[1], ids[3], ids[2]] && !isMore)
  }
  @Test func aClientIsSentToOnceAndNotWhileItIsBeingClosed() throws {
    var clients = Clients(capacity: 8)
    let ids = fill(&clients, [0, 0])
    let taken = [clients.append([1], to: ids[1]), clients.append([2], to: ids[1]), clients.append([3], to: ids[0])]
    let dirty = clients.dirty
    #expect(taken == [true, true, true] && dirty == [ids[1], ids[0]])
    clients.cleaned()
    let client = try find(ids[0], clients)
    let begun = [clients.beginClose(ids[0], client, at: 10), clients.beginClose(ids[0], client, at: 90)]
    let late = clients.append([4], to: ids[0])
    let after = clients.dirty
    #expect(begun == [true, false] && !late && after.isEmpty)
    let end = 10 + LoopOptions.closeTimeout
    let expired = [clients.takeExpired(at: end - 1), clients.takeExpired(at: end), clients.takeExpired(at: .max)]
    #expect(expired == [[], [ids[0]], []])
  }
  @Test func aRequestThatDoesNotEndIsOverdueAfterItsTimeCountedFromItsBegin() throws {
    var options = LoopOptions()
    options.incompleteTimeout = 100
    var clients = Clients(capacity: 8)
    let ids = fill(&clients, [5, 5, 5, 5], at: 1000)
    // The first ends; the second is held, so that it cannot end; the third begins another.
    clients.find(ids[0])?.pointee.leftover = []
    clients.find(ids[1])?.pointee.state.insert(.heldByNode)
    let third = try find(ids[2], clients)
    clients.noteIncomplete(ids[2], third, isNew: true, at: 1050)
    let first = [overdue(&clients, at: 1099, options), overdue(&clients, at: 1100, options)]
    #expect(first == [[], [ids[3]]])
    clients.find(ids[1])?.pointee.state.remove(.heldByNode)
    let second = [overdue(&clients, at: 1150, options), overdue(&clients, at: 1199, options)]
    #expect(second == [[ids[2]], []])
    let reasons = clients.takeOverdue(at: 1200, options)
    #expect(reasons.map(\.id) == [ids[1]] && reasons.map(\.reason) == [.tooLong])
  }
  @Test func theOldestOfThoseThatHoldTooMuchTogetherAreClosed() {
    var options = LoopOptions()
    options.incompleteBytesMax = 25
    var clients = Clients(capacity: 8)
    let ids = fill(&clients, [10, 10, 10, 10])
    clients.find(ids[0])?.pointee.state.insert(.heldByNode)
    let overdue = clients.takeOverdue(at: 1, options)
    #expect(overdue.map(\.id) == [ids[1]] && overdue.map(\.reason) == [.tooMuch])
  }
  @Test func theOneThatIsIdleForLongestHasNothingToSendAndNothingToWaitFor() throws {
    var clients = Clients(capacity: 8)
    let ids = fill(&clients, [0, 0, 0, 0])
    clients.find(ids[0])?.pointee.state.insert(.heldByNode)
    _ = clients.append([1], to: ids[1])
    var gone = [idle(clients, but: ids[2]), idle(clients)]
    let third = try find(ids[2], clients)
    clients.noteUse(ids[2], third)
    gone.append(idle(clients))
    _ = clients.remove(ids[3])
    gone.append(idle(clients))
    _ = clients.beginClose(ids[2], third, at: 0)
    gone.append(idle(clients))
    #expect(gone == [ids[3], ids[2], ids[3], ids[2], nil])
  }
  @Test func whoComesAtThePlaceOfOneThatIsGoneIsTheNewest() {
    var clients = Clients(capacity: 8)
    let ids = fill(&clients, [0, 0])
    _ = clients.remove(ids[0])
    let newest = fill(&clients, [0])
    let gone = [idle(clients), idle(clients, but: ids[1])]
    #expect(gone == [ids[1], newest[0]])
  }
}
