/// The commands that this module brings: everything but running a node.
public enum ClientCommands {
  public static let all = ClusterCommands.all + [ShellCommand.entry, BenchCommand.entry, ReplayCommand.entry]
}
