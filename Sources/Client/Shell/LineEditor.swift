/// One line under edit, with its history: keys in, what to do out. It knows no terminal.
struct LineEditor {
  enum Event: Equatable {
    /// The line or the cursor has changed, or nothing has.
    case edited
    case submitted(String)
    case completing
    case interrupted
    case endOfInput
    case clearScreen
  }

  private(set) var text: [Character] = []
  private(set) var cursor = 0
  private var history: [String]
  private var place: Int
  private var draft: [Character] = []
  /// Lines typed before are being searched.
  private(set) var search: HistorySearch?

  init(history: [String] = []) {
    self.history = history
    place = history.count
  }

  var line: String { String(text) }
  /// What stands before the cursor.
  var head: String { String(text[..<cursor]) }

  mutating func handle(_ key: Key) -> Event {
    if search != nil, seek(key) { return .edited }
    search = nil
    switch key {
    case .search: search = HistorySearch(draft: text)
    case .character(let character): insert([character])
    case .enter: return .submitted(take())
    case .tab: return .completing
    case .interrupt:
      _ = take()
      return .interrupted
    case .endOfInput:
      if text.isEmpty { return .endOfInput }
      removeForward(1)
    case .clearScreen: return .clearScreen
    case .backspace: removeBackward(1)
    case .delete: removeForward(1)
    case .left: cursor = max(0, cursor - 1)
    case .right: cursor = min(text.count, cursor + 1)
    case .home: cursor = 0
    case .end: cursor = text.count
    case .wordLeft: cursor = wordStart()
    case .wordRight: cursor = wordEnd()
    case .killToEnd: removeForward(text.count - cursor)
    case .killToStart: removeBackward(cursor)
    case .killWord: removeBackward(cursor - wordStart())
    case .up: recall(place - 1)
    case .down: recall(place + 1)
    }
    return .edited
  }

  mutating func insert(_ characters: [Character]) {
    text.insert(contentsOf: characters, at: cursor)
    cursor += characters.count
  }
  private mutating func removeBackward(_ n: Int) {
    let count = min(n, cursor)
    text.removeSubrange((cursor - count)..<cursor)
    cursor -= count
  }
  private mutating func removeForward(_ n: Int) {
    text.removeSubrange(cursor..<min(text.count, cursor + n))
  }
  private func wordStart() -> Int {
    var at = cursor
    while at > 0, text[at - 1] == " " { at -= 1 }
    while at > 0, text[at - 1] != " " { at -= 1 }
    return at
  }
  private func wordEnd() -> Int {
    var at = cursor
    while at < text.count, text[at] == " " { at += 1 }
    while at < text.count, text[at] != " " { at += 1 }
    return at
  }

  /// Takes a key while lines are searched. False for one that ends that, and is to do what it does otherwise: the line found stays.
  private mutating func seek(_ key: Key) -> Bool {
    guard var seeking = search else { return false }
    switch key {
    case .character(let character): seeking.type(character, in: history)
    case .backspace: seeking.erase(in: history)
    case .search: seeking.goOn(in: history)
    case .interrupt:
      (text, search) = (seeking.draft, nil)
      cursor = text.count
      return true
    default: return false
    }
    search = seeking
    if let found = seeking.found { text = Array(history[found]) }
    cursor = text.count
    return true
  }

  private mutating func take() -> String {
    let line = String(text)
    text = []
    cursor = 0
    draft = []
    place = history.count
    return line
  }

  /// Keeps a line for the up arrow. A repetition of the last one is not kept twice.
  mutating func remember(_ line: String) {
    if !line.isEmpty, line != history.last { history.append(line) }
    place = history.count
  }

  private mutating func recall(_ wanted: Int) {
    guard wanted >= 0, wanted <= history.count, wanted != place else { return }
    if place == history.count { draft = text }
    place = wanted
    text = wanted == history.count ? draft : Array(history[wanted])
    cursor = text.count
  }
}
