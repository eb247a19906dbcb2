import Client
import Server

/// `tally start`: the one command that runs a node. Everything behind it lies in the module `Server`.
enum StartCommand {
  static let entry = CommandEntry(
    name: "start", summary: "runs one node",
    usage: """
        tally start --name N --region R --data DIR --listen HOST:PORT --peer HOST:PORT --join HOST:PORT,…
        tally start --config FILE [--SETTING VALUE]…
        tally start --print-config    prints every setting with its default, bounds and meaning, as such a file

      Runs one node until it gets SIGTERM or SIGINT. The first start and every later one are the same command: an empty
      directory makes a new node, whatever its name. --join lists some nodes' peer addresses. All settings:

      \(startSettingsText())
      """,
    flags: [.value("config", "FILE", "the settings"), .toggle("print-config", "prints every setting as such a file")]
      + startSettings().map { .value($0.key, "VALUE", $0.meaning) }
  ) { arguments in
    startNode(arguments: arguments)
  }
}
