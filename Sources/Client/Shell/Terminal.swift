import Foundation

/// Standard input as keys, in raw mode while a line is being typed. Only for a terminal.
final class Terminal {
  private var saved = termios()
  private var decoder = KeyDecoder()
  var keys: [Key] = []
  private var isRaw = false

  deinit { leaveRaw() }

  func enterRaw() {
    guard !isRaw, tcgetattr(0, &saved) == 0 else { return }
    var raw = saved
    raw.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INPCK | ISTRIP | IXON)
    raw.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN | ISIG)
    withUnsafeMutableBytes(of: &raw.c_cc) { bytes in
      bytes[Int(VMIN)] = 1
      bytes[Int(VTIME)] = 0
    }
    isRaw = tcsetattr(0, TCSADRAIN, &raw) == 0
  }
  func leaveRaw() {
    guard isRaw else { return }
    tcsetattr(0, TCSADRAIN, &saved)
    isRaw = false
  }

  var columnCount: Int {
    var size = winsize()
    let isKnown = ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return isKnown ? Int(size.ws_col) : 80
  }

  /// Lets a person type one line. `nil` at the end of input (Ctrl-D on an empty line); an interrupt gives an empty one.
  func readLine(prompt: String, editor: inout LineEditor, completion: Completion) -> String? {
    enterRaw()
    defer { leaveRaw() }
    draw(prompt, editor, completion)
    while let key = nextKey() {
      switch editor.handle(key) {
      case .edited: draw(prompt, editor, completion)
      case .submitted(let line):
        draw(prompt, editor, nil)
        Console.write("\n")
        return line
      case .interrupted:
        Console.write("^C\n")
        return ""
      case .endOfInput:
        Console.write("\n")
        return nil
      case .clearScreen:
        Console.write("\u{1B}[H\u{1B}[2J")
        draw(prompt, editor, completion)
      case .completing:
        apply(completion.candidates(for: editor.head), &editor)
        draw(prompt, editor, completion)
      }
    }
    return nil
  }

  private func nextKey() -> Key? {
    while keys.isEmpty { guard readKeys() else { return nil } }
    return keys.removeFirst()
  }
  /// Waits for what is typed. False at the end of input.
  func readKeys() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 256)
    let n = read(0, &bytes, bytes.count)
    if n < 0, errno == EINTR { return true }
    guard n > 0 else { return false }
    for byte in bytes[..<n] { keys += decoder.feed(byte) }
    return true
  }

  /// Inserts what all candidates share; lists them where there are several and nothing to insert.
  private func apply(_ candidates: [String], _ editor: inout LineEditor) {
    guard let first = candidates.first else { return }
    let word = Completion.lastWord(of: editor.head)
    let shared = candidates.dropFirst().reduce(first) { $0.commonPrefix(with: $1, options: .caseInsensitive) }
    if shared.count > word.count || candidates.count == 1 {
      for _ in word { _ = editor.handle(.backspace) }
      let isWhole = candidates.count == 1 && !shared.hasSuffix("=")
      editor.insert(Array(shared + (isWhole ? " " : "")))
    } else {
      Console.write("\n" + candidates.joined(separator: "  ") + "\n")
    }
  }

  /// Whether Ctrl-C has been pressed, in raw mode, since the last key was taken; what else was typed stays typed.
  func isInterrupted() -> Bool {
    var wanted = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    if poll(&wanted, 1, 0) > 0 { _ = readKeys() }
    guard let place = keys.lastIndex(of: .interrupt) else { return false }
    keys.removeFirst(place + 1)
    return true
  }

  /// Shows text, a screen at a time where it is longer than one.
  func show(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= rowCount else { return Console.print(text) }
    enterRaw()
    defer { leaveRaw() }
    var shown = 0
    var more = max(1, rowCount - 1)
    while shown < lines.count {
      let next = lines[shown..<min(lines.count, shown + more)]
      Console.write(next.joined(separator: "\n") + "\n")
      shown += next.count
      if shown == lines.count { return }
      Console.write("-- \(shown) of \(lines.count) lines: space for a screen, enter for a line, a for all, q to end --")
      let key = nextKey()
      Console.write("\r\u{1B}[K")
      switch key {
      case .character("q"), .interrupt, .endOfInput, nil: return
      case .character("a"): more = lines.count
      case .enter, .down: more = 1
      default: more = max(1, rowCount - 1)
      }
    }
  }

  /// Draws the line over itself; one that is wider than the terminal scrolls sideways. What it lacks stands faint behind it.
  private func draw(_ prompt: String, _ editor: LineEditor, _ completion: Completion?) {
    let prompt = editor.search.map { "(search\($0.isMissing ? ", none" : "")) \($0.words): " } ?? prompt
    let room = max(8, columnCount - DisplayWidth.of(prompt) - 1)
    var start = 0
    while DisplayWidth.of(editor.text[start..<editor.cursor]) >= room { start += 1 }
    var end = start
    var width = 0
    while end < editor.text.count, width + DisplayWidth.of(editor.text[end]) <= room {
      width += DisplayWidth.of(editor.text[end])
      end += 1
    }
    let column = DisplayWidth.of(prompt) + DisplayWidth.of(editor.text[start..<editor.cursor])
    var hint = ""
    if editor.cursor == editor.text.count, editor.search == nil, let completion {
      let text = completion.hint(for: editor.line)
      let gap = text.isEmpty || editor.line.hasSuffix(" ") ? "" : " "
      var left = room - width
      hint = String(
        (gap + text).prefix { character in
          left -= DisplayWidth.of(character)
          return left > 0
        })
    }
    // Where nothing can be shown faint, a hint would look like what was typed.
    let style = Style(descriptor: 1, isWide: true)
    let shown = style.isColoured ? style.paint(hint, .faint) : ""
    Console.write(
      "\r\(prompt)\(String(editor.text[start..<end]))\(shown)\u{1B}[K\r" + (column > 0 ? "\u{1B}[\(column)C" : ""))
  }
}
