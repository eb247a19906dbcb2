/// What terminals saw, in the form of docs/testing.md ("Histories and the checker").
public struct History: Sendable {
  public static let header = "tallystick-history 1"
  public var operations: [Operation]

  public init(_ operations: [Operation]) { self.operations = operations }

  /// Reads a file's bytes. Cost: some 0.5 µs a line.
  public init(parsing bytes: UnsafeRawBufferPointer) throws(HistoryError) {
    operations = []
    var scanner = LineScanner(bytes)
    guard let first = scanner.nextLine(), first.elementsEqual(History.header.utf8) else {
      throw HistoryError(line: 1, reason: "a history begins with '\(History.header)'")
    }
    operations.reserveCapacity(bytes.count / 96)
    var number = 1
    while let line = scanner.nextLine() {
      number += 1
      do throws(LineError) {
        operations.append(try Operation(parsing: line))
      } catch { throw HistoryError(line: number, reason: error.reason) }
    }
  }

  public init(parsing bytes: [UInt8]) throws(HistoryError) {
    // Typed errors do not pass through `withUnsafeBytes`.
    let result = bytes.withUnsafeBytes { buffer in
      do throws(HistoryError) { return Result<History, HistoryError>.success(try History(parsing: buffer)) } catch {
        return Result<History, HistoryError>.failure(error)
      }
    }
    self = try result.get()
  }

  /// The whole file.
  public func rendered() -> [UInt8] {
    var bytes = Array((History.header + "\n").utf8)
    bytes.reserveCapacity(operations.count * 96)
    for operation in operations {
      bytes += Array(operation.line.utf8)
      bytes.append(10)
    }
    return bytes
  }
}

/// What is wrong with one line.
struct LineError: Error { var reason: String }

/// Cuts bytes into lines. A last line without its end counts.
struct LineScanner {
  private let bytes: UnsafeRawBufferPointer
  private var at = 0
  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func nextLine() -> Slice<UnsafeRawBufferPointer>? {
    guard at < bytes.count else { return nil }
    let start = at
    while at < bytes.count && bytes[at] != 10 { at += 1 }
    defer { at += 1 }
    return bytes[start..<at]
  }
}
