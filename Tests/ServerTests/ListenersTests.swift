import Glibc
import System
import Testing

@testable import Server

@Suite struct ListenersTests {
  private func listeners() throws -> Listeners {
    let local = try #require(SocketAddress(HostPort(host: "127.0.0.1", port: 0), numericOnly: true))
    let clients = try Socket.bind(local)
    let peers = try Socket.bind(local)
    try Socket.listen(clients)
    try Socket.listen(peers)
    return Listeners(clients: clients, peers: peers)
  }
  private func port(_ descriptor: borrowing Descriptor) throws -> UInt16 {
    try #require(HostPort(Socket.localAddress(descriptor).description)).port
  }
  /// Which listeners have a connection that waits.
  private func ready(_ poller: borrowing Poller) -> Set<Source> {
    Set((0..<poller.wait(milliseconds: 0)).compactMap { Source(token: poller.token(at: $0)) })
  }

  @Test func whileItPausesConnectionsWaitInTheKernel() throws {
    var listeners = try listeners()
    let poller = try Poller()
    try listeners.watch(poller)
    let connections = [try TestSocket(try port(listeners.clients)), try TestSocket(try port(listeners.peers))]
    #expect(ready(poller) == [.clientListener, .peerListener])
    listeners.pause(at: 1000, poller)
    #expect(ready(poller) == [])
    listeners.resumeIfDue(at: 1000 + LoopOptions.acceptPause - 1, poller)
    #expect(ready(poller) == [])
    listeners.resumeIfDue(at: 1000 + LoopOptions.acceptPause, poller)
    #expect(ready(poller) == [.clientListener, .peerListener])
    _ = connections
  }
  @Test func theSpareIsGivenUpForAConnectionThatIsThenRefused() throws {
    var listeners = try listeners()
    let poller = try Poller()
    try listeners.watch(poller)
    let connection = try TestSocket(try port(listeners.clients))
    if let descriptor = listeners.acceptBySpare() {
      Array("no\n".utf8).withUnsafeBytes { _ = descriptor.send($0) }
    }
    listeners.replaceSpare(at: 0, poller)
    #expect(try connection.line() == "no")
    #expect(try connection.line() == nil)
    // There was a descriptor for the next spare: nothing pauses.
    let next = try TestSocket(try port(listeners.clients))
    #expect(ready(poller) == [.clientListener])
    _ = next
  }
}
