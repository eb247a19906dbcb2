/// What `Storage` asks of a disk. `SystemFileSystem` is the real one, `MemoryFileSystem` the one that a simulator
/// plays.
///
/// Paths are opaque to this protocol but for `/` between folder and name. All calls may come from any thread.
public protocol FileSystem: AnyObject, Sendable {
  /// Makes a folder and those above it. When it returns they are durable. No error if it is there already.
  func createDirectory(_ path: String) throws(StorageError)
  /// Whether a file or a folder of this name is there.
  func exists(_ path: String) throws(StorageError) -> Bool
  /// The names (not paths) in a folder, sorted by their UTF-8 bytes.
  func list(_ directory: String) throws(StorageError) -> [String]
  /// Opens a file to read and write. With `create` it is made if it is not there, and is durable only after
  /// `syncDirectory`; without, a missing file is an error.
  func open(_ path: String, create: Bool) throws(StorageError) -> any File
  /// Renames a file within one folder, in one step; a file of the new name is replaced. Durable after `syncDirectory`.
  func rename(_ path: String, to newPath: String) throws(StorageError)
  /// Removes a file, or an empty folder. Durable after `syncDirectory`.
  /// - Parameter atOnce: its space is wanted now, whoever has to wait for the disk meanwhile; else some seconds later.
  func remove(_ path: String, atOnce: Bool) throws(StorageError)
  /// Makes the names in a folder durable. A failure is fatal.
  func syncDirectory(_ path: String) throws(StorageError)
  /// Takes the lock on a file (made if need be), for as long as the result lives. Throws `.locked` if it is taken.
  func lock(_ path: String) throws(StorageError) -> any FileLock
  /// A file of so many bytes as memory; made, of zeros, if it is not there. Its name is durable after `syncDirectory`.
  func map(_ path: String, byteCount: Int) throws(StorageError) -> any MappedFile
  /// Bytes that may still be written in the file system that holds `path`.
  func freeBytes(_ path: String) throws(StorageError) -> UInt64
  /// How often something could not be opened for want of a descriptor (`.noDescriptors`), since the start.
  var shortageCount: UInt64 { get }
}

extension FileSystem {
  public func remove(_ path: String) throws(StorageError) { try remove(path, atOnce: false) }
}

/// An open file. Calls on one file may come from any thread; they are not ordered among themselves.
public protocol File: AnyObject, Sendable {
  var path: String { get }
  func size() throws(StorageError) -> UInt64
  /// Reads until the buffer is full or the file ends, and gives the number of bytes read.
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StorageError) -> Int
  /// Writes all the bytes. Durable after `syncData` or `sync`.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError)
  /// Writes all the bytes: they are durable when it returns, and what was written before is not thereby. Address,
  /// length and offset are multiples of 4 KiB, within the file's size. A failure is fatal, except for `.noSpace`.
  func writeDurably(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError)
  /// Has the disk begin with what was written there, without waiting for it: whoever syncs later, this file or another, waits for less.
  /// A hint, which promises nothing.
  func startWriteback(from offset: UInt64, count: Int)
  /// Reserves blocks and sets the size, so that later writes below it cannot run out of space.
  func preallocate(_ size: UInt64) throws(StorageError)
  func truncate(_ size: UInt64) throws(StorageError)
  /// fdatasync: the bytes, and the size where it grew, are durable. A failure is fatal.
  func syncData() throws(StorageError)
  /// fsync: as `syncData`, and all metadata. A failure is fatal.
  func sync() throws(StorageError)
  /// Closes the file; so does letting go of it. No other call may follow.
  func close()
}

extension File {
  public func startWriteback(from offset: UInt64, count: Int) {}
  public func writeDurably(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StorageError) {
    do throws(StorageError) { try write(bytes, at: offset) } catch {
      throw error.kind == .noSpace ? error : error.asFatal()
    }
    try syncData()
  }
}

/// A lock that is held for as long as this object lives.
public protocol FileLock: AnyObject, Sendable {
  func unlock()
}

/// Joins a folder and a name.
@inlinable func join(_ directory: String, _ name: String) -> String { directory + "/" + name }
