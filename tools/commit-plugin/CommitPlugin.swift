import Foundation
import PackagePlugin

/// Writes which commit is built, for `tally version`: anew where `HEAD` has moved. Without git, or outside a clone, none.
@main struct CommitPlugin: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: Target) -> [Command] {
    let package = context.package.directoryURL
    let output = context.pluginWorkDirectoryURL.appending(path: "Commit.swift")
    // Every commit, checkout and reset adds a line to it.
    let log = package.appending(path: ".git/logs/HEAD")
    let script = """
      commit=$(git -C "$1" rev-parse --verify --quiet HEAD 2>/dev/null) || commit=
      printf 'enum Commit { static let text = "%s" }\\n' "$commit" > "$2"
      """
    return [
      .buildCommand(
        displayName: "Commit", executable: URL(fileURLWithPath: "/bin/sh"),
        arguments: ["-c", script, "commit", package.path, output.path],
        inputFiles: FileManager.default.fileExists(atPath: log.path) ? [log] : [], outputFiles: [output])
    ]
  }
}
