import Replies

/// One flag that a command takes: `--name VALUE`, or a switch.
public struct Flag: Sendable {
  let name: String
  /// What stands for its value in the usage; nil: it takes none.
  let value: String?
  let meaning: String

  public static func value(_ name: String, _ value: String, _ meaning: String) -> Flag {
    Flag(name: name, value: value, meaning: meaning)
  }
  public static func toggle(_ name: String, _ meaning: String) -> Flag { Flag(name: name, value: nil, meaning: meaning) }

  static let to = value("to", "HOST:PORT[,…]", "any nodes, tried in order (TALLY_TO; 127.0.0.1:7401)")
  /// A node that is named by `--to`, too: it has no colon, which every address has.
  static let node = value("to-node", "NODE", "the node, by name or id; --to NODE says the same")
  static let timeout = value("timeout", "SECONDS", "how long to wait for a reply (30)")
  static let json = toggle("json", "prints one JSON value, for programs; errors are JSON too")
  static let wide = toggle("wide", "all columns, also where they are wider than 80 characters")
  static let dryRun = toggle("dry-run", "says what it would do, and does nothing")

  /// As it is written.
  var spelling: String { (name.count == 1 ? "-" : "--") + name + (value.map { " \($0)" } ?? "") }
}
