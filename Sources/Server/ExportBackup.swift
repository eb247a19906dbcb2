import Base
import NodeDisk
import Storage

/// `tally backup members DIR [--tenant NAME] [--json]`; gives the exit code: 0 done, 1 wrong arguments, 2 it is no directory of backups, or
/// one that cannot be read.
/// - Parameter line: is given each member's record, as a line of the protocol.
public func exportBackup(arguments: [String], line: (String) -> Void) -> Int32 {
  var words = arguments
  let tenant = takeOption("--tenant", from: &words) ?? "default"
  guard words.count == 1, !words[0].hasPrefix("-") else {
    Startup.print(
      "tally backup members DIR [--tenant NAME] [--json]: DIR is a directory of backups on this machine\n", to: 2)
    return 1
  }
  do throws(BackupMembers.Failure) {
    let members = try BackupMembers(words[0], fileSystem: SystemFileSystem())
    var count = 0
    try members.forEach(ofTenant: tenant) {
      line($0)
      count += 1
    }
    Startup.print(
      "\(count) members at \(UTCTime(microseconds: members.cut.microseconds)), backup \(members.backup)\n", to: 2)
    return 0
  } catch {
    switch error {
    case .storage(let error): Startup.print("tally backup members: \(error)\n", to: 2)
    case .refused(let reason): Startup.print("tally backup members: \(reason)\n", to: 2)
    }
    return 2
  }
}
