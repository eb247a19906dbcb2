import Replies
import System

/// Reads the feed page by page, from any node that answers, and goes on behind what it has had.
struct FeedReader {
  /// The records of an answer, and where the next begins.
  struct Page {
    var records: [Record] = []
    /// Nil: as before.
    var cursor: String?
    /// There was no more when it was asked.
    var isEnd = false
  }
  let target: Target
  /// `kind=…` and the like.
  let words: String
  /// Gives up after so long without an answer (s).
  let patience: Double
  /// Behind what was had; nil: at the beginning.
  var cursor: String?
  private var connection: Connection?

  init(_ target: Target, words: String, cursor: String?, patience: Double) {
    (self.target, self.words, self.cursor, self.patience) = (target, words, cursor, patience)
  }

  /// - Parameter wait: for a first record (s).
  mutating func next(limit: Int, wait: Int) throws(ClientError) -> Page {
    let line =
      "FEED" + (cursor.map { " from=\($0)" } ?? "") + " limit=\(limit) wait=\(wait)"
      + (words.isEmpty ? "" : " " + words)
    let start = Clock.monotonicNanoseconds()
    while true {
      do throws(ClientError) {
        return try ask(line, limit)
      } catch {
        connection = nil
        let isPassing = [3, 4, 5].contains(error.exitCode)
        guard isPassing, Double(Clock.monotonicNanoseconds() - start) < patience * 1e9 else { throw error }
        // Nobody tells a client when there is a leader again.
        pause(milliseconds: 300)
      }
    }
  }
  private mutating func ask(_ line: String, _ limit: Int) throws(ClientError) -> Page {
    if connection == nil { connection = try target.connect() }
    guard let connection else { throw .unreachable([]) }
    let value = try connection.request(line).orThrow()
    guard case .array(let values) = value else { throw .malformedReply("FEED answered with other than records") }
    var page = Page(records: value.records)
    guard page.records.count == values.count else { throw .malformedReply("FEED answered with other than records") }
    page.cursor = page.records.last?["cursor"]
    guard page.records.isEmpty || page.cursor != nil else { throw .malformedReply("FEED's last record has no cursor") }
    page.isEnd = page.records.isEmpty
    page.records.removeAll { $0["kind"] == "none" }
    return page
  }
}
