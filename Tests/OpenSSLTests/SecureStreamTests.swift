import Glibc
import System
import TLSSupport
import Testing

@testable import OpenSSL

@Suite(.enabled(if: SystemLibrary.tls.isThere, "libssl3 is not installed"))
struct SecureStreamTests {
  private let own: TestCertificates
  private let server: TLSContext
  private let client: TLSContext
  init() throws {
    own = try TestCertificates()
    server = try TLSContext(try own.node("east"), verification: .none)
    client = try TLSContext(TLSContext.Files(authorities: own.authorities), verification: .signed)
  }

  /// Both ends of a pair of sockets, hands shaken.
  private func ends() throws -> (Int32, Int32) {
    var raw: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Socket.flags, 0, &raw) == 0)
    return (raw[0], raw[1])
  }
  private func shake(_ near: inout SecureStream, _ far: inout SecureStream) throws {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 100_000, alignment: 16)
    defer { room.deallocate() }
    near.begin()
    for _ in 0..<10 where !(near.isEstablished && far.isEstablished) {
      _ = near.flush()
      #expect(far.receive(into: room) == .wouldBlock)
      #expect(near.receive(into: room) == .wouldBlock)
    }
    _ = near.flush()
    _ = far.receive(into: room)
    let isDone = near.isEstablished && far.isEstablished
    try #require(isDone)
  }

  @Test func aReaderThatDoesNotReadHoldsBackTheWriterAndLosesNothing() throws {
    let raw = try ends()
    var near = SecureStream(
      Descriptor(owning: raw.0), session: TLSSession(client, .client(host: nil), on: TLSWire()))
    var far = SecureStream(
      Descriptor(owning: raw.1), session: TLSSession(server, .server, on: TLSWire()))
    try shake(&near, &far)
    let bytes = (0..<4 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var sent = 0
    func push(_ stream: inout SecureStream) {
      while sent < bytes.count {
        let result = bytes.withUnsafeBytes { stream.send(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
        guard case .moved(let count) = result else { return #expect(result == .wouldBlock) }
        sent += count
      }
    }
    push(&far)
    let unsent = far.unsentCount
    #expect(sent < bytes.count && unsent > 0 && unsent < 80_000)
    var received: [UInt8] = []
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 100_000, alignment: 16)
    defer { room.deallocate() }
    while received.count < bytes.count {
      switch near.receive(into: room) {
      case .moved(let count): received += room[..<count]
      case .wouldBlock:
        let before = sent + far.unsentCount
        push(&far)
        _ = far.flush()
        let after = sent + far.unsentCount
        try #require(after != before || after == bytes.count, "nothing moves any more")
      case .ended, .failed: throw CertificateMaker.Failure("the stream broke")
      }
    }
    #expect(received == bytes)
  }

  @Test func whatComesTogetherWithTheEndIsReadBeforeIt() throws {
    let raw = try ends()
    var near = SecureStream(
      Descriptor(owning: raw.0), session: TLSSession(client, .client(host: nil), on: TLSWire()))
    var far = SecureStream(
      Descriptor(owning: raw.1), session: TLSSession(server, .server, on: TLSWire()))
    try shake(&near, &far)
    #expect("last words".utf8.withContiguousStorageIfAvailable { near.send(UnsafeRawBufferPointer($0)) } == .moved(10))
    near.endOutput()
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 100_000, alignment: 16)
    defer { room.deallocate() }
    #expect(far.receive(into: room) == .moved(10))
    let hasMore = far.hasMore
    #expect(hasMore)
    #expect(far.receive(into: room) == .ended)
    let failure = far.failure
    #expect(failure == nil)
  }
}
