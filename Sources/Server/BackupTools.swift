import Base
import NodeDisk
import Storage

/// `tally backup list DIR [--json]`; gives the exit code: 0 all that are finished are whole, 1 wrong arguments, 2 it is no directory of
/// backups, 4 one is damaged.
public func listBackups(arguments: [String]) -> Int32 {
  let isJSON = arguments.contains("--json")
  let words = arguments.filter { $0 != "--json" }
  guard words.count == 1, !words[0].hasPrefix("-") else {
    Startup.print("tally backup list DIR [--json]: DIR is a directory of backups on this machine\n", to: 2)
    return 1
  }
  do throws(StorageError) {
    let listing = try BackupListing(words[0], fileSystem: SystemFileSystem())
    Startup.print(isJSON ? listing.json : listing.text, to: 1)
    return listing.rows.contains { $0.state == .damaged } ? 4 : 0
  } catch { return refused("list", error, isJSON: isJSON) }
}

/// `tally backup prune DIR --keep N [--dry-run] [--json]`; gives the exit code: 0 done, 1 wrong arguments, 2 refused, 4 one that is to be kept
/// is damaged: then nothing was removed.
public func pruneBackups(arguments: [String]) -> Int32 {
  let isJSON = arguments.contains("--json")
  let isDryRun = arguments.contains("--dry-run")
  var words = arguments.filter { $0 != "--json" && $0 != "--dry-run" }
  let keep = takeOption("--keep", from: &words).flatMap { Int($0) }
  guard words.count == 1, !words[0].hasPrefix("-"), let keep, keep >= 1 else {
    Startup.print(
      "tally backup prune DIR --keep N [--dry-run] [--json]: DIR is a directory of backups on this machine, N how many of the newest stay,"
        + " 1 at least\n", to: 2)
    return 1
  }
  do throws(StorageError) {
    let report = try BackupPruner.prune(words[0], fileSystem: SystemFileSystem(), keep: keep, isDryRun: isDryRun)
    Startup.print(isJSON ? report.json(isDryRun: isDryRun) : report.text(isDryRun: isDryRun), to: 1)
    return 0
  } catch {
    let code = refused("prune", error, isJSON: isJSON)
    return error.kind == .damaged ? 4 : code
  }
}

/// The value of `--name VALUE`, which is taken out of the words; nil: it is not among them.
func takeOption(_ name: String, from words: inout [String]) -> String? {
  guard let place = words.firstIndex(of: name), place + 1 < words.count else { return nil }
  defer { words.removeSubrange(place...place + 1) }
  return words[place + 1]
}

/// `tally backup erased DIR [--into DIR]`; gives the exit code: 0 done, 1 wrong arguments, 2 refused, 4 what is to be read is damaged.
public func listErased(arguments: [String]) -> Int32 {
  var words = arguments
  let target = takeOption("--into", from: &words)
  guard words.count == 1, !words[0].hasPrefix("-") else {
    Startup.print(
      "tally backup erased DIR [--into DIR]: both are directories of backups on this machine\n", to: 2)
    return 1
  }
  do {
    let target = target ?? words[0]
    let count = try ErasedList.carry(from: words[0], to: target, fileSystem: SystemFileSystem())
    Startup.print("\(count) erased members are listed in \(target)/erased\n", to: 1)
    return 0
  } catch let error as StorageError {
    let code = refused("erased", error, isJSON: false)
    return error.kind == .damaged ? 4 : code
  } catch {
    Startup.print("tally backup erased: \(error)\n", to: 2)
    return 4
  }
}

private func refused(_ command: String, _ error: StorageError, isJSON: Bool) -> Int32 {
  let exit = error.kind == .damaged ? 4 : 2
  Startup.print(
    isJSON ? BackupText.json(of: error, exit: exit) : "tally backup \(command): \(error)\n", to: isJSON ? 1 : 2)
  return 2
}

/// How the commands that look at backups print.
enum BackupText {
  /// An error as the other commands print it with `--json`.
  static func json(of error: StorageError, exit: Int = 2) -> String {
    "{\"error\": {\"code\": \"REFUSED\", \"text\": \"\(escaped("\(error)"))\", \"exit\": \(exit)}}\n"
  }
  static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      if scalar == "\"" || scalar == "\\" { result += "\\" }
      result += scalar.value < 0x20 ? " " : String(scalar)
    }
  }
}

extension BackupListing {
  fileprivate var text: String {
    guard !rows.isEmpty else { return "there is no backup in it\n" }
    return rows.map { row in
      guard let it = row.contents else {
        return "backup \(row.backup): \(row.state.rawValue)\(row.finding.map { ": \($0)" } ?? "")\n"
      }
      return "backup \(row.backup), cut at \(UTCTime(microseconds: it.cut.microseconds)): \(it.shards) shards,"
        + " \(it.members) members, \(it.bytes) bytes, \(it.written) of its own, \(row.state.rawValue)"
        + "\(row.finding.map { ": \($0)" } ?? "")\n"
    }.joined()
  }
  fileprivate var json: String {
    let objects = rows.map { row in
      var fields = ["\"backup\": \(row.backup)", "\"state\": \"\(row.state.rawValue)\""]
      if let it = row.contents {
        fields += [
          "\"cut\": \(it.cut.microseconds / 1000)", "\"shards\": \(it.shards)", "\"members\": \(it.members)",
          "\"transactions\": \(it.transactions)", "\"bytes\": \(it.bytes)", "\"written\": \(it.written)",
        ]
      }
      if let finding = row.finding { fields.append("\"finding\": \"\(BackupText.escaped(finding))\"") }
      return "  {" + fields.joined(separator: ", ") + "}"
    }
    return objects.isEmpty ? "[]\n" : "[\n" + objects.joined(separator: ",\n") + "\n]\n"
  }
}

extension BackupPruner.Report {
  fileprivate func text(isDryRun: Bool) -> String {
    func list(_ numbers: [UInt32]) -> String {
      numbers.isEmpty ? "none" : numbers.map { "\($0)" }.joined(separator: ", ")
    }
    return "\(isDryRun ? "would remove" : "removed"): \(list(removed)); kept: \(list(kept)); \(freedBytes) bytes"
      + " \(isDryRun ? "would be " : "")freed\n"
  }
  fileprivate func json(isDryRun: Bool) -> String {
    "{\"removed\": [\(removed.map { "\($0)" }.joined(separator: ", "))],"
      + " \"kept\": [\(kept.map { "\($0)" }.joined(separator: ", "))], \"freed\": \(freedBytes),"
      + " \"dry_run\": \(isDryRun)}\n"
  }
}
