import Foundation
import System

/// Reads a file of comma-separated values (RFC 4180) from front to back: quoted fields, with line breaks and doubled quotes in
/// them; lines that end in CRLF or LF; a byte order mark before all. Bounded: a record has 64 KiB and 256 fields at most.
struct CSVReader {
  struct Row: Equatable {
    var fields: [String] = []
    /// Where it begins: the line's number, from 1, and its place in the file.
    var line = 1
    var offset = 0
    /// What is wrong with it; nil: nothing. It has no fields then.
    var fault: String?
  }
  static let mostBytes = 64 << 10
  static let mostFields = 256
  private static let pieceBytes = 1 << 20

  private let read: (UnsafeMutableRawBufferPointer) throws(ClientError) -> Int
  private var buffer: [UInt8] = []
  private var piece = [UInt8](repeating: 0, count: CSVReader.pieceBytes)
  /// Where the next row begins in the buffer, and of the file in all.
  private var start = 0
  private(set) var offset: Int
  private(set) var line: Int
  private var isEnd = false

  /// - Parameters:
  ///   - offset: where to begin; the line there has the number `line`.
  ///   - read: fills a buffer with what comes next; 0: there is no more.
  init(
    at offset: Int = 0, line: Int = 1, read: @escaping (UnsafeMutableRawBufferPointer) throws(ClientError) -> Int
  ) {
    (self.offset, self.line, self.read) = (offset, line, read)
  }

  /// The next row; nil: there are no more.
  mutating func next() throws(ClientError) -> Row? {
    if offset == 0 { try skipMark() }
    guard try has(start) else { return nil }
    var row = Row(line: line, offset: offset)
    var field: [UInt8] = []
    var at = start
    var (isQuoted, wasQuoted) = (false, false)
    var breaks = 0
    var isOver = false
    while !isOver {
      guard try has(at) else {
        if isQuoted { row.fault = row.fault ?? "a quote is left open" }
        break
      }
      let byte = buffer[at]
      at += 1
      if byte == 10 { breaks += 1 }
      if at - start > CSVReader.mostBytes { row.fault = row.fault ?? "it is longer than \(CSVReader.mostBytes) bytes" }
      if row.fault != nil, field.count > 0 { field.removeAll() }
      if isQuoted {
        guard byte == CSVReader.quote else {
          if row.fault == nil { field.append(byte) } else if byte == 10 { isOver = true }
          continue
        }
        guard try has(at), buffer[at] == CSVReader.quote else {
          isQuoted = false
          continue
        }
        field.append(CSVReader.quote)
        at += 1
        continue
      }
      switch byte {
      case 10: isOver = true
      case 13 where try has(at) && buffer[at] == 10: break
      case CSVReader.comma:
        CSVReader.end(&field, &row)
        wasQuoted = false
      case CSVReader.quote where field.isEmpty && !wasQuoted: (isQuoted, wasQuoted) = (true, true)
      case _ where wasQuoted || byte == CSVReader.quote:
        row.fault = row.fault ?? "a quote stands in the midst of a field"
      default: if row.fault == nil { field.append(byte) }
      }
    }
    CSVReader.end(&field, &row)
    if row.fault != nil { row.fields = [] }
    offset += at - start
    line += max(1, breaks)
    start = at
    return row
  }
  private static let quote = UInt8(ascii: "\"")
  private static let comma = UInt8(ascii: ",")

  private static func end(_ field: inout [UInt8], _ row: inout Row) {
    if row.fields.count == mostFields {
      row.fault = row.fault ?? "it has more than \(mostFields) fields"
    } else if row.fault == nil {
      if let text = String(validating: field, as: UTF8.self) {
        row.fields.append(text)
      } else {
        row.fault = "it is no UTF-8"
      }
    }
    field.removeAll(keepingCapacity: true)
  }
  /// Whether the buffer has a byte there, now that what was to come has come.
  @inline(__always) private mutating func has(_ place: Int) throws(ClientError) -> Bool {
    if place < buffer.count { return true }
    return try fill(place)
  }
  @inline(never) private mutating func fill(_ place: Int) throws(ClientError) -> Bool {
    while place >= buffer.count, !isEnd {
      var got = 0
      var failure: ClientError?
      piece.withUnsafeMutableBytes { bytes in
        do throws(ClientError) { got = try read(bytes) } catch { failure = error }
      }
      if let failure { throw failure }
      buffer.append(contentsOf: piece[..<got])
      isEnd = got == 0
    }
    return place < buffer.count
  }
  private mutating func skipMark() throws(ClientError) {
    guard try has(2), buffer[0] == 0xEF, buffer[1] == 0xBB, buffer[2] == 0xBF else { return }
    start = 3
    offset = 3
  }
  /// Forgets what was read: rows are long gone.
  mutating func trim() {
    guard start > CSVReader.pieceBytes else { return }
    buffer.removeFirst(start)
    start = 0
  }
}

/// A file that is read piece by piece.
final class InputFile {
  let path: String
  let byteCount: Int
  private let descriptor: Int32

  init(_ path: String) throws(ClientError) {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .local("\(path): \(SystemError.text(of: errno))") }
    var facts = stat()
    guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .local("\(path): it is no file")
    }
    byteCount = Int(facts.st_size)
  }
  deinit { close(descriptor) }

  func seek(to offset: Int) { lseek(descriptor, off_t(offset), SEEK_SET) }
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(ClientError) -> Int {
    while true {
      let count = Foundation.read(descriptor, buffer.baseAddress, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .local("\(path): \(SystemError.text(of: errno))") }
      return count
    }
  }
}

/// Values as a line of comma-separated values.
enum CSV {
  static func line(_ values: [String]) -> String {
    values.map { value in
      let isPlain = !value.utf8.contains { $0 == 34 || $0 == 44 || $0 == 10 || $0 == 13 }
      return isPlain ? value : "\"" + value.replacing("\"", with: "\"\"") + "\""
    }.joined(separator: ",") + "\r\n"
  }
}
