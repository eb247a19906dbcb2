import Cluster
import Glibc
import Testing

@testable import Server

@Suite struct SettingsTests {
  private let own = [
    Setting(
      "request-timeout", "2000", "Milliseconds that a request may take.",
      problem: { Int($0) == nil ? "must be a whole number of milliseconds" : nil })
  ]
  private func parse(_ arguments: [String], file: String? = nil) throws(ConfigurationError) -> ServerConfiguration {
    let request = try ServerConfiguration.parse(arguments, settings: own, hostName: "machine") {
      (path) throws(SettingsFileError) in
      guard let file else { throw SettingsFileError(reason: "No such file or directory") }
      return file
    }
    guard case .run(let configuration) = request else { throw ConfigurationError("not a run") }
    return configuration
  }
  private func problem(_ arguments: [String], file: String? = nil) -> String {
    do {
      _ = try parse(arguments, file: file)
      return ""
    } catch { return error.description }
  }

  /// `CONFIG SET` left them in the data directory that the file names.
  @Test func changesGoOverTheFileAndUnderFlags() throws {
    func parse(_ arguments: [String], _ changed: String) throws -> ServerConfiguration? {
      let request = try ServerConfiguration.parse(
        arguments + ["--config", "f"], settings: own, hostName: "machine",
        readFile: { (_) throws(SettingsFileError) in "data = /there\nlog-level = error\nturn-bytes = 8192\n" },
        readChanged: { $0 == "/there" ? changed : nil })
      guard case .run(let configuration) = request else { return nil }
      return configuration
    }
    let text = "# by the node\nlog-level = \"debug\"\nturn-bytes = \"4096\"\n"
    let found = try #require(try parse(["--turn-bytes", "5000"], text))
    #expect(found.logLevel == .debug && found.turnBytesMax == 5000)
    #expect(found.changed.map(\.key) == ["log-level", "turn-bytes"])
    #expect(found.all.first { $0.setting.key == "turn-bytes" }?.value == "5000")
    #expect(try parse(["--data", "/else"], text)?.logLevel == .error)
    // Only what may change stands there.
    #expect(throws: ConfigurationError.self) { try parse([], "name = \"x\"\n") }
  }

  @Test func flagsGoOverTheFileAndTheFileOverDefaults() throws {
    let file = "# mine\nname = a\nregion = \"x-1\" # near\nrequest-timeout = 7\n\nmax-clients=5\n"
    let found = try parse(
      ["--name", "b", "--config", "f", "--join=10.0.0.1:1,[::1]:2", "--peer", "10.0.0.1:7", "--insecure"], file: file)
    #expect(found.name == "b")
    #expect(found.region == "x-1")
    #expect(found.clientsMax == 5)
    #expect(found.nodeValue("request-timeout") == "7")
    #expect(found.join.map(\.description) == ["10.0.0.1:1", "[::1]:2"])
    #expect(found.advertisePeer.description == "10.0.0.1:7")
    #expect(found.listen.description == "127.0.0.1:7401")
    let plain = try parse([])
    #expect(plain.name == "machine")
    #expect(plain.nodeValue("request-timeout") == "2000")
  }

  /// Who reaches the port, whether what is said there can be read, and whether that was asked for.
  @Test func exposureGoesByAddressesTLSAndInsecure() throws {
    let tls = ["--tls-cert", "a.crt", "--tls-key", "a.key"]
    func exposure(_ arguments: [String]) -> String {
      do {
        let node = NodeSettings.configuration(of: try parse(arguments))
        return [(node.isInsecure, "read"), (node.guardsOpenCluster, "guarded"), (node.answersOpenly, "openly")]
          .filter(\.0).map(\.1).joined(separator: " ")
      } catch { return "refused" }
    }
    let far = ["--listen", "10.0.0.1:7401"]
    let http = ["--http", "10.0.0.1:7601"]
    for (place, more) in [([], [String]()), (["--listen", "127.9.9.9:1"], ["--http", "[::1]:2"])] {
      for security in [[], ["--insecure"], tls, tls + ["--insecure"]] {
        #expect(exposure(place + more + security) == "", "\(place) \(security)")
      }
    }
    for place in [far, http, ["--listen", "*:7401"]] {
      #expect(exposure(place) == "refused", "\(place)")
      #expect(exposure(place + ["--insecure"]) == "read openly", "\(place)")
      #expect(exposure(place + tls) == "guarded", "\(place)")
      #expect(exposure(place + tls + ["--insecure"]) == "openly", "\(place)")
      #expect(exposure(place + tls + ["--tls-ca", "c", "--tls-client", "required"]) == "", "\(place)")
    }
  }

