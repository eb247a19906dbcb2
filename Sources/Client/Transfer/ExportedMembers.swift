import Replies

/// Records that come as lines of the protocol, to standard output: for what reads them without a cluster.
public final class ExportedMembers {
  private let writer: ExportWriter
  private var count = 0
  private var hasBegun = false

  public init(isJSON: Bool) {
    writer = ExportWriter(ExportWriter.members, isJSON: isJSON)
  }
  public func add(_ line: String) {
    if !hasBegun { writer.begin() }
    hasBegun = true
    guard line.hasPrefix("+"), let record = Record(String(line.dropFirst().prefix { !$0.isNewline })) else { return }
    writer.write(record)
    count += 1
    if count % 1_000 == 0 { writer.flush() }
  }
  /// All has come.
  public func finish() {
    if !hasBegun { writer.begin() }
    writer.flush()
  }
}
