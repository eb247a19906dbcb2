import Base
import Vocabulary

/// A story: commands to a fresh cluster, and what must come back. Tests/Stories/README.md has the format.
public struct Story: Sendable {
  /// Where it was read from: failures name it.
  public let path: String
  let blocks: [Block]

  /// One line that does something, and the lines of what is expected after it.
  struct Block: Sendable {
    let line: Line
    let act: Act
    var expected: [Line] = []
  }
  struct Line: Sendable {
    /// From 1.
    let number: Int
    let text: String
  }
  enum Act: Sendable {
    case command
    /// Sets all clocks.
    case time(Stamp)
    /// Signs in; nil: nobody asks from here on.
    case user(User?)
    /// From 0; nil: all nodes in turn.
    case node(Int?)
    case settle
  }
  struct User: Hashable, Sendable {
    let name: String
    let secret: String
  }

  /// Reads a story.
  /// - Throws: the line that is none of a story.
  public init(parsing text: String, path: String) throws(StoryError) {
    var blocks: [Block] = []
    var number = 0
    for whole in text.split(separator: "\n", omittingEmptySubsequences: false) {
      number += 1
      let words = whole.split(maxSplits: 1, whereSeparator: \.isWhitespace)
      guard let mark = words.first, !mark.hasPrefix("#") else { continue }
      let rest = words.dropFirst().first.map { Story.trimmed($0) } ?? ""
      let line = Line(number: number, text: rest)
      switch mark {
      case ">" where !rest.isEmpty: blocks.append(Block(line: line, act: .command))
      case "@":
        guard let act = Story.direction(rest) else {
          throw StoryError("\(path):\(number): no such direction: \(whole)")
        }
        blocks.append(Block(line: line, act: act))
      case "<":
        guard let last = blocks.indices.last, case .command = blocks[last].act else {
          throw StoryError("\(path):\(number): no command was before this: \(whole)")
        }
        blocks[last].expected.append(line)
      default: throw StoryError("\(path):\(number): not a line of a story: \(whole)")
      }
    }
    self.path = path
    self.blocks = blocks
  }

  private static func direction(_ text: String) -> Act? {
    let words = text.split(separator: " ").map(String.init)
    switch (words.first, words.count) {
    case ("settle", 1): return .settle
    case ("time", 2):
      var word = words[1]
      return word.withUTF8 { MomentText.parse(UnsafeRawBufferPointer($0)) }.map { .time(Stamp(microseconds: $0)) }
    case ("as", 2) where words[1] == "-": return .user(nil)
    case ("as", 3): return .user(User(name: words[1], secret: words[2]))
    case ("node", 2) where words[1] == "-": return .node(nil)
    case ("node", 2): return Int(words[1]).flatMap { $0 >= 1 ? .node($0 - 1) : nil }
    default: return nil
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    let end = text.lastIndex { !$0.isWhitespace }
    return end.map { String(text[...$0]) } ?? ""
  }

  /// The file's name without its ending.
  public var name: String {
    let file = path.split(separator: "/").last ?? ""
    return String(file.hasSuffix(".story") ? file.dropLast(6) : file)
  }

  /// The first moment that it names.
  var firstTime: Stamp? {
    for case .time(let moment) in blocks.map(\.act) { return moment }
    return nil
  }
}

/// A story that cannot be read, or a reply that is not the expected one.
public struct StoryError: Error, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}
