/// The commands that this module brings: everything but running a node.
public enum ClientCommands {
  public static let all =
    ClusterCommands.all + [AlarmCommand.entry, ShellCommand.entry, BenchCommand.entry, ReplayCommand.entry]
}
