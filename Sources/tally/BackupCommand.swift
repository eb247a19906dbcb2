import Client
import Server

/// What is done with a directory of backups without a cluster.
enum BackupCommand {
  static let entries = [verify, list, prune, erased, members]
  private static let json = Flag.toggle("json", "prints one JSON value")

  private static let verify = CommandEntry(
    name: "backup verify", summary: "reads a directory of backups and says whether the newest can be restored",
    usage: """
        tally backup verify DIR [--json]

      Reads all of DIR, on this machine: pages against their digests, each shard's state as a node would, its digest anew from the
      records, the journals' chains, coverage of the slots, and the books. Nothing is changed. Exit code 4 if something is wrong: what,
      with file, offset and shard; 2 if DIR has no backups or somebody works on it.
      """, flags: [json]
  ) { arguments in verifyBackup(arguments: arguments) }

  private static let list = CommandEntry(
    name: "backup list", summary: "shows what backups a directory has",
    usage: """
        tally backup list DIR [--json]

      A line each, of DIR on this machine: its number and cut, shards, members, bytes of states and journals, how many of them are in files
      of its own, and whether all files that it needs are there and long enough: whole, damaged, or unfinished, which the next save removes.
      Pages are not read: tally backup verify does that. Exit code 4 if one is damaged, 2 if DIR has no backups.
      """, flags: [json]
  ) { arguments in listBackups(arguments: arguments) }

  private static let erased = CommandEntry(
    name: "backup erased", summary: "lists who was erased, for a restore of an older backup",
    usage: """
        tally backup erased DIR [--into OLDER]

      Reads the newest backup of DIR, on this machine, and adds the members that were erased by then to the file OLDER/erased (DIR/erased if
      there is no --into). A restore of OLDER erases those again that were erased after its cut, before it serves. Both are directories
      of backups. Exit code 4 if what is to be read is damaged; 2 if there are no backups or somebody works on it.
      """, flags: [.value("into", "DIR", "beside which backups the list is kept")]
  ) { arguments in listErased(arguments: arguments) }

  private static let members = CommandEntry(
    name: "backup members", summary: "writes the members of a directory's newest backup, as CSV or JSON",
    usage: """
        tally backup members DIR [--tenant NAME] [--json]

      All members of a tenant ("default") as they were at the backup's cut: at one moment, over all shards, and without a word to the cluster.
      Columns are those of tally export members. DIR is on this machine; nothing in it is changed. Exit code 2 if DIR has no backups,
      or one that cannot be read.
      """,
    flags: [.value("tenant", "NAME", "whose members (default)"), .toggle("json", "a JSON object a line")]
  ) { arguments in
    let output = ExportedMembers(isJSON: arguments.contains("--json"))
    let code = exportBackup(arguments: arguments.filter { $0 != "--json" }) { output.add($0) }
    if code == 0 { output.finish() }
    return code
  }

  private static let prune = CommandEntry(
    name: "backup prune", summary: "removes older backups of a directory, and what no other refers to",
    usage: """
        tally backup prune DIR --keep N [--dry-run] [--json]

      The N newest backups of DIR, on this machine, stay whole at every moment, also if this is broken off: then say it again. Of the others all
      goes that those do not refer to. --dry-run says what would go. Exit code 4 if one that is to be kept is damaged: then nothing
      was removed; 2 if DIR has no backups or somebody works on it.
      """, flags: [.value("keep", "N", "how many stay"), .toggle("dry-run", "says what would go"), json]
  ) { arguments in pruneBackups(arguments: arguments) }
}
