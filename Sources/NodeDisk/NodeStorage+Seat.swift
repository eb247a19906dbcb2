import Base
import Cluster
import Storage

/// What a node must not forget of itself beside its log: whose seat it has, and what it has promised.
extension NodeStorage {
  func keepSeat(_ life: LifeID) -> Completion {
    do {
      try Incarnation.keep(seat: life, directory: directory, fileSystem: fileSystem)
      return .seatKept
    } catch let error as StorageError where error.isShortage {
      return .seatWaits
    } catch { return .broken("the seat of this node cannot be noted, look at the disk: \(error)") }
  }

  private static let promiseMagic: UInt64 = 0x4F52_5059_4C54
  private var promisePath: String { directory + "/promise" }

  /// Writes the file `promise` anew: "TLYPRO", the promise, a CRC-32C; or removes it.
  func keepPromise(_ promise: [UInt8]?) -> Completion {
    do {
      if let promise {
        var buffer = ByteBuffer(capacity: promise.count + 16)
        buffer.append(NodeStorage.promiseMagic)
        buffer.append(promise)
        buffer.append(CRC32C.checksum(buffer.bytes))
        let file = try fileSystem.open(promisePath + ".new", create: true)
        defer { file.close() }
        try file.truncate(0)
        try file.write(buffer.bytes, at: 0)
        try file.sync()
        try fileSystem.rename(promisePath + ".new", to: promisePath)
      } else if try fileSystem.exists(promisePath) {
        try fileSystem.remove(promisePath)
      }
      try fileSystem.syncDirectory(directory)
      return .promiseKept
    } catch  where error.isShortage {
      return .promiseWaits
    } catch { return .broken("a promise cannot be noted, look at the disk: \(error)") }
  }

  /// In the data directory: what `CONFIG SET` changed, as a configuration file has it.
  public static let settingsFile = "settings"

  func keepSettings(_ text: String) -> Completion {
    let path = directory + "/" + NodeStorage.settingsFile
    do {
      let file = try fileSystem.open(path + ".new", create: true)
      defer { file.close() }
      try file.truncate(0)
      try Array(text.utf8).withUnsafeBytes { try file.write($0, at: 0) }
      try file.sync()
      try fileSystem.rename(path + ".new", to: path)
      try fileSystem.syncDirectory(directory)
      return .settingsKept(failure: nil)
    } catch { return .settingsKept(failure: "\(error)") }
  }

  /// What the node has promised. One that cannot be read counts as none once there is a cluster: it has been kept.
  func promise() throws -> [UInt8]? {
    guard try fileSystem.exists(promisePath) else { return nil }
    let file = try fileSystem.open(promisePath, create: false)
    defer { file.close() }
    var bytes = [UInt8](repeating: 0, count: Int(min(try file.size(), 16 << 20)))
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 0) }
    return bytes.withUnsafeBytes { raw in
      guard count == raw.count, count >= 12, raw.loadUnaligned(as: UInt64.self) == NodeStorage.promiseMagic,
        CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[..<(count - 4)]))
          == raw.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
      else {
        warnings.append(
          "CORRUPT \(promisePath) is not what was written: what this node promised of a new cluster is lost")
        return nil
      }
      return Array(raw[8..<(count - 4)])
    }
  }
}