  /// What nodes tell each other is more than any terminal says.
  @Test func peersInTheClearAreOfThisMachineUnlessItIsSaid() throws {
    let far = ["--peer", "10.0.0.1:7501"]
    #expect(problem(far).hasPrefix("peer 10.0.0.1:7501: what nodes tell each other"))
    #expect(problem(["--peer", "*:7501", "--advertise-peer", "a:1"]).hasPrefix("peer *:7501: what nodes tell"))
    #expect(NodeSettings.configuration(of: try parse(far + ["--insecure"])).isInsecure)
    let tls = ["--peer-cert", "a.crt", "--peer-key", "a.key", "--peer-ca", "ca.crt", "--cluster", "c"]
    #expect(!NodeSettings.configuration(of: try parse(far + tls)).isInsecure)
    #expect(!NodeSettings.configuration(of: try parse(["--peer", "127.0.0.2:7501"])).isInsecure)
  }

  /// Nothing of a journal is thrown away: what is not kept here has to go somewhere.
  @Test func anArchiveAndItsAgeBelongTogether() throws {
    func archive(_ arguments: [String]) -> String {
      do {
        let request = try ServerConfiguration.parse(arguments, settings: NodeSettings.all, hostName: "machine") {
          (path) throws(SettingsFileError) in throw SettingsFileError(reason: "unread")
        }
        guard case .run(let configuration) = request else { return "not a run" }
        let keep = NodeSettings.configuration(of: configuration).journalKeep.map { " \($0 / 86_400_000_000) d" } ?? ""
        return try (NodeSettings.archive(of: configuration) ?? "none") + keep
      } catch { return "\(error)" }
    }
    #expect(archive([]) == "none")
    #expect(archive(["--journal-keep", "400d", "--journal-archive", "/mnt/tally"]) == "/mnt/tally 400 d")
    #expect(
      archive(["--journal-keep", "30d"]).hasPrefix("journal-keep 30d needs journal-archive: nothing of a journal"))
    #expect(
      archive(["--journal-archive", "/mnt"]).hasPrefix("journal-archive /mnt needs journal-keep: say after how many"))
    #expect(
      archive(["--journal-keep", "30d", "--journal-archive", "mnt"]).hasPrefix("journal-archive mnt: name it by its"))
    for wrong in ["29d", "400", "d", "-5d", "36501d", ""] {
      #expect(archive(["--journal-keep", wrong]).contains("must be days like 400d"), "\(wrong)")
    }
  }

  @Test func thePrintedFileIsAcceptedAndChangesNothing() throws {
    let request = try ServerConfiguration.parse(["--print-config"], settings: own, hostName: "machine") {
      (path) throws(SettingsFileError) in throw SettingsFileError(reason: "unread")
    }
    guard case .print(let text) = request else {
      Issue.record("nothing was printed")
      return
    }
    let (printed, plain) = (try parse(["--config", "f"], file: text), try parse([]))
    #expect("\(printed)" == "\(plain)")
    for setting in ServerConfiguration.settings + own { #expect(text.contains("\n\(setting.key) =")) }
  }

  @Test func eachMistakeIsToldInOneLineThatSaysWhatToDo() {
    #expect(problem(["--lisen", "x"]) == "unknown flag --lisen, did you mean --listen? see tally start --help")
    #expect(problem(["--quux=1"]) == "unknown flag --quux; see tally start --help")
    #expect(problem(["data"]).hasPrefix("unexpected argument 'data'"))
    #expect(problem(["--data"]) == "--data needs a value")
    #expect(problem(["--listen", "7401"]) == "--listen 7401: must be HOST:PORT, such as 127.0.0.1:7401")
    #expect(problem(["--join", "a:1,b"]).contains("'b' is not an address"))
    #expect(problem(["--max-clients", "0"]) == "--max-clients 0: must be a whole number, 1 to 1000000")
    #expect(problem(["--name", "a b"]).contains("A-Z"))
    #expect(problem(["--request-timeout", "x"]) == "--request-timeout x: must be a whole number of milliseconds")
    #expect(problem(["--peer", "127.0.0.1:7401"]).hasPrefix("listen and peer are both"))
    #expect(problem(["--peer", "*:7501"]).contains("advertise-peer"))
    let folder = #expect(throws: SettingsFileError.self) { try SettingsFile.read("/") }
    #expect(folder?.reason == "Is a directory")
    #expect(problem(["--config", "f"]) == "--config f: No such file or directory; name a file that can be read")
    #expect(problem(["--config", "f"], file: "\nname a\n") == "f:2: 'name a' is not 'key = value'")
    #expect(problem(["--config", "f"], file: "regoin = a").hasPrefix("f:1: unknown setting 'regoin', did you mean"))
    #expect(problem(["--config", "f"], file: "name = a\nname = b") == "f:2: 'name' is set twice; keep one")
    #expect(problem(["--config", "f"], file: "name = \"a") == "f:1: a quote is not closed")
  }

  @Test func addressesAreReadAndWritten() {
    #expect(HostPort("[::1]:80")?.host == "::1")
    #expect(HostPort("*:80")?.isEveryAddress == true)
    #expect(HostPort(":80")?.description == "*:80")
    for wrong in ["", "a", "a:", "a:b", "a:65536", "a:-1", "::1:80", "a b:1", "http://a:1"] {
      #expect(HostPort(wrong) == nil, "\(wrong)")
    }
  }
}

