import Glibc
import System
import Testing

@testable import Server

/// A blocking connection with deadlines: what a terminal has.
final class TestSocket {
  let raw: Int32
  private var pending: [UInt8] = []

  init(_ port: UInt16, host: String = "127.0.0.1", receiveBuffer: Int32? = nil) throws {
    raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try #require(raw >= 0)
    if var size = receiveBuffer { setsockopt(raw, SOL_SOCKET, SO_RCVBUF, &size, 4) }
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(raw, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var one: Int32 = 1
    setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    let address = try #require(SocketAddress(HostPort(host: host, port: port), numericOnly: true))
    let result = address.withAddress { connect(raw, $0, $1) }
    try #require(result == 0)
  }
  deinit { close(raw) }

  func send(_ text: String) throws {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      try #require(count > 0)
      rest = rest.dropFirst(count)
    }
  }
  /// Sends as much as is taken without waiting.
  /// - Returns: the number of bytes; nil if nothing was.
  func sendSome(_ bytes: [UInt8]) -> Int? {
    let count = bytes.withUnsafeBytes {
      Glibc.send(raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
    }
    return count > 0 ? count : nil
  }
  func endOutput() { shutdown(raw, Int32(SHUT_WR)) }
  /// Closes by a reset, as a machine that crashed would.
  func reset() {
    var nobody = sockaddr()
    nobody.sa_family = sa_family_t(AF_UNSPEC)
    connect(raw, &nobody, socklen_t(MemoryLayout<sockaddr>.size))
  }
  /// The next line, without its end; nil at the end of the connection.
  func line() throws -> String? {
    while true {
      if let end = pending.firstIndex(of: 10) {
        let line = String(decoding: pending[..<end], as: UTF8.self)
        pending.removeFirst(end + 1)
        return line
      }
      guard try fill() else { return nil }
    }
  }
  /// The next so many bytes.
  func text(_ count: Int) throws -> String {
    while pending.count < count { guard try fill() else { break } }
    defer { pending.removeFirst(min(count, pending.count)) }
    return String(decoding: pending.prefix(count), as: UTF8.self)
  }
  /// Reads so many bytes and throws them away.
  func skip(_ count: Int) throws {
    let take = min(count, pending.count)
    pending.removeFirst(take)
    let buffer = ScratchBuffer(byteCount: 1 << 16)
    var rest = count - take
    while rest > 0 {
      let got = recv(raw, buffer.bytes.baseAddress, min(rest, buffer.bytes.count), 0)
      try #require(got > 0, "nothing came within the deadline")
      rest -= got
    }
  }
  private func fill() throws -> Bool {
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
      count = max(-1, recv(raw, buffer.baseAddress, buffer.count, 0))
      if count < 0 {
        count = 1
        buffer[0] = 0
      }
    }
    try #require(bytes != [0], "nothing came within the deadline")
    pending.append(contentsOf: bytes)
    return !bytes.isEmpty
  }
}
