import Glibc
import System

/// The program that started this one, if it wants to be told: systemd with `Type=notify` (sd_notify(3)). Says nothing where
/// `NOTIFY_SOCKET` is not set, and nothing goes wrong if nobody listens there.
enum ServiceManager {
  /// Connections are taken from now on.
  static func ready() { say("READY=1") }
  /// The process ends of itself, which may take as long as `stop-seconds`.
  static func stopping() { say("STOPPING=1") }

  private static func say(_ state: String) {
    guard let path = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }) else { return }
    send(state, to: path)
  }
  /// One datagram. A path that begins with `@` is an abstract name.
  @discardableResult static func send(_ state: String, to path: String) -> Bool {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(path.utf8)
    guard name.count > 1, name.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    if name[0] == UInt8(ascii: "@") { name[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + name.count)
    let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard raw >= 0 else { return false }
    let descriptor = Descriptor(owning: raw)
    let bytes = Array(state.utf8)
    let sent = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor.rawValue, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
      }
    }
    return sent == bytes.count
  }
}
