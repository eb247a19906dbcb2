enum ReplayCommand {
  static let entry = CommandEntry(name: "replay", summary: "", usage: "", run: { _ in 1 })
}
