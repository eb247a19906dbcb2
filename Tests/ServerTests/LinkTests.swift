import Glibc
import Testing

@testable import Server

@Suite struct LinkTests {
  @Test func twoNodesExchangeBytesOverALink() throws {
    let (here, there) = (try RunningNode(), try RunningNode())
    let client = try TestSocket(here.port)
    try client.send("LINK 127.0.0.1:\(there.peerPort)\n")
    #expect(here.events.waits(for: "link opened 1"))
    #expect(there.events.waits(for: "link opened by peer"))
    try client.send("SEND hello\n")
    #expect(there.events.waits(for: "link received 6 hello"))
    let other = try TestSocket(there.port)
    try other.send("SEND back\n")
    #expect(here.events.waits(for: "link received 5 back"))
    there.stop()
    #expect(here.events.waits(for: "link closed"))
    here.stop()
    #expect(there.events.count("link closed") == 0)
  }

  @Test func aLinkToAPortThatNobodyListensOnFails() throws {
    let node = try RunningNode()
    let client = try TestSocket(node.port)
    let gone = try RunningNode()
    gone.stop()
    try client.send("LINK 127.0.0.1:\(gone.peerPort)\nLINK nonsense\nLINK no.such.host.invalid:1\n")
    #expect(node.events.waits(for: "link failed 1"))
    #expect(node.events.waits(for: "link failed 2"))
    #expect(node.events.waits(for: "link failed 3", milliseconds: 20_000))
    node.stop()
  }

  @Test func aNameIsLookedUpWithoutTheLoopWaiting() throws {
    let (here, there) = (try RunningNode(), try RunningNode())
    let client = try TestSocket(here.port)
    try client.send("LINK localhost:\(there.peerPort)\nhello\n")
    #expect(try client.line() == "hello")
    #expect(here.events.waits(for: "link opened 1"))
    here.stop()
    #expect(there.events.waits(for: "link closed"))
    there.stop()
  }

  @Test func aBulkLinkTellsWhenItsOutputIsGone() throws {
    let (here, there) = (try RunningNode(), try RunningNode())
    let client = try TestSocket(here.port)
    try client.send("BULK 127.0.0.1:\(there.peerPort)\n")
    #expect(here.events.waits(for: "link opened 1"))
    try client.send("SEND a\n")
    #expect(here.events.waits(for: "link drained", count: 1))
    try client.send("SEND b\n")
    #expect(here.events.waits(for: "link drained", count: 2))
    here.stop()
    there.stop()
  }

  @Test func aLongFrameIsKeptUntilItIsWholeAndTheLinkTellsOnceItIsGone() throws {
    let (here, there) = (try RunningNode(), try RunningNode())
    let client = try TestSocket(here.port)
    try client.send("LINK 127.0.0.1:\(there.peerPort)\n")
    #expect(here.events.waits(for: "link opened 1"))
    try client.send("SENDBIG 30000000\nSEND end\n")
    #expect(there.events.waits(for: "link received 30000004 xxxx", milliseconds: 20_000))
    #expect(here.events.waits(for: "link drained"))
    here.stop()
    there.stop()
  }

  @Test func aLinkThatTheNodeClosesHasSentItsOutput() throws {
    let (here, there) = (try RunningNode(), try RunningNode())
    let client = try TestSocket(here.port)
    try client.send("LINK 127.0.0.1:\(there.peerPort)\n")
    #expect(here.events.waits(for: "link opened 1"))
    try client.send("SENDBIG 10000000\nSEND end\nUNLINK\n")
    #expect(there.events.waits(for: "link received 10000004", milliseconds: 20_000))
    #expect(there.events.waits(for: "link closed"))
    #expect(here.events.count("link closed") == 0)
    here.stop()
    there.stop()
  }
}
