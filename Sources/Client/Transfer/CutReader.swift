import Replies
import System

/// Reads members as they all were at one moment, page by page, from any node that answers: `MEMBER FIND cut=yes`.
struct CutReader {
  private let target: Target
  /// What members are to have, behind a space; empty: anything.
  private let words: String
  /// Behind what was had; nil: at the beginning.
  private var cursor: String?
  /// The moment of what was had (ms since the epoch).
  private(set) var moment: Int64?
  private(set) var isOver = false

  /// It gives up after so long without a page (s), and once it has begun so often.
  private static let patience = 60.0
  private static let mostBeginnings = 100
  private var beginnings = 1

  init(_ target: Target, words: String) { (self.target, self.words) = (target, words) }

  /// - Parameter anew: is told why what was had is void: the pages of another moment follow, from the first on.
  mutating func next(_ anew: (String) -> Void) throws(ClientError) -> [Record] {
    let start = Clock.monotonicNanoseconds()
    while true {
      do throws(ClientError) { return try ask() } catch {
        let isLost = error.code == "NOTFOUND"
        let isPatient = Double(Clock.monotonicNanoseconds() - start) < CutReader.patience * 1e9
        guard isLost || [3, 4, 5].contains(error.exitCode), isPatient else { throw error }
        if isLost, cursor != nil {
          guard beginnings < CutReader.mostBeginnings else { throw error }
          beginnings += 1
          cursor = nil
          anew(error.text)
        }
        // Nobody tells a client when there is a leader again, or when another list has been read.
        pause(milliseconds: 300)
      }
    }
  }
  private mutating func ask() throws(ClientError) -> [Record] {
    let after = cursor.map { " after=\($0)" } ?? ""
    var page = try target.askRecords("MEMBER FIND\(words) cut=yes limit=10000\(after)")
    guard let last = page.popLast(), let next = last["cursor"], let asof = last.integer("asof") else {
      throw .malformedReply("MEMBER FIND ended without a cursor")
    }
    (cursor, moment, isOver) = (next, asof, next.isEmpty)
    return page
  }
}
