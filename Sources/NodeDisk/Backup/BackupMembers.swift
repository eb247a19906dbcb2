import Base
import Cluster
import Ledger
import Storage

/// The members of the newest backup of a directory: as they were at one moment, over all shards, its cut.
public struct BackupMembers {
  public enum Failure: Error {
    case storage(StorageError)
    /// There is no such tenant, or no backup; what is wrong with it.
    case refused(String)
  }
  private let directory: BackupDirectory
  private let manifest: BackupManifest
  public var cut: Stamp { manifest.cut }
  public var backup: UInt32 { manifest.number }

  /// Throws where there is no backup, or somebody works on the directory.
  public init(_ path: String, fileSystem: any FileSystem) throws(Failure) {
    do throws(StorageError) {
      directory = try BackupDirectory(path, fileSystem: fileSystem)
      guard let newest = try directory.newest() else {
        throw StorageError(.refused, path: path, operation: "read", reason: "there is no backup in it")
      }
      manifest = newest
    } catch { throw .storage(error) }
  }

  /// Calls `body` with the record of each member of a tenant, as a line of the protocol: shard after shard. A shard's state is in memory
  /// meanwhile.
  public func forEach(ofTenant name: String, _ body: (String) -> Void) throws(Failure) {
    guard let own = manifest.directory else { throw .refused("the directory is missing") }
    guard let tenant = try restore(own).tenant(named: name) else { throw .refused("there is no tenant '\(name)'") }
    for part in manifest.shards { try restore(part).forEachMember(of: tenant, body) }
  }
  private func restore(_ part: BackupPart) throws(Failure) -> BackupContents {
    do {
      return try BackupContents.restore(directory, part, of: manifest.number, LedgerLimits())
    } catch { throw .refused("\(error)") }
  }
}
