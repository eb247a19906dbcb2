/// The search for a line that was typed before, from the newest on: the one that holds what is typed meanwhile.
struct HistorySearch: Equatable {
  private(set) var words = ""
  /// Where in the history the line is that is shown; nil: none is yet.
  private(set) var found: Int?
  /// No line, or no older one, holds the words.
  private(set) var isMissing = false
  /// What was typed before the search began.
  let draft: [Character]

  init(draft: [Character]) { self.draft = draft }

  mutating func type(_ character: Character, in history: [String]) {
    words.append(character)
    look(in: history, upTo: found)
  }
  mutating func erase(in history: [String]) {
    words = String(words.dropLast())
    look(in: history, upTo: nil)
  }
  /// To the next older one.
  mutating func goOn(in history: [String]) {
    guard let found else { return look(in: history, upTo: nil) }
    if found > 0 { look(in: history, upTo: found - 1) } else { isMissing = true }
  }
  private mutating func look(in history: [String], upTo last: Int?) {
    guard !words.isEmpty, !history.isEmpty else { return isMissing = false }
    let place = history[...(last ?? history.count - 1)].lastIndex { $0.lowercased().contains(words.lowercased()) }
    isMissing = place == nil
    if let place { found = place }
  }
}
