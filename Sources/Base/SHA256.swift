#if canImport(Glibc)
  import Glibc
#endif

/// SHA-256 (FIPS 180-4): the hash chain of the journal and the digest of snapshots. The portable code costs some 4 µs
/// a KiB; the
/// system's libcrypto, where it is found, some 0.6 µs.
public struct SHA256: Sendable {
  /// 32 bytes.
  public struct Digest: Hashable, Sendable, BitwiseCopyable {
    public var a: UInt64 = 0
    public var b: UInt64 = 0
    public var c: UInt64 = 0
    public var d: UInt64 = 0
    public init() {}
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
      try withUnsafeBytes(of: self, body)
    }
    public init(bytes: UnsafeRawBufferPointer) {
      precondition(bytes.count == 32, "a SHA-256 digest has 32 bytes")
      self = bytes.loadUnaligned(as: Digest.self)
    }
    public var hex: String {
      withBytes { bytes in
        String(decoding: bytes.flatMap { [Digest.digits[Int($0 >> 4)], Digest.digits[Int($0 & 15)]] }, as: UTF8.self)
      }
    }
    private static let digits = Array("0123456789abcdef".utf8)
  }

  typealias OneShot = @convention(c) (UnsafeRawPointer?, Int, UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
  /// libcrypto's `SHA256(data, count, digest)`: a pure function, looked up once.
  private static let system: OneShot? = {
    for name in ["libcrypto.so.3", "libcrypto.so.1.1"] {
      if let library = dlopen(name, RTLD_NOW | RTLD_LOCAL), let symbol = dlsym(library, "SHA256") {
        return unsafeBitCast(symbol, to: OneShot.self)
      }
    }
    return nil
  }()

  /// The digest of one run of bytes.
  public static func digest(_ data: UnsafeRawBufferPointer) -> Digest {
    if let system {
      var result = Digest()
      _ = withUnsafeMutableBytes(of: &result) { system(data.baseAddress, data.count, $0.baseAddress) }
      return result
    }
    return portableDigest(data)
  }
  public static func digest(_ data: [UInt8]) -> Digest { data.withUnsafeBytes { digest($0) } }

  /// The digest by the code below, whatever the system has.
  public static func portableDigest(_ data: UnsafeRawBufferPointer) -> Digest {
    var hasher = SHA256()
    hasher.update(data)
    return hasher.finish()
  }

  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  private var pending: [UInt8] = []
  private var total: UInt64 = 0

  public init() { pending.reserveCapacity(64) }

  /// Takes in more bytes.
  public mutating func update(_ data: UnsafeRawBufferPointer) {
    total += UInt64(data.count)
    var offset = 0
    if !pending.isEmpty {
      let take = min(64 - pending.count, data.count)
      pending.append(contentsOf: data[0..<take])
      offset = take
      guard pending.count == 64 else { return }
      let block = pending
      block.withUnsafeBytes { compress($0) }
      pending.removeAll(keepingCapacity: true)
    }
    while offset + 64 <= data.count {
      compress(UnsafeRawBufferPointer(rebasing: data[offset..<offset + 64]))
      offset += 64
    }
    pending.append(contentsOf: data[offset...])
  }

  /// The digest of all bytes taken in. The hasher is used up.
  public mutating func finish() -> Digest {
    let bits = total &* 8
    var padding: [UInt8] = [0x80]
    padding.append(contentsOf: repeatElement(0, count: (119 - pending.count) % 64))
    withUnsafeBytes(of: bits.bigEndian) { padding.append(contentsOf: $0) }
    padding.withUnsafeBytes { update($0) }
    precondition(pending.isEmpty, "padding fills the last block")
    let words = state.map(\.bigEndian)
    return words.withUnsafeBytes { Digest(bytes: $0) }
  }

  private mutating func compress(_ block: UnsafeRawBufferPointer) {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { w in
      for i in 0..<16 { w[i] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: i * 4, as: UInt32.self)) }
      func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x &>> n | x &<< (32 &- n) }
      for i in 16..<64 {
        let s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] &>> 3
        let s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] &>> 10
        w[i] = w[i - 16] &+ s0 &+ w[i - 7] &+ s1
      }
      var (a, b, c, d) = (state[0], state[1], state[2], state[3])
      var (e, f, g, h) = (state[4], state[5], state[6], state[7])
      for i in 0..<64 {
        let s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
        let t1 = h &+ s1 &+ (e & f ^ ~e & g) &+ SHA256.constants[i] &+ w[i]
        let s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
        let t2 = s0 &+ (a & b ^ a & c ^ b & c)
        (h, g, f, e) = (g, f, e, d &+ t1)
        (d, c, b, a) = (c, b, a, t1 &+ t2)
      }
      state[0] &+= a
      state[1] &+= b
      state[2] &+= c
      state[3] &+= d
      state[4] &+= e
      state[5] &+= f
      state[6] &+= g
      state[7] &+= h
    }
  }

  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
  ]
}
