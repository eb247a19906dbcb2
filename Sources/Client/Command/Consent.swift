/// Whether a command may write made-up or old business into a cluster: one wrong address, and it would be in the books of
/// people's points for good.
enum Consent {
  /// Goes on if `--yes` is given, if the cluster has no members, or if the person at the terminal says so; else throws
  /// `.declined`.
  static func ask(for command: String, _ invocation: Invocation) throws(ClientError) {
    if invocation.flags.has("yes") { return }
    guard let count = try invocation.target.audit().total.integer("members") else {
      throw .malformedReply("AUDIT told no members")
    }
    guard count > 0 else { return }
    let addresses = invocation.target.endpoints.map { "\($0)" }.joined(separator: ",")
    let text =
      "the cluster at \(addresses) has \(Format.grouped(count)) members, and tally \(command) writes into its books"
    guard Console.isInputTerminal, Console.isErrorTerminal, !invocation.isJSON else {
      throw .declined("\(text); if that is meant, say --yes")
    }
    Console.write("\(text).\nGo on? [y/N] ", to: 2)
    let answer = readLine()?.lowercased() ?? ""
    guard ["y", "yes"].contains(answer) else { throw .declined("nothing was written") }
  }
}
