import Client
import Glibc

// A reader that has gone away is an error of a write, not the end of the process.
signal(SIGPIPE, SIG_IGN)
exit(
  CommandTable(
    [StartCommand.entry] + InspectCommand.entries + BackupCommand.entries + ClientCommands.all, commit: Commit.text
  ).run(Array(CommandLine.arguments.dropFirst())))
