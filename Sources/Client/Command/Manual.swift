/// `tally man`: the manual page, in the macros of man(7), of the same texts that `tally help` prints.
enum Manual {
  static func page(_ entries: [CommandEntry]) -> String {
    var text = """
      .TH TALLY 1 "" "tally \(Version.text)" "Tallystick"
      .SH NAME
      tally \\- a replicated ledger for loyalty points
      .SH SYNOPSIS
      .B tally
      .I COMMAND
      [flags]
      .SH DESCRIPTION
      Runs nodes of a replicated ledger for loyalty points, and asks and administers clusters of them.
      Most commands take
      .B \\-\\-to
      HOST:PORT[,HOST:PORT...] (or TALLY_TO), tried in order; the default is 127.0.0.1:7401.
      .SH COMMANDS
      """
    for entry in entries {
      text +=
        "\n.SS \(roff("tally \(entry.name)"))\n\(roff(sentence(entry.summary)))\n.PP\n.nf\n\(roff(entry.usage))\n.fi"
    }
    text += """

      .SH EXIT STATUS
      0 done, 1 wrong arguments, 2 refused, 3 unknown or timed out, 4 the cluster is unhealthy, 5 nobody reachable.
      .SH ENVIRONMENT
      .TP
      .B TALLY_TO
      Addresses of some nodes, where
      .B \\-\\-to
      is not given.
      .SH FILES
      .TP
      .I /etc/tallystick/tally.conf
      The configuration of the node that the package's unit runs.
      .SH SEE ALSO
      .B tally help
      .I COMMAND
      prints a part of this page.
      """
    return text
  }

  private static func sentence(_ summary: String) -> String {
    summary.prefix(1).uppercased() + summary.dropFirst() + "."
  }
  /// As running text: a backslash, a hyphen, and a dot or quote at the beginning of a line mean something to roff.
  static func roff(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let plain = line.replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing("…", with: "...")
      return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&" + plain : String(plain)
    }.joined(separator: "\n")
  }
}
