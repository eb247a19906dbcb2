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

  @Test func thereAreTranscripts() { #expect(TranscriptTests.files.count >= 25) }

  @Test(arguments: files) func aTranscriptReplaysAsWritten(file: String) throws {
    let transcript = try Transcript(file: file)
    let before = transcript.text
    let world = World(shards: transcript.shards)
    world.semantics = Semantics.newest
    let now = try transcript.replayed(on: world)
    guard ProcessInfo.processInfo.environment["REWRITE"] == nil else {
      return try now.write(to: TranscriptTests.folder.appendingPathComponent(file), atomically: true, encoding: .utf8)
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
/// `World.run` says what else a line may be, `World.text` how replies are shown.
struct Transcript {
  let text: String
  private var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

  /// - Parameter file: its name in the folder.
  init(file: String) throws {
    text = try String(contentsOf: TranscriptTests.folder.appendingPathComponent(file), encoding: .utf8)
  }
  var shards: Int { lines.compactMap { $0.hasPrefix("@ shards ") ? Int($0.dropFirst(9)) : nil }.first ?? 1 }

  /// As it goes now: with the replies that there are.
  func replayed(on world: World) throws -> String {
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
}
