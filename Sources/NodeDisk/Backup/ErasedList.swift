import Base
import Cluster
import Ledger
import Storage

/// Who was erased by the newest backup of a directory, put beside older ones, so that a restore of these erases them again: see
/// docs/backup.md.
public enum ErasedList {
  /// Adds those of one directory's newest backup, and of the list beside it, to the list of another; gives how many that has now.
  /// Throws `.refused` where there is no backup, `.damaged` where one cannot be read.
  public static func carry(
    from source: String, to target: String, fileSystem: any FileSystem, limits: LedgerLimits = LedgerLimits()
  ) throws -> Int {
    let directory = try BackupDirectory(source, fileSystem: fileSystem, isShared: source != target)
    guard let manifest = try directory.newest() else {
      throw StorageError(.refused, path: source, operation: "read", reason: "there is no backup in it")
    }
    var list = try directory.erased()
    for part in manifest.shards {
      let contents = try BackupContents.restore(directory, part, of: manifest.number, limits)
      list.add(contents.erasedMembers)
    }
    let other = source == target ? directory : try BackupDirectory(target, fileSystem: fileSystem)
    list.add(try other.erased())
    try other.write(list)
    return list.count
  }
}
