import Client
import Server

/// `tally backup verify`: looks at a directory of backups, without a cluster.
enum BackupCommand {
  static let entry = CommandEntry(
    name: "backup verify", summary: "reads a directory of backups and says whether the newest can be restored",
    usage: """
        tally backup verify DIR [--json]

      Reads all of DIR, on this machine: pages against their digests, each shard's state as a node would, its digest anew from the
      records, the journals' chains, coverage of the slots, and the books. Nothing is changed. Exit code 4 if something is wrong: what,
      with file, offset and shard; 2 if DIR has no backups or somebody works on it.
      """
  ) { arguments in verifyBackup(arguments: arguments) }
}
