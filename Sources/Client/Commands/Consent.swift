/// Whether a command may write made-up or old business into a cluster: one wrong address, and it would be in the books of
/// people's points for good.
enum Consent {
  /// True if `--yes` is given, if the cluster has no members, or if the person at the terminal says so. Else it has said why
  /// not: the exit code is `refused`.
  static func isGiven(for command: String, _ flags: Flags, _ target: Target) throws(ClientError) -> Bool {
    if flags.has("yes") { return true }
    let total = try target.askRecords("AUDIT").last { $0["total"] == "yes" }
    guard let count = total?.integer("members") else { throw .malformedReply("AUDIT gave no total") }
    guard count > 0 else { return true }
    let addresses = target.endpoints.map { "\($0)" }.joined(separator: ",")
    let text =
      "the cluster at \(addresses) has \(Format.grouped(count)) members, and tally \(command) writes into its books"
    guard Console.isInputTerminal, Console.isErrorTerminal else {
      Console.report("tally \(command): refused: \(text); if that is meant, say --yes")
      return false
    }
    Console.write("\(text).\nGo on? [y/N] ", to: 2)
    let answer = readLine()?.lowercased() ?? ""
    return ["y", "yes"].contains(answer)
  }
  static let refused: Int32 = 2
}
