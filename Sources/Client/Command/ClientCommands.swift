/// The commands that this module brings: everything but running a node.
public enum ClientCommands {
  public static let all = commands.map(\.entry) + CertCommands.all

  private static let commands =
    ClusterCommands.all + InitCommand.all + AlarmCommands.all + ShardCommands.all + NodeCommands.all
    + UpgradeCommands.all + OperationCommands.all + UnsafeCommands.all + LimitCommands.all + PlacementCommands.all
    + CheckCommands.all + BackupCommands.all
    + [TopCommand.command, ShellCommand.command, BenchCommand.command, ReplayCommand.command]
    + [FeedCommand.command, ImportCommand.command, ExportCommand.command, ReportCommand.command]
}
