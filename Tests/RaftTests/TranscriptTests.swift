import Base
import Testing

@testable import Raft

#if canImport(Glibc)
  import Glibc
#endif

/// The transcripts are in `Tests/RaftTranscripts`: commands, `----`, and what every node then did. `REWRITE=1` writes what
/// happens now, for a person to review.
struct TranscriptTests {
  private static let directory =
    "\(#filePath)".split(separator: "/").dropLast(2).reduce("") { $0 + "/" + $1 }
    + "/RaftTranscripts/"

  @Test(arguments: [
    "elections", "single", "replication", "conflict", "snapshot", "transfer", "reads", "membership", "returns",
    "damage", "loss", "beginning",
  ])
  func aTranscriptReplaysAsWritten(_ name: String) throws {
    let path = Self.directory + name + ".txt"
    let text = try Self.read(path)
    let now = try Transcript.replay(text)
    if getenv("REWRITE") != nil {
      try Self.write(now, path)
      return
    }
    let (before, after) = (text.split(separator: "\n"), now.split(separator: "\n"))
    if let line = zip(before, after).enumerated().first(where: { $1.0 != $1.1 }) {
      Issue.record(
        "\(name): line \(line.offset + 1) (blank ones not counted) was\n\(line.element.0)\nand is\n\(line.element.1)")
    }
    #expect(before.count == after.count)
  }

  private static func read(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw Violation(description: "cannot open \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = getc(file), byte != EOF { bytes.append(UInt8(byte)) }
    return String(decoding: bytes, as: UTF8.self)
  }
  private static func write(_ text: String, _ path: String) throws {
    guard let file = fopen(path, "w") else { throw Violation(description: "cannot write \(path)") }
    defer { fclose(file) }
    fputs(text, file)
  }
}
