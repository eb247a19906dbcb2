import Base
import Protocol
import Vocabulary

/// The settings of a node, and their change while it runs: `CONFIG GET`, `CONFIG SET`. A change holds once it is kept: it is
/// written to the data directory first, and goes over the configuration file at the next start. A flag of the command line goes over both.
final class SettingsDesk: Coordinator {
  let turn: Turn
  private(set) var all: [(setting: Setting, value: String)]
  private var changed: [(key: String, value: String)]
  /// Those that are being kept, in order. At most `waitsMax`.
  private var waits: [Wait] = []
  private static let waitsMax = 64

  struct Wait {
    var owner: EdgeItem.Owner
    var key: String
    var value: String
  }
  enum Answer {
    /// It is being kept: `kept` is to be told.
    case later
    case refused(ErrorCode, String)
  }

  init(turn: Turn, configuration: NodeConfiguration) {
    self.turn = turn
    all = configuration.settings
    changed = configuration.changed
  }

  /// Those that a pattern means: `*` stands for any letters.
  func values(matching pattern: String) -> [(key: String, value: String)] {
    all.filter { !$0.setting.isHidden && SettingsDesk.matches($0.setting.key[...], pattern.lowercased()[...]) }
      .map { ($0.setting.key, $0.value) }
  }
  private static func matches(_ text: Substring, _ pattern: Substring) -> Bool {
    // The last star that was met, and what it stood for: only that is ever tried again, so O(text × pattern).
    var (text, pattern) = (text, pattern)
    var retry: (text: Substring, pattern: Substring)?
    while !text.isEmpty {
      if pattern.first == "*" {
        pattern.removeFirst()
        retry = (text, pattern)
      } else if pattern.first == text.first {
        pattern.removeFirst()
        text.removeFirst()
      } else if let last = retry {
        text = last.text.dropFirst()
        pattern = last.pattern
        retry = (text, pattern)
      } else {
        return false
      }
    }
    return pattern.allSatisfy { $0 == "*" }
  }

  func set(_ key: String, _ value: String, _ owner: EdgeItem.Owner) -> Answer {
    let key = key.lowercased()
    guard let known = all.first(where: { $0.setting.key == key && !$0.setting.isHidden }) else {
      return .refused(.malformed, "there is no setting '\(key)'; CONFIG GET * lists them")
    }
    guard known.setting.isChangeable else {
      return .refused(
        .malformed, "\(key) is read at the start alone: put it into the configuration file and start the node again")
    }
    guard value.utf8.allSatisfy({ $0 >= 32 && $0 < 127 && $0 != UInt8(ascii: "\"") }) else {
      return .refused(.malformed, "\(key): a value is of printable ASCII letters without quotes")
    }
    if let problem = known.setting.problem(value) { return .refused(.malformed, "\(key) \(value): \(problem)") }
    guard waits.count < SettingsDesk.waitsMax else {
      return .refused(.busy, "too many settings are being changed at once; nothing was done")
    }
    waits.append(Wait(owner: owner, key: key, value: value))
    if waits.count == 1 { keepFirst() }
    return .later
  }
  private func keepFirst() {
    guard let first = waits.first else { return }
    let text = SettingsDesk.replaced(changed, first).map { "\($0.key) = \"\($0.value)\"\n" }.joined()
    let title = "# What CONFIG SET changed: over the configuration file, under flags. Written by the node.\n"
    turn.out.jobs.append(.keepSettings(title + text))
  }
  private static func replaced(_ list: [(key: String, value: String)], _ wait: Wait) -> [(key: String, value: String)] {
    list.filter { $0.key != wait.key } + [(wait.key, wait.value)]
  }

  /// What was asked first is on the disk, and holds from now on; or it is not.
  func kept(isDone: Bool) -> Wait? {
    guard !waits.isEmpty else { return nil }
    let wait = waits.removeFirst()
    if isDone {
      changed = SettingsDesk.replaced(changed, wait)
      for place in all.indices where all[place].setting.key == wait.key { all[place].value = wait.value }
      turn.out.settings.append((wait.key, wait.value))
      log(.info, "setting changed \(wait.key)=\(wait.value)")
    }
    keepFirst()
    return wait
  }
}

extension OwnAnswers {
  func setConfiguration(_ request: Request, _ owner: EdgeItem.Owner) {
    let words = (0..<request.positionalCount).map { String(decoding: request.positional($0), as: UTF8.self) }
    guard words.count == 2 else {
      return node.requests.answerError(owner, .malformed, "CONFIG SET takes a setting and its value")
    }
    if case .refused(let code, let reason) = node.settings.set(words[0], words[1], owner) {
      node.requests.answerError(owner, code, reason)
    }
  }
  func settingsKept(_ failure: String?) {
    guard let wait = node.settings.kept(isDone: failure == nil) else { return }
    if let failure {
      return node.requests.answerError(
        wait.owner, .unavailable, "the setting cannot be kept, and is as before: \(failure)")
    }
    node.configuration.take(wait.key, wait.value, &node.configuration)
    node.requests.take(node.configuration)
    node.snapshots.limits = SnapshotLimits(node.configuration)
    node.health.disk.bound.limit = UInt64(node.configuration.logLimitBytes)
    node.requests.answerDone(wait.owner, verb: "CONFIG SET", target: wait.key)
  }
}