@Suite struct StartupTests {
  @Test func aPortInUseIsNamed() throws {
    let node = try RunningNode()
    let address = HostPort(host: "127.0.0.1", port: node.port)
    do {
      let listener = try Startup.bind(address, flag: "listen")
      try Startup.listen(listener, address, flag: "listen")
      Issue.record("two listen on a port")
    } catch {
      #expect("\(error)".hasPrefix("--listen 127.0.0.1:\(node.port): port \(node.port) is in use"))
    }
    node.stop()
  }

  @Test func anAddressOfAnotherMachineIsNotListenedOn() {
    do {
      _ = try Startup.bind(HostPort(host: "192.0.2.1", port: 7401), flag: "peer")
      Issue.record("an address that is not ours")
    } catch {
      #expect("\(error)".contains("is not an address of this machine"))
    }
  }

  @Test func theDataDirectoryIsMadeAndAFileIsNotTakenForIt() throws {
    var name = Array("/tmp/tallystick-test-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&name).map { String(cString: $0) })
    try Startup.prepareDirectory("\(made)/a/b")
    try Startup.prepareDirectory("\(made)/a/b")
    let file = open("\(made)/file", O_CREAT | O_WRONLY, 0o644)
    close(file)
    do {
      try Startup.prepareDirectory("\(made)/file")
      Issue.record("a file is not a directory")
    } catch {
      #expect("\(error)" == "--data \(made)/file: is a file, not a directory; name a directory")
    }
    do {
      try Startup.prepareDirectory("\(made)/file/below")
      Issue.record("nothing is below a file")
    } catch {
      #expect("\(error)".hasPrefix("--data \(made)/file/below: "))
    }
    for path in ["a/b", "a", ""] { rmdir("\(made)/\(path)") }
    unlink("\(made)/file")
    rmdir(made)
  }
}

@Suite struct StartTests {
  private struct Refusal: Error, CustomStringConvertible { let description = "it is used by another node" }

  private func code(_ arguments: [String]) -> Int32 {
    start(arguments: arguments) { (_) throws -> (core: FakeNode, disk: FakeDisk) in throw Refusal() }
  }

  @Test func mistakesGiveExitCodesThatTellThemApart() {
    #expect(code(["--help"]) == 0)
    #expect(code(["--print-config"]) == 0)
    #expect(code(["--nonsense"]) == 1)
    #expect(code(["--data", "/dev/null"]) == 1)
    #expect(code(["--data", "/tmp", "--listen", "127.0.0.1:0", "--peer", "127.0.0.1:0"]) == 2)
  }
}

@Suite struct ConnectionTableTests {
  @Test func anIdIsNeverUsedTwice() {
    var table = ConnectionTable<Int>(capacity: 4)
    var seen: Set<UInt64> = []
    for round in 0..<100 {
      let ids = (0..<4).map { table.insert(round * 4 + $0) }
      let isFull = table.isFull
      #expect(isFull)
      for (offset, id) in ids.enumerated() {
        #expect(seen.insert(id).inserted)
        #expect(id != 0 && id < 1 << 56)
        let found = table.find(id)?.pointee
        #expect(found == round * 4 + offset)
      }
      for id in ids { _ = table.remove(id) }
      for id in ids {
        let isGone = table.find(id) == nil
        #expect(isGone)
      }
      let left = table.allIDs
      #expect(left.isEmpty)
    }
  }
}
