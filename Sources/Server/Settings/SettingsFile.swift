import Cluster
import Glibc
import System

/// Why a file could not be read: the system's words.
public struct SettingsFileError: Error {
  public let reason: String
  public init(reason: String) { self.reason = reason }
}

/// The command line of `tally start`: `--key value` or `--key=value` for each setting, and three words of its own.
struct CommandLine {
  var file: String?
  var wantsFile = false
  var wantsHelp = false
  var values: [(key: String, value: String)] = []

  static func parse(_ arguments: [String], settings: [Setting]) throws(ConfigurationError) -> CommandLine {
    var line = CommandLine()
    var rest = arguments[...]
    while let word = rest.popFirst() {
      if word == "--help" || word == "-h" {
        line.wantsHelp = true
        continue
      }
      if word == "--print-config" {
        line.wantsFile = true
        continue
      }
      guard word.hasPrefix("--") else {
        throw ConfigurationError("unexpected argument '\(word)': flags are --name VALUE; see tally start --help")
      }
      let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let key = String(parts[0])
      let setting = settings.first { $0.key == key }
      guard key == "config" || setting != nil else {
        let hint = suggestion(for: key, settings).map { ", did you mean --\($0)?" } ?? ";"
        throw ConfigurationError("unknown flag --\(key)\(hint) see tally start --help")
      }
      if key == "insecure", parts.count == 1, rest.first.map({ $0.hasPrefix("--") }) ?? true {
        line.values.append((key, "yes"))
        continue
      }
      guard let value = parts.count > 1 ? String(parts[1]) : rest.popFirst() else {
        throw ConfigurationError("--\(key) needs a value")
      }
      if let setting {
        if let problem = setting.problem(value) { throw ConfigurationError("--\(key) \(value): \(problem)") }
        line.values.append((key, value))
      } else {
        line.file = value
      }
    }
    return line
  }

  /// A setting whose key begins so, or is two letters away.
  static func suggestion(for key: String, _ settings: [Setting]) -> String? {
    settings.first { setting in
      key.count >= 3 && (setting.key.hasPrefix(key) || key.hasPrefix(setting.key)) || distance(setting.key, key) <= 2
    }?.key
  }
  /// The least number of letters to insert, remove or change (Levenshtein 1966).
  private static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    var row = Array(0...b.count)
    for i in 0..<a.count {
      var diagonal = row[0]
      row[0] = i + 1
      for j in 0..<b.count {
        let change = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(change, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}

/// The configuration file: `key = value` a line, `#` begins a comment, a value may stand in double quotes.
enum SettingsFile {
  static func parse(_ text: String, path: String, settings: [Setting]) throws(ConfigurationError) -> [(String, String)]
  {
    var values: [(String, String)] = []
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let place = "\(path):\(number + 1)"
      let trimmed = trim(line)
      if trimmed.isEmpty || trimmed.hasPrefix("#") { continue }
      guard let equals = trimmed.firstIndex(of: "=") else {
        throw ConfigurationError("\(place): '\(trimmed)' is not 'key = value'")
      }
      let key = trim(trimmed[..<equals])
      guard let setting = settings.first(where: { $0.key == key }) else {
        let hint = CommandLine.suggestion(for: key, settings).map { ", did you mean '\($0)'?" } ?? ";"
        throw ConfigurationError("\(place): unknown setting '\(key)'\(hint) tally start --print-config lists them")
      }
      guard !values.contains(where: { $0.0 == key }) else {
        throw ConfigurationError("\(place): '\(key)' is set twice; keep one")
      }
      let value = try unquote(trim(trimmed[trimmed.index(after: equals)...]), place)
      if let problem = setting.problem(value) { throw ConfigurationError("\(place): \(key) = \(value): \(problem)") }
      values.append((key, value))
    }
    return values
  }

  private static func trim(_ text: some StringProtocol) -> String {
    var rest = Substring(text)
    while let last = rest.last, last.isWhitespace { rest.removeLast() }
    return String(rest.drop { $0.isWhitespace })
  }
  /// Takes off the quotes, or a comment behind the value.
  private static func unquote(_ value: String, _ place: String) throws(ConfigurationError) -> String {
    if value.hasPrefix("\"") {
      guard let end = value.dropFirst().firstIndex(of: "\"") else {
        throw ConfigurationError("\(place): a quote is not closed")
      }
      let behind = trim(value[value.index(after: end)...])
      guard behind.isEmpty || behind.hasPrefix("#") else {
        throw ConfigurationError("\(place): '\(behind)' stands behind the closing quote")
      }
      return String(value[value.index(after: value.startIndex)..<end])
    }
    guard let comment = value.firstIndex(of: "#") else { return value }
    return trim(value[..<comment])
  }

  /// The file with every setting at its default, each under its documentation.
  static func render(_ shell: [Setting], _ node: [Setting]) -> String {
    var text = """
      # The configuration of one Tallystick node: tally start --config FILE
      #
      # key = value, one a line; # begins a comment; a value with # or blanks at its ends stands in "double quotes".
      # What is left out has the default that is shown. A flag --key VALUE goes over the file.


      """
    for (title, settings) in [("The process", shell), ("The node", node)] where !settings.isEmpty {
      text += "# --- \(title) ---\n\n"
      for setting in settings where !setting.isHidden {
        for line in setting.documentation.split(separator: "\n") { text += "# \(line)\n" }
        text += setting.value.isEmpty ? "\(setting.key) =\n\n" : "\(setting.key) = \(setting.value)\n\n"
      }
    }
    return text
  }

  static func usage(_ settings: [Setting]) -> String {
    var text = """
      usage: tally start [--config FILE] [--SETTING VALUE]…
             tally start --print-config      print the documented configuration file

      Runs one node until it gets SIGTERM or SIGINT. The first start and every later one are the same command.


      """
    text += list(settings)
    return text
  }

  /// A flag and its default a line, and its documentation below.
  static func list(_ settings: [Setting]) -> String {
    var text = ""
    for setting in settings where !setting.isHidden {
      text += "  --\(setting.key) \(setting.value.isEmpty ? "VALUE" : "(\(setting.value))")\n"
      for line in setting.documentation.split(separator: "\n") { text += "      \(line)\n" }
    }
    return text
  }

  /// The text of a file of at most 1 MiB.
  static func read(_ path: String) throws(SettingsFileError) -> String {
    let raw = open(path, O_RDONLY | O_CLOEXEC)
    guard raw >= 0 else { throw SettingsFileError(reason: SystemError.text(of: errno)) }
    let file = Descriptor(owning: raw)
    var failure: Int32?
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, count in
      while count < buffer.count {
        let place = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
        let got = Glibc.read(file.rawValue, place.baseAddress, place.count)
        if got < 0 { failure = errno }
        if got <= 0 { return }
        count += got
      }
    }
    if let failure { throw SettingsFileError(reason: SystemError.text(of: failure)) }
    guard bytes.count < 1 << 20 else { throw SettingsFileError(reason: "File over 1 MiB") }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw SettingsFileError(reason: "Not UTF-8 text") }
    return text
  }
}
