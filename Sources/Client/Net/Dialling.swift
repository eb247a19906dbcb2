import Glibc
import System

/// Why a connection was not made, in the system's words.
struct ConnectFailure: Error {
  let text: String
}

extension Socket {
  /// Connects, waiting at most `milliseconds`.
  static func connected(
    to address: SocketAddress, within milliseconds: Int32
  ) throws(ConnectFailure) -> Descriptor {
    let made: Descriptor
    do { made = try connect(to: address) } catch { throw ConnectFailure(text: error.reason) }
    guard made.wait(for: POLLOUT, milliseconds: milliseconds) else {
      throw ConnectFailure(text: "no answer within \(milliseconds) ms")
    }
    let code = pendingError(made)
    guard code == 0 else { throw ConnectFailure(text: SystemError.text(of: code)) }
    return made
  }
}

extension Descriptor.Transfer {
  /// Why no more bytes come or go, `nil` while the connection lives.
  var end: String? {
    switch self {
    case .moved, .wouldBlock: nil
    case .ended: "closed by the node"
    case .failed(let code): SystemError.text(of: code)
    }
  }
}
