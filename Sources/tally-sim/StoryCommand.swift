import Glibc
import Simulator

/// `tally-sim story FILE…`: tells stories to three simulated nodes each.
enum StoryCommand {
  /// 0: all went as they say; 1: some did not, or cannot be read; 2: no file is named.
  static func run(_ paths: [String]) -> Int32 {
    guard !paths.isEmpty else {
      print("usage: tally-sim story FILE…")
      return 2
    }
    var failed = 0
    for path in paths where !tell(path) { failed += 1 }
    print("\(paths.count - failed) passed, \(failed) failed")
    return failed == 0 ? 0 : 1
  }

  private static func tell(_ path: String) -> Bool {
    guard let bytes = File.read(path) else {
      print("FAIL \(path)\n  cannot be read: \(String(cString: strerror(errno)))")
      return false
    }
    let story: Story
    do throws(StoryError) { story = try Story(parsing: String(decoding: bytes, as: UTF8.self), path: path) } catch {
      print("FAIL \(path)\n  \(error)")
      return false
    }
    let run = StoryRun(story)
    run.run()
    let seconds = Int(run.simulatedSeconds.rounded())
    let mark = run.failures.isEmpty ? "ok  " : "FAIL"
    print("\(mark) \(story.name) (\(run.commandCount) commands, \(seconds) s simulated)")
    for failure in run.failures { print("  \(failure)") }
    fflush(nil)
    return run.failures.isEmpty
  }
}

enum File {
  /// All of a file; nil if it cannot be read, and `errno` says why.
  static func read(_ path: String) -> [UInt8]? {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var status = stat()
    if fstat(file, &status) == 0 { bytes.reserveCapacity(Int(status.st_size)) }
    var piece = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = Glibc.read(file, &piece, piece.count)
      if count < 0 { return nil }
      if count == 0 { return bytes }
      bytes.append(contentsOf: piece[0..<count])
    }
  }
}
