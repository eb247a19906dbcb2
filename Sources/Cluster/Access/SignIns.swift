import Base
import Vocabulary

/// An attempt to sign in.
struct SignIn {
  var owner: EdgeItem.Owner
  /// The request, which is answered when it is known who that is.
  var raw: [UInt8]
  var name: String
  var secret: [UInt8]
  /// Without the port.
  var address: String
  /// When its turn came (µs).
  var begun: UInt64 = 0
}

/// Attempts to sign in, from a request to its answer: one at a time of an address and a name, and the longer apart the more of
/// them have failed. Whether there is such a user makes no difference to when, and how, a wrong one is answered.
struct SignIns {
  /// Attempts that wait or are under way, at most.
  static let most = 20_000
  /// What a failure delays the answer by, and the next attempt of that address and name: this, doubled with each (µs).
  static let firstDelay: UInt64 = 250_000
  static let longestDelay: UInt64 = 8_000_000
  /// The same of attempts by that name from anywhere: nobody is kept out by the failures of others for longer.
  static let firstDelayOfName: UInt64 = 125_000
  static let longestDelayOfName: UInt64 = 1_000_000
  /// Failures are forgotten when there was none for so long (µs).
  static let memory: UInt64 = 600_000_000
  private static let mostKnown = 16_384

  private struct Line {
    var failures = 0
    var lastFailure: UInt64 = 0
    var notBefore: UInt64 = 0
    var isUnderWay = false
    var waiting: [SignIn] = []
    var first = 0
    var isIdle: Bool { !isUnderWay && first == waiting.count }
  }
  private struct Key: Hashable {
    var address: String
    var name: String
  }
  private var lines: [Key: Line] = [:]
  private var names: [String: (failures: Int, last: UInt64, notBefore: UInt64)] = [:]
  private var underWay: [UInt64: SignIn] = [:]
  private var nextTicket: UInt64 = 1
  /// Lines whose next attempt waits for its time.
  private var timers: [(due: UInt64, key: Key)] = []
  /// Answers to failures that wait for theirs.
  private var failures: [(due: UInt64, attempt: SignIn)] = []
  private(set) var count = 0
  private var nextForgetting: UInt64 = 0

  /// Takes an attempt in. False: there are too many.
  mutating func add(_ attempt: SignIn, now: UInt64) -> Bool {
    guard count < SignIns.most else { return false }
    let key = Key(address: attempt.address, name: attempt.name)
    if lines[key] == nil, lines.count >= SignIns.mostKnown { forget(now: now) }
    guard lines[key] != nil || lines.count < SignIns.mostKnown else { return false }
    count += 1
    lines[key, default: Line()].waiting.append(attempt)
    if lines[key]?.isUnderWay == false { timers.append((due(key), key)) }
    return true
  }
  private func due(_ key: Key) -> UInt64 { max(lines[key]?.notBefore ?? 0, names[key.name]?.notBefore ?? 0) }
  private mutating func forget(now: UInt64) {
    guard now >= nextForgetting else { return }
    nextForgetting = now + 1_000_000
    lines = lines.filter { !$0.value.isIdle || now < $0.value.lastFailure + SignIns.memory }
    names = names.filter { now < $0.value.last + SignIns.memory }
  }

  /// Attempts whose time has come, each with the ticket by which its outcome is to come back.
  mutating func begin(now: UInt64) -> [(ticket: UInt64, attempt: SignIn)] {
    if timers.isEmpty { return [] }
    var begun: [(ticket: UInt64, attempt: SignIn)] = []
    var rest: [(due: UInt64, key: Key)] = []
    for timer in timers {
      guard timer.due <= now else {
        rest.append(timer)
        continue
      }
      guard let line = lines[timer.key], !line.isUnderWay, line.first < line.waiting.count else { continue }
      let due = due(timer.key)
      guard due <= now else {
        rest.append((due, timer.key))
        continue
      }
      begun.append(start(timer.key, line, now: now))
    }
    timers = rest
    return begun
  }
  private mutating func start(_ key: Key, _ line: Line, now: UInt64) -> (ticket: UInt64, attempt: SignIn) {
    var line = line
    var attempt = line.waiting[line.first]
    attempt.begun = now
    line.first += 1
    if line.first == line.waiting.count { (line.waiting, line.first) = ([], 0) }
    line.isUnderWay = true
    lines[key] = line
    let ticket = nextTicket
    nextTicket += 1
    underWay[ticket] = attempt
    return (ticket, attempt)
  }

  /// What a ticket was given for; nil: it is over.
  mutating func take(_ ticket: UInt64) -> SignIn? { underWay.removeValue(forKey: ticket) }

  /// What came of an attempt that was begun. Of one that failed the answer waits: see `answers`.
  mutating func ended(_ attempt: SignIn, succeeded: Bool, now: UInt64) {
    let key = Key(address: attempt.address, name: attempt.name)
    var line = lines[key] ?? Line()
    line.isUnderWay = false
    if succeeded {
      (line.failures, line.notBefore) = (0, 0)
      names[attempt.name] = nil
      count -= 1
    } else {
      if now >= line.lastFailure + SignIns.memory { line.failures = 0 }
      line.failures += 1
      line.lastFailure = now
      // Counted from its beginning, so that it does not tell how long it took to find that out.
      line.notBefore = max(now, attempt.begun + SignIns.delay(line.failures, SignIns.firstDelay, SignIns.longestDelay))
      var name = names[attempt.name] ?? (0, 0, 0)
      if now >= name.last + SignIns.memory { name.failures = 0 }
      name = (name.failures + 1, now, 0)
      name.notBefore = now + SignIns.delay(name.failures, SignIns.firstDelayOfName, SignIns.longestDelayOfName)
      if names.count < SignIns.mostKnown || names[attempt.name] != nil { names[attempt.name] = name }
      failures.append((line.notBefore, attempt))
    }
    lines[key] = line.isIdle && line.failures == 0 ? nil : line
    if line.first < line.waiting.count { timers.append((max(now, line.notBefore), key)) }
  }
  /// It came to nothing that counts: the secret was not looked at.
  mutating func droppedOut(_ attempt: SignIn, now: UInt64) {
    let key = Key(address: attempt.address, name: attempt.name)
    count -= 1
    guard var line = lines[key] else { return }
    line.isUnderWay = false
    lines[key] = line.isIdle && line.failures == 0 ? nil : line
    if line.first < line.waiting.count { timers.append((max(now, line.notBefore), key)) }
  }
  static func delay(_ failures: Int, _ first: UInt64, _ longest: UInt64) -> UInt64 {
    failures > 16 ? longest : min(longest, first << UInt64(max(0, failures - 1)))
  }

  /// Failures that are to be answered by now, in the order in which they came due.
  mutating func answers(now: UInt64) -> [SignIn] {
    if failures.isEmpty { return [] }
    let due = failures.filter { $0.due <= now }
    guard !due.isEmpty else { return [] }
    failures.removeAll { $0.due <= now }
    count -= due.count
    return due.map(\.attempt)
  }
}
