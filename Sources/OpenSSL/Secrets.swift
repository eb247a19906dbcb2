/// What OpenSSL's libcrypto does for secrets. Each call throws `SystemLibrary.Missing` where the library is not there. From any
/// thread.
public enum Secrets {
  public struct Failed: Error, CustomStringConvertible {
    public let what: String
    public var description: String { "libcrypto refused \(what)" }
  }

  private typealias ScryptCall =
    @convention(c) (
      UnsafeRawPointer?, Int, UnsafeRawPointer?, Int, UInt64, UInt64, UInt64, UInt64, UnsafeMutableRawPointer?, Int
    ) -> Int32
  private typealias RandomCall = @convention(c) (UnsafeMutableRawPointer?, Int32) -> Int32
  private typealias DigestCall = @convention(c) () -> OpaquePointer?
  private typealias CodeCall =
    @convention(c) (
      OpaquePointer?, UnsafeRawPointer?, Int32, UnsafeRawPointer?, Int, UnsafeMutableRawPointer?,
      UnsafeMutablePointer<UInt32>?
    ) -> UnsafeMutableRawPointer?
  private typealias CompareCall = @convention(c) (UnsafeRawPointer?, UnsafeRawPointer?, Int) -> Int32

  /// scrypt (RFC 7914). The corresponding C function is `EVP_PBE_scrypt`. With N = 2^14 and r = 8 it takes some 50 ms and
  /// 16 MiB.
  /// - Parameters:
  ///   - n: a power of 2; memory and time rise with it.
  ///   - count: bytes of the result.
  public static func scrypt(
    _ secret: [UInt8], salt: [UInt8], n: UInt64 = 1 << 14, r: UInt64 = 8, p: UInt64 = 1, count: Int = 32
  ) throws -> [UInt8] {
    let call: ScryptCall = try SystemLibrary.crypto.function("EVP_PBE_scrypt")
    var result = [UInt8](repeating: 0, count: count)
    let isDone = secret.withUnsafeBytes { secret in
      salt.withUnsafeBytes { salt in
        result.withUnsafeMutableBytes { result in
          // No secret is no null pointer: that would mean something else.
          call(
            secret.baseAddress ?? salt.baseAddress, secret.count, salt.baseAddress, salt.count, n, r, p, 64 << 20,
            result.baseAddress, count)
        }
      }
    }
    guard isDone == 1 else { throw Failed(what: "scrypt") }
    return result
  }

  /// HMAC-SHA-256 (RFC 2104): 32 bytes. The corresponding C function is `HMAC`.
  public static func code(_ message: [UInt8], key: [UInt8]) throws -> [UInt8] {
    let digest: DigestCall = try SystemLibrary.crypto.function("EVP_sha256")
    let call: CodeCall = try SystemLibrary.crypto.function("HMAC")
    var result = [UInt8](repeating: 0, count: 32)
    var count: UInt32 = 0
    // An empty key must have an address: without one the key of an earlier call would count.
    let key = key.isEmpty ? [0] : key
    let isDone = key.withUnsafeBytes { key in
      message.withUnsafeBytes { message in
        result.withUnsafeMutableBytes {
          call(digest(), key.baseAddress, Int32(key.count), message.baseAddress, message.count, $0.baseAddress, &count)
        } != nil
      }
    }
    guard isDone, count == 32 else { throw Failed(what: "HMAC") }
    return result
  }

  /// Random bytes that nobody can foresee. The corresponding C function is `RAND_bytes`.
  public static func random(_ count: Int) throws -> [UInt8] {
    let call: RandomCall = try SystemLibrary.crypto.function("RAND_bytes")
    var bytes = [UInt8](repeating: 0, count: count)
    guard bytes.withUnsafeMutableBytes({ call($0.baseAddress, Int32(count)) }) == 1 else {
      throw Failed(what: "random bytes")
    }
    return bytes
  }

  /// Whether two values are equal, in a time that does not tell where they differ. The corresponding C function is
  /// `CRYPTO_memcmp`.
  public static func areEqual(_ a: [UInt8], _ b: [UInt8]) throws -> Bool {
    guard a.count == b.count else { return false }
    let call: CompareCall = try SystemLibrary.crypto.function("CRYPTO_memcmp")
    return a.withUnsafeBytes { a in b.withUnsafeBytes { call(a.baseAddress, $0.baseAddress, a.count) } } == 0
  }
}
