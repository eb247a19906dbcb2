import Foundation
import PackagePlugin

/// Writes the console's files into the program as texts: one literal each, which compiles at once whatever its length.
@main struct ConsolePlugin: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
    let directory = context.package.directoryURL.appending(path: "Sources/ConsolePage/Files")
    let files = try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted().map {
      directory.appending(path: $0)
    }.filter { ["html", "css", "js", "svg"].contains($0.pathExtension) }
    let output = context.pluginWorkDirectoryURL.appending(path: "ConsoleTexts.swift")
    // A raw literal of four signs ends, and has escapes, only where four stand together: so no file may have four.
    let script = """
      output="$1"; directory="$2"; shift 2
      if grep -l '####' "$@" >&2; then echo 'console: four # together cannot be embedded' >&2; exit 1; fi
      {
        printf 'enum ConsoleTexts {\\n  static let all: [(name: String, text: StaticString)] = [\\n'
        for file; do
          printf '("%s", ####\"""\\n' "${file#"$directory"/}"
          cat "$file"
          printf '\\n\"""####),\\n'
        done
        printf '  ]\\n}\\n'
      } > "$output"
      """
    return [
      .buildCommand(
        displayName: "Console", executable: URL(fileURLWithPath: "/bin/sh"),
        arguments: ["-c", script, "console", output.path, directory.path] + files.map(\.path), inputFiles: files,
        outputFiles: [output])
    ]
  }
}
