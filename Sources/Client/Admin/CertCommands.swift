import Glibc
import OpenSSL
import System

/// `tally cert …`: certificates for who has no authority of their own. Nothing of it asks a node.
enum CertCommands {
  static let all = [authority, node, user]

  private static let cluster = Flag.value(
    "cluster", "NAME", "the cluster's label, as tally start --cluster has it (tally)")
  private static func times(_ days: Int) -> [Flag] {
    [
      .value("days", "N", "for how long it holds, 1 to 7300 (\(days))"),
      .value("from", "YYYY-MM-DD", "since when (an hour ago, for clocks that differ)"),
    ]
  }

  private static let authority = entry(
    "cert ca", words: "DIR", count: 1, flags: [cluster] + times(3650),
    summary: "makes an authority for a cluster's certificates",
    notes: """
      Writes DIR/ca.crt and DIR/ca.key; DIR is made where it is missing. ca.crt goes to every node and every client, ca.key
      to nobody: who has it can make itself a node.
      """
  ) { flags throws(ClientError) in
    let directory = flags.words[0]
    let label = flags["cluster"] ?? "tally"
    guard (1...50).contains(label.utf8.count), label.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
      throw .usage("--cluster \(label): 1 to 50 letters, digits or signs, without blanks")
    }
    let validity = try validity(flags, standard: 3650)
    guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
      throw .local("\(directory) cannot be made: \(SystemError.text(of: errno))")
    }
    let pair = try made { () throws(CertificateMaker.Failure) in
      try CertificateMaker.authority(cluster: label, validity)
    }
    return try write(pair, to: directory, as: "ca", label: "the authority of \(label)", force: flags.has("force"))
  }

  private static let node = entry(
    "cert node", words: "DIR NAME", count: 2,
    flags: [
      .value(
        "host", "HOST,HOST…",
        "names and addresses by which it is connected to (localhost,127.0.0.1,::1; its name is always one)")
    ] + times(397),
    summary: "makes a node's certificate, for terminals and for other nodes",
    notes: """
      Signs with DIR/ca.key, and writes DIR/NAME.crt and DIR/NAME.key: for tls-cert and tls-key, peer-cert and peer-key of tally
      start, with DIR/ca.crt as tls-ca and peer-ca. Made anew before it ends, copied over the old files, and SIGHUP to the node.
      """
  ) { flags throws(ClientError) in
    let (directory, name) = (flags.words[0], try name(flags.words[1]))
    var hosts = [name]
    for host in (flags["host"] ?? "localhost,127.0.0.1,::1").split(separator: ",").map(String.init)
    where !hosts.contains(host) {
      hosts.append(host)
    }
    let validity = try validity(flags, standard: 397)
    let authority = try readAuthority(directory)
    let pair = try made { () throws(CertificateMaker.Failure) in
      try CertificateMaker.node(name, hosts: hosts, validity, by: authority)
    }
    return try write(
      pair, to: directory, as: name, label: "node \(name), hosts \(hosts.joined(separator: " "))",
      force: flags.has("force"))
  }

  private static let user = entry(
    "cert user", words: "DIR NAME", count: 2, flags: times(397),
    summary: "makes a user's certificate, for terminals and people",
    notes: """
      Signs with DIR/ca.key, and writes DIR/NAME.crt and DIR/NAME.key: for --tls-cert and --tls-key of tally, with DIR/ca.crt as
      --tls-ca, and the same of other clients. NAME is the user whom it signs in.
      """
  ) { flags throws(ClientError) in
    let (directory, name) = (flags.words[0], try name(flags.words[1]))
    let validity = try validity(flags, standard: 397)
    let authority = try readAuthority(directory)
    let pair = try made { () throws(CertificateMaker.Failure) in
      try CertificateMaker.user(name, validity, by: authority)
    }
    return try write(pair, to: directory, as: name, label: "user \(name)", force: flags.has("force"))
  }

  // MARK: Arguments

  /// A command that needs no node, and so none of the flags by which one is found.
  private static func entry(
    _ name: String, words: String, count: Int, flags: [Flag], summary: String, notes: String,
    _ body: @escaping @Sendable (Flags) throws(ClientError) -> [String]
  ) -> CommandEntry {
    let flags = flags + [.toggle("force", "writes over files that are there")]
    let lines = flags.map { "    \($0.spelling)  \($0.meaning)" }
    let usage = "  tally \(name) \(words) [flags]\n\n\(lines.joined(separator: "\n"))\n\n"
    return CommandEntry(name: name, summary: summary, usage: usage + notes.indented) { arguments in
      do throws(ClientError) {
        let given = try Flags(arguments, accepting: flags)
        guard given.words.count == count else { throw .usage("wanted: \(words)") }
        for line in try body(given) { Console.print(line) }
        return 0
      } catch {
        Console.report("tally \(name): \(error)")
        if case .usage = error { Console.report("see: tally help \(name)") }
        return error.exitCode
      }
    }
  }
  private static func name(_ text: String) throws(ClientError) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      let isLetter = (65...90).contains(byte) || (97...122).contains(byte)
      return isLetter || (48...57).contains(byte)
        || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains(byte)
    }
    guard isPlain, (1...64).contains(text.utf8.count), text.first != "-", text.first != ".", text != "ca" else {
      throw .usage("'\(text)' is no name: 1 to 64 of A-Z a-z 0-9 . _ -, and not ca")
    }
    return text
  }
  private static func validity(_ flags: Flags, standard: Int) throws(ClientError) -> CertificateMaker.Validity {
    let days = try flags.integer("days", or: standard, in: 1...7300)
    let length = Int64(days) * 86_400
    guard let text = flags["from"] else {
      let now = Clock.wall() / 1_000_000
      return CertificateMaker.Validity(from: now - 3600, until: now + length)
    }
    let numbers = text.split(separator: "-", omittingEmptySubsequences: false).map { Int32($0) ?? -1 }
    guard numbers.count == 3, (1970...2200).contains(numbers[0]), (1...12).contains(numbers[1]),
      (1...31).contains(numbers[2])
    else { throw .usage("--from \(text): a day is wanted, such as 2026-01-31") }
    var calendar = tm()
    (calendar.tm_year, calendar.tm_mon, calendar.tm_mday) = (numbers[0] - 1900, numbers[1] - 1, numbers[2])
    let from = Int64(timegm(&calendar))
    return CertificateMaker.Validity(from: from, until: from + length)
  }
  private static func made(
    _ body: () throws(CertificateMaker.Failure) -> KeyPair
  ) throws(ClientError) -> KeyPair {
    do { return try body() } catch { throw .local("\(error)") }
  }

  // MARK: Files

  private static func readAuthority(_ directory: String) throws(ClientError) -> KeyPair {
    KeyPair(certificate: try read("\(directory)/ca.crt"), key: try read("\(directory)/ca.key"))
  }
  private static func read(_ path: String) throws(ClientError) -> String {
    let raw = open(path, O_RDONLY | O_CLOEXEC)
    guard raw >= 0 else {
      throw .local("\(path) cannot be read: \(SystemError.text(of: errno)); tally cert ca makes an authority")
    }
    defer { close(raw) }
    let room = 64 << 10
    let bytes = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
      count = max(0, Glibc.read(raw, buffer.baseAddress, room))
    }
    return String(decoding: bytes, as: UTF8.self)
  }
  /// Writes both files, the key first; each whole or not at all, for nobody but this user.
  private static func write(
    _ pair: KeyPair, to directory: String, as name: String, label: String, force: Bool
  ) throws(ClientError) -> [String] {
    let files = [("\(directory)/\(name).key", pair.key), ("\(directory)/\(name).crt", pair.certificate)]
    if !force {
      for (path, _) in files where access(path, F_OK) == 0 {
        throw .declined("\(path) is there already; --force writes over it")
      }
    }
    for (path, text) in files { try write(text, to: path) }
    let day = CertificateMaker.facts(of: pair.certificate)?.expiryDay ?? "an unknown day"
    return [
      "\(directory)/\(name).crt  certificate of \(label), until \(day)",
      "\(directory)/\(name).key  its private key: keep it where nobody else reads it",
    ]
  }
  private static func write(_ text: String, to path: String) throws(ClientError) {
    let draft = path + ".new"
    _ = unlink(draft)
    let raw = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard raw >= 0 else { throw .local("\(draft) cannot be made: \(SystemError.text(of: errno))") }
    let bytes = Array(text.utf8)
    let isWritten = Glibc.write(raw, bytes, bytes.count) == bytes.count && fsync(raw) == 0
    let code = errno
    close(raw)
    guard isWritten, rename(draft, path) == 0 else {
      throw .local("\(path) cannot be written: \(SystemError.text(of: isWritten ? errno : code))")
    }
  }
}

extension String {
  fileprivate var indented: String { split(separator: "\n").map { "  \($0)" }.joined(separator: "\n") }
}
