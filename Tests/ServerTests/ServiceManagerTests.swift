import Glibc
import System
import Testing

@testable import Server

@Suite struct ServiceManagerTests {
  /// By a path, and by an abstract name.
  @Test(arguments: ["/tmp/tally-notify-test.sock", "@tally-notify-test"]) func aDatagramSaysThatTheNodeIsReady(
    _ name: String
  ) {
    let path = name.hasPrefix("@") ? name + "-\(getpid())" : name.replacing(".sock", with: "-\(getpid()).sock")
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(path.utf8)
    if bytes[0] == UInt8(ascii: "@") { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let listener = Descriptor(owning: socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0))
    let length = socklen_t(2 + bytes.count)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener.rawValue, $0, length) }
    }
    defer { if !name.hasPrefix("@") { unlink(path) } }
    #expect(bound == 0)
    #expect(ServiceManager.send("READY=1", to: path))
    var received = [UInt8](repeating: 0, count: 64)
    let count = recv(listener.rawValue, &received, received.count, 0)
    #expect(String(decoding: received.prefix(max(0, count)), as: UTF8.self) == "READY=1")
  }
  @Test func whoIsNotThereIsToldNothing() {
    #expect(!ServiceManager.send("READY=1", to: "/tmp/nobody-listens-here-\(getpid())"))
    #expect(!ServiceManager.send("READY=1", to: String(repeating: "x", count: 200)))
    #expect(!ServiceManager.send("READY=1", to: ""))
  }
}
