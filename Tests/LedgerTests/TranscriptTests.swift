import Base
import Foundation
import Protocol
import Testing

@testable import Ledger

/// The transcripts are in `Tests/LedgerTranscripts`: requests, and what a terminal is answered. `REWRITE=1` writes what
/// happens now, for a person to review.
@Suite struct TranscriptTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("LedgerTranscripts")
  static let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
    .filter { $0.hasSuffix(".txt") }.sorted()

  @Test func thereAreTranscripts() { #expect(TranscriptTests.files.count >= 12) }

  @Test(arguments: files) func aTranscriptReplaysAsWritten(file: String) throws {
    let path = TranscriptTests.folder.appendingPathComponent(file)
    let before = try String(contentsOf: path, encoding: .utf8)
    let now = try Transcript(before).replayed()
    guard ProcessInfo.processInfo.environment["REWRITE"] == nil else {
      return try now.write(to: path, atomically: true, encoding: .utf8)
    }
    let lines = (was: before.split(separator: "\n"), now: now.split(separator: "\n"))
    if let place = zip(lines.was, lines.now).enumerated().first(where: { $1.0 != $1.1 }) {
      Issue.record(
        "\(file): line \(place.offset + 1) (blank ones not counted) was\n\(place.element.0)\nand is\n\(place.element.1)"
      )
    }
    #expect(lines.was.count == lines.now.count)
  }
}

/// Requests to shards of one process, through the product's parser, encoder and renderer.
///
///     # A comment.
///     @ shards 4                    before the first request; without it there is one
///     @ 2026-01-10T12:00            sets the clock
///     > EARN ann merchant=cafe points=100 id=a
///     +tx=#1 member=ann program=points points=100 balance=100
///
/// `#1` is the first transaction that a reply names. Times are shown in UTC to the minute. `TICK` does what is due by now,
/// `CHECK` checks all invariants of each shard, `RECALLS` counts how often a command was sent again with facts of the past.
struct Transcript {
  private let lines: [Substring]
  init(_ text: String) { lines = text.split(separator: "\n", omittingEmptySubsequences: false) }

  /// As it goes now: with the replies that there are.
  func replayed() throws -> String {
    let counts = lines.filter { $0.hasPrefix("@ shards ") }.compactMap { Int($0.dropFirst(9)) }
    let world = World(shards: counts.first ?? 1)
    world.rendering = { bytes in try Transcript.rendered(bytes, world) }
    var out: [String] = []
    for line in lines {
      if line.hasPrefix("> ") {
        out.append(String(line))
        out.append(try world.run(String(line.dropFirst(2))))
      } else if line.hasPrefix("@ ") {
        out.append(String(line))
        if !line.hasPrefix("@ shards ") { world.setTime(String(line.dropFirst(2))) }
      } else if line.isEmpty || line.hasPrefix("#") {
        out.append(String(line))
      }
    }
    return out.joined(separator: "\n")
  }

  /// What the terminal gets, with names for what differs between clusters.
  private static func rendered(_ reply: UnsafeRawBufferPointer, _ world: World) throws -> String {
    var output = ByteBuffer()
    try ReplyRenderer.render(reply, resp3: false, into: &output)
    let text = String(decoding: output.bytes, as: UTF8.self)
    return text.split(separator: "\r\n").map { line in
      line.split(separator: " ", omittingEmptySubsequences: false).map { named($0, world) }.joined(separator: " ")
    }.joined(separator: "\n")
  }
  private static let times = ["time", "expires", "effective", "since", "until"]
  private static func named(_ word: Substring, _ world: World) -> String {
    guard let equals = word.firstIndex(of: "=") else { return String(word) }
    let value = word[word.index(after: equals)...]
    let key = word[..<equals].drop { $0 == "+" }
    if times.contains(String(key)), let milliseconds = Int64(value) {
      return word[...equals] + World.text(Stamp(microseconds: milliseconds * 1_000))
    }
    guard value.contains("-"), let tx = withBytes(String(value), { TransactionID(parsing: $0) }) else {
      return String(word)
    }
    return word[...equals] + world.name(tx)
  }
}
