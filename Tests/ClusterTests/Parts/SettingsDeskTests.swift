import Base
import Testing

@testable import Cluster

@Suite struct SettingsDeskTests {
  private let turn = Turn(now: Moment(monotonic: 1, wall: Stamp(microseconds: 1)))
  private let owner = EdgeItem.Owner(client: 1, generation: 1, slot: 1)

  private func desk() -> SettingsDesk {
    var configuration = NodeConfiguration(name: "n", region: "r", clientAddress: "", peerAddress: "", join: [])
    configuration.settings = [
      (Setting("log-level", "info", "The level.") { $0 == "loud" ? "must not be loud" : nil }.changeable, "info"),
      (Setting("log-limit-mb", "4", "The limit.").changeable, "5"), (Setting("name", "", "The name."), "n"),
      (Setting("secret", "1", ""), "1"),
    ]
    configuration.changed = [("log-limit-mb", "5")]
    return SettingsDesk(turn: turn, configuration: configuration)
  }
  private func refusal(_ desk: SettingsDesk, _ key: String, _ value: String) -> String? {
    guard case .refused(_, let reason) = desk.set(key, value, owner) else { return nil }
    return reason
  }
  private var kept: [String] {
    turn.out.jobs.compactMap { if case .keepSettings(let text) = $0 { text } else { nil } }
  }

  @Test func patternsFindSettings() {
    let desk = desk()
    func keys(_ pattern: String) -> [String] { desk.values(matching: pattern).map(\.key) }
    #expect(keys("*") == ["log-level", "log-limit-mb", "name"])
    #expect(
      keys("LOG-*") == ["log-level", "log-limit-mb"] && keys("*l*l") == ["log-level"]
        && keys("l*m*b") == ["log-limit-mb"])
    #expect(keys("log-level*") == ["log-level"] && keys("").isEmpty && keys("save").isEmpty && keys("log-leve").isEmpty)
    #expect(desk.values(matching: "log-limit-mb").first?.value == "5")
  }
  @Test func aChangeHoldsOnceItIsKept() throws {
    let desk = desk()
    #expect(refusal(desk, "LOG-level", "debug") == nil && refusal(desk, "log-level", "error") == nil)
    // One after another, each with all that was changed before.
    #expect(kept.count == 1 && kept[0].hasSuffix("log-limit-mb = \"5\"\nlog-level = \"debug\"\n"))
    #expect(desk.values(matching: "log-level").first?.value == "info" && turn.out.settings.isEmpty)
    #expect(desk.kept(isDone: true)?.value == "debug")
    #expect(desk.values(matching: "log-level").first?.value == "debug")
    #expect(turn.out.settings.map(\.value) == ["debug"] && kept.count == 2)
    // The disk refuses: it stays as it is.
    #expect(desk.kept(isDone: false)?.value == "error")
    #expect(desk.values(matching: "log-level").first?.value == "debug" && turn.out.settings.count == 1)
    #expect(desk.kept(isDone: true) == nil)
  }
  @Test func whatMayNotBeIsRefused() {
    let desk = desk()
    #expect(refusal(desk, "log-level", "loud")?.contains("must not be loud") == true)
    #expect(refusal(desk, "name", "m")?.contains("read at the start alone") == true)
    #expect(refusal(desk, "secret", "2")?.contains("no setting") == true)
    #expect(refusal(desk, "log-level", "a\"b")?.contains("printable") == true)
    #expect(refusal(desk, "log-level", "a\nb")?.contains("printable") == true && kept.isEmpty)
    for _ in 0..<64 { #expect(refusal(desk, "log-level", "debug") == nil) }
    #expect(refusal(desk, "log-level", "debug")?.contains("too many") == true)
  }
}
