import Foundation
import System

/// A small text in a file: there as it was or as it is, whatever happens while it is written.
struct KeptText {
  let path: String

  /// Nil: there is no such file, or it is empty.
  func read() throws(ClientError) -> String? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw .local("\(path): it cannot be read")
    }
    let line = text.trimmingCharacters(in: .whitespacesAndNewlines)
    return line.isEmpty ? nil : line
  }
  /// It is durable when this returns.
  func write(_ text: String) throws(ClientError) {
    let temporary = path + ".new"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .local("\(temporary): \(SystemError.text(of: errno))") }
    let bytes = Array((text + "\n").utf8)
    let written = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
    let isSynced = written == bytes.count && fsync(descriptor) == 0
    close(descriptor)
    guard isSynced, rename(temporary, path) == 0 else { throw .local("\(path): it cannot be written") }
  }
  func remove() { unlink(path) }
}
