import Base
import Vocabulary

/// What is kept of a user's secret: a salt, and what was made of both. The secret itself is nowhere.
public struct KeptSecret: Hashable, Sendable {
  /// The raw value is part of the directory's log.
  public enum Form: UInt8, Sendable {
    /// HMAC-SHA-256 of a secret that `tally` drew: nobody guesses 128 bits.
    case drawn = 1
    /// scrypt (N = 2^14, r = 8, p = 1) of one that somebody chose.
    case chosen = 2
  }
  public var form: Form
  public var salt: [UInt8]
  public var code: [UInt8]

  public init(form: Form, salt: [UInt8], code: [UInt8]) { (self.form, self.salt, self.code) = (form, salt, code) }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(form.rawValue)
    buffer.append(counted: salt)
    buffer.append(counted: code)
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    guard let form = Form(rawValue: try reader.read()) else { throw MalformedBytes("a secret of an unknown form") }
    self.init(form: form, salt: Array(try reader.readCounted()), code: Array(try reader.readCounted()))
    guard salt.count == KeptSecret.saltBytes, code.count == 32 else { throw MalformedBytes("a secret that is none") }
  }
  public static let saltBytes = 16
}

/// Work on a secret that leaves the loop.
public struct SecretJob: Sendable {
  public enum Task: Sendable {
    /// What is to be kept of it.
    case keep
    /// Whether it is the one that was kept. `user` and `revision` say of whom, as long as nothing changes of that user.
    case check(KeptSecret, user: UInt32, revision: UInt64)
    /// So many random bytes, of nothing.
    case draw(count: Int)
  }
  public var ticket: UInt64
  public var secret: [UInt8]
  public var task: Task
}

public struct SecretResult: Sendable {
  public enum Outcome: Sendable {
    case kept(KeptSecret)
    case drawn([UInt8])
    /// Whether it was right, and which revision of the user that is of.
    case checked(Bool, revision: UInt64)
    /// Why it cannot be done here.
    case refused(String)
  }
  public var ticket: UInt64
  public var outcome: Outcome

  public init(ticket: UInt64, outcome: Outcome) { (self.ticket, self.outcome) = (ticket, outcome) }
}

/// Who works on secrets, on a thread of its own.
public protocol SecretKeeper: AnyObject, Sendable {
  func run(_ job: SecretJob) -> SecretResult
}

/// Keeps secrets by what it is given to hash them with. It remembers whose secret it has seen to be right, as a code under a key
/// of this process, until anything changes of that user: so a sign-in by a chosen secret takes long once.
public final class RememberingKeeper: SecretKeeper, @unchecked Sendable {
  /// Codes, hashes, comparisons and random bytes.
  public struct Means: Sendable {
    public var code: @Sendable (_ message: [UInt8], _ key: [UInt8]) throws -> [UInt8]
    public var hash: @Sendable (_ secret: [UInt8], _ salt: [UInt8]) throws -> [UInt8]
    public var areEqual: @Sendable ([UInt8], [UInt8]) throws -> Bool
    public var random: @Sendable (Int) throws -> [UInt8]
    public init(
      code: @escaping @Sendable (_ message: [UInt8], _ key: [UInt8]) throws -> [UInt8],
      hash: @escaping @Sendable (_ secret: [UInt8], _ salt: [UInt8]) throws -> [UInt8],
      areEqual: @escaping @Sendable ([UInt8], [UInt8]) throws -> Bool,
      random: @escaping @Sendable (Int) throws -> [UInt8]
    ) {
      (self.code, self.hash, self.areEqual, self.random) = (code, hash, areEqual, random)
    }
  }
  private let means: Means
  private var key: [UInt8] = []
  private var remembered: [UInt32: (revision: UInt64, code: [UInt8])] = [:]
  private static let mostRemembered = 100_000

  /// Of one thread: that of the lane.
  public init(_ means: Means) { self.means = means }

  public func run(_ job: SecretJob) -> SecretResult {
    do {
      switch job.task {
      case .keep: return SecretResult(ticket: job.ticket, outcome: .kept(try keep(job.secret)))
      case .draw(let count): return SecretResult(ticket: job.ticket, outcome: .drawn(try means.random(count)))
      case .check(let kept, let user, let revision):
        return SecretResult(
          ticket: job.ticket,
          outcome:
            .checked(try check(job.secret, kept, user, revision), revision: revision))
      }
    } catch {
      return SecretResult(ticket: job.ticket, outcome: .refused("\(error)"))
    }
  }
  private func keep(_ secret: [UInt8]) throws -> KeptSecret {
    let salt = try means.random(KeptSecret.saltBytes)
    let form = DrawnSecret.isOne(secret) ? KeptSecret.Form.drawn : .chosen
    return KeptSecret(form: form, salt: salt, code: try code(of: secret, salt, form))
  }
  private func check(_ secret: [UInt8], _ kept: KeptSecret, _ user: UInt32, _ revision: UInt64) throws -> Bool {
    guard kept.form == .chosen else { return try means.areEqual(try code(of: secret, kept.salt, kept.form), kept.code) }
    if key.isEmpty { key = try means.random(32) }
    let own = try means.code(secret, key)
    if let known = remembered[user], known.revision == revision { return try means.areEqual(own, known.code) }
    guard try means.areEqual(try code(of: secret, kept.salt, kept.form), kept.code) else { return false }
    if user != 0 {
      if remembered.count >= RememberingKeeper.mostRemembered { remembered = [:] }
      remembered[user] = (revision, own)
    }
    return true
  }
  private func code(of secret: [UInt8], _ salt: [UInt8], _ form: KeptSecret.Form) throws -> [UInt8] {
    switch form {
    case .drawn: try means.code(secret, salt)
    case .chosen: try means.hash(secret, salt)
    }
  }
}

extension RememberingKeeper.Means {
  /// The same form without anything that costs or that nobody foresees: for tests and simulated nodes alone.
  public static var simulated: RememberingKeeper.Means {
    @Sendable func code(_ a: [UInt8], _ b: [UInt8]) -> [UInt8] {
      SHA256.digest(b + [0] + a).withBytes { Array($0) }
    }
    return RememberingKeeper.Means(
      code: { code($0, $1) }, hash: { code($0, $1) }, areEqual: { $0 == $1 },
      random: { [UInt8](repeating: 7, count: $0) })
  }
}
