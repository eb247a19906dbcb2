import Client
import Server

/// `tally inspect …`: what lies in the data directory of a node that does not run.
enum InspectCommand {
  static let entries = [
    entry("log", "the records of its log, the first bad one with file and offset"),
    entry("snapshot", "its snapshots, each read and verified whole"),
    entry("journal", "the records of its journals, in order, their chain and seals verified"),
  ]
  private static func entry(_ what: String, _ summary: String) -> CommandEntry {
    CommandEntry(
      name: "inspect \(what)", summary: "of a node that does not run: \(summary)",
      usage: """
          tally inspect \(what) DIR [--shard S]

        DIR is a node's data directory; nothing in it is changed. Exit code 2 while a node runs on it, 4 if something cannot be
        read.
        """, flags: [.value("shard", "S", "of one shard alone")]
    ) { arguments in inspect(what, arguments: arguments) }
  }
}
