import Glibc

/// A library of the system's OpenSSL 3, opened when it is first needed: for TLS, password hashes, HMAC and random secrets.
/// Nothing here is thread-bound: the handles are never closed, and a function's address is the same for every thread.
public struct SystemLibrary: Sendable {
  public static let crypto = SystemLibrary("libcrypto.so.3")
  public static let tls = SystemLibrary("libssl.so.3")

  public let name: String
  private let handle: UInt?

  private init(_ name: String) {
    self.name = name
    handle = dlopen(name, RTLD_NOW | RTLD_LOCAL).map { UInt(bitPattern: $0) }
  }

  public var isThere: Bool { handle != nil }

  /// A C function of the library.
  /// - Parameter type: its type, `@convention(c)`; a wrong one is undefined behaviour.
  /// - Throws: `Missing`, where the library or the function is not there.
  public func function<Function>(_ symbol: String, as type: Function.Type = Function.self) throws(Missing) -> Function {
    guard let handle, let address = dlsym(UnsafeMutableRawPointer(bitPattern: handle), symbol) else {
      throw Missing(library: name, symbol: isThere ? symbol : nil)
    }
    return unsafeBitCast(address, to: type)
  }

  public struct Missing: Error, CustomStringConvertible {
    public let library: String
    /// Nil: the library itself.
    public let symbol: String?
    public var description: String {
      guard let symbol else { return "\(library) is not there: install the package libssl3 (OpenSSL 3)" }
      return "\(library) has no \(symbol): install OpenSSL 3 (package libssl3)"
    }
  }
}
