import Foundation
import Testing

@testable import Client

/// The texts for packages, made of the table of commands.
@Suite struct CompletionTests {
  private static let entries = [
    CommandEntry(name: "status", summary: "the cluster", usage: "  tally status", flags: [.to, .json]) { _ in 0 },
    CommandEntry(name: "node drain", summary: "drains it", usage: ".x -y\n'z", flags: [.value("to", "A", "b's")]) { _ in
      0
    },
    CommandEntry(name: "send", summary: "sends", usage: "", flags: [.json], choices: ["this", "that"]) { _ in 0 },
    CommandEntry(name: "node remove", summary: "removes it", usage: "") { _ in 0 },
  ]

  /// What bash offers behind words: run by bash itself, where there is one.
  private func offered(_ words: String...) throws -> [Substring] {
    let script = try #require(Completions.script("bash", Self.entries))
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments =
      [
        "-c", script + "\nCOMP_WORDS=(tally \"$@\"); COMP_CWORD=$#; _tally; echo \"${COMPREPLY[*]}\"", "bash",
      ] + words
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: output, as: UTF8.self).split { $0 == " " || $0 == "\n" }
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/bash"))) func bashOffersWhatMayFollow() throws {
    #expect(try offered("st") == ["status"])
    #expect(try offered("node", "") == ["drain", "remove"])
    #expect(try offered("node", "drain", "n1", "--") == ["--to"])
    #expect(try offered("status", "--j") == ["--json"])
    #expect(try offered("completion", "") == ["bash", "zsh", "fish"])
    #expect(try offered("none", "--").isEmpty)
    #expect(try offered("send", "th") == ["this", "that"] && offered("send", "this", "--") == ["--json"])
    let export = try #require(ClientCommands.all.first { $0.name == "export" })
    #expect(export.choices == ["members", "transactions", "orders", "settlement"])
    #expect(ClientCommands.all.first { $0.name == "node drain" }?.choices == [])
  }
  @Test func otherShellsHaveEveryCommandToo() throws {
    let fish = try #require(Completions.script("fish", Self.entries))
    #expect(fish.contains("-a status -d 'the cluster'") && fish.contains("__fish_seen_subcommand_from node' -a drain"))
    #expect(fish.contains("-l to -r -d 'b\\'s'"))
    #expect(Completions.script("zsh", Self.entries)?.hasPrefix("#compdef tally\n") == true)
    #expect(Completions.script("tcsh", Self.entries) == nil)
  }
  /// Nothing of a usage may be taken for a request of roff's.
  @Test func theManualIsSafeForRoff() {
    let page = Manual.page(Self.entries)
    #expect(page.contains(".SS tally node drain\nDrains it.\n.PP\n.nf\n\\&.x \\-y\n\\&'z\n.fi"))
    #expect(Manual.roff("a\\b") == "a\\eb")
  }
}
