import Base
import NodeDisk
import Storage

/// `tally backup verify DIR [--json]`; gives the exit code: 0 all is sound, 1 wrong arguments, 2 it is no directory of backups or
/// somebody works on it, 4 something is wrong.
public func verifyBackup(arguments: [String]) -> Int32 {
  let isJSON = arguments.contains("--json")
  let words = arguments.filter { $0 != "--json" }
  guard words.count == 1, !words[0].hasPrefix("-") else {
    Startup.print("tally backup verify DIR [--json]: DIR is a directory of backups on this machine\n", to: 2)
    return 1
  }
  do throws(StorageError) {
    var verifier = try BackupVerifier(words[0], fileSystem: SystemFileSystem())
    verifier.verify()
    Startup.print(isJSON ? verifier.json : verifier.text, to: 1)
    return verifier.findings.isEmpty ? 0 : 4
  } catch {
    Startup.print(isJSON ? BackupText.json(of: error) : "tally backup verify: \(error)\n", to: isJSON ? 1 : 2)
    return 2
  }
}

extension BackupVerifier {
  fileprivate var text: String {
    var lines = findings.map { "bad: \($0)" }
    if let report {
      lines.append(
        "backup \(report.backup), cut at \(UTCTime(microseconds: report.cut.microseconds)): \(report.shards) shards, \(report.members) members,"
          + " \(report.transactions) transactions, \(report.bytes) bytes")
      lines.append("digest \(report.digest), \(report.isBalanced ? "balanced" : "NOT balanced")")
    }
    lines.append(findings.isEmpty ? "sound" : "it is not to be relied on")
    return lines.joined(separator: "\n") + "\n"
  }
  fileprivate var json: String {
    var fields: [String] = []
    if let report {
      fields = [
        "\"backup\": \(report.backup)", "\"cut\": \(report.cut.microseconds / 1000)", "\"shards\": \(report.shards)",
        "\"members\": \(report.members)", "\"transactions\": \(report.transactions)", "\"bytes\": \(report.bytes)",
        "\"digest\": \"\(report.digest)\"", "\"balanced\": \(report.isBalanced)",
      ]
    }
    let texts = findings.map { "\"\(BackupText.escaped($0))\"" }.joined(separator: ", ")
    fields.append("\"ok\": \(findings.isEmpty)")
    fields.append("\"findings\": [\(texts)]")
    return "{\n  " + fields.joined(separator: ",\n  ") + "\n}\n"
  }
}
