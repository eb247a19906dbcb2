import Glibc
import System

/// A shell command that runs beside us, its output on our standard error. What it leaves running does not hold us up:
/// only its own end is waited for.
struct Errand {
  private let process: pid_t

  /// `nil`, said on standard error, where it cannot be started.
  init?(_ command: String) {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, 2, 1)
    let words = ["sh", "-c", command]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    defer { for argument in arguments { free(argument) } }
    arguments.append(nil)
    var process: pid_t = 0
    let code = posix_spawn(&process, "/bin/sh", &actions, nil, arguments, environ)
    guard code == 0 else {
      Console.report("cannot run \(command): \(SystemError.text(of: code))")
      return nil
    }
    self.process = process
  }

  /// Waits for its end; gives its exit code.
  @discardableResult func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status >> 8 & 0xFF
  }
}
