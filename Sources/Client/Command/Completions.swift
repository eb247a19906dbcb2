/// `tally completion SHELL`: what a shell needs to complete commands and flags.
enum Completions {
  /// Nil: no such shell.
  static func script(_ shell: String, _ entries: [CommandEntry]) -> String? {
    switch shell {
    case "bash": bash(entries)
    case "zsh": zsh(entries)
    case "fish": fish(entries)
    default: nil
    }
  }

  /// What may follow each beginning of a command's name: the next words, and where a name is whole its flags.
  private static func continuations(_ entries: [CommandEntry]) -> [(said: String, words: [String])] {
    var found: [(said: String, words: [String])] = [("", ["help", "version", "man", "completion"])]
    func add(_ said: String, _ words: [String]) {
      if let place = found.firstIndex(where: { $0.said == said }) {
        found[place].words += words.filter { !found[place].words.contains($0) }
      } else {
        found.append((said, words))
      }
    }
    for entry in entries {
      let words = entry.name.split(separator: " ").map(String.init)
      for place in words.indices { add(words[..<place].joined(separator: " "), [words[place]]) }
      add(entry.name, entry.choices + entry.flags.map(dashed))
    }
    add("completion", ["bash", "zsh", "fish"])
    return found
  }
  private static func dashed(_ flag: Flag) -> String { (flag.name.count == 1 ? "-" : "--") + flag.name }

  /// The longest beginning that is a name of the table decides.
  private static func bash(_ entries: [CommandEntry]) -> String {
    let cases = continuations(entries).map { "    '\($0.said)') words='\($0.words.joined(separator: " "))' ;;" }
    return """
      # bash completion of tally
      _tally() {
        local said='' known='' words='' word place
        for ((place = 0; place < COMP_CWORD; place++)); do
          if ((place > 0)); then
            word=${COMP_WORDS[place]}
            case $word in -*) continue ;; esac
            said=${said:+$said }$word
          fi
          _tally_words "$said" && known=$words
        done
        COMPREPLY=($(compgen -W "$known" -- "${COMP_WORDS[COMP_CWORD]}"))
      }
      _tally_words() {
        case $1 in
      \(cases.joined(separator: "\n"))
          *) return 1 ;;
        esac
      }
      complete -o default -F _tally tally
      """
  }
  /// By the functions for bash, which zsh can run.
  private static func zsh(_ entries: [CommandEntry]) -> String {
    """
    #compdef tally
    autoload -U +X bashcompinit && bashcompinit
    \(bash(entries))
    """
  }
  private static func fish(_ entries: [CommandEntry]) -> String {
    var lines = ["# fish completion of tally", "complete -c tally -f"]
    for entry in entries {
      let words = entry.name.split(separator: " ").map(String.init)
      for place in words.indices {
        let said = words[..<place]
        let condition =
          said.isEmpty ? "__fish_use_subcommand" : "__fish_seen_subcommand_from \(said.joined(separator: " "))"
        let meaning = place == words.count - 1 ? " -d \(quoted(entry.summary))" : ""
        lines.append("complete -c tally -n \(quoted(condition)) -a \(words[place])\(meaning)")
      }
      let condition = words.map { "__fish_seen_subcommand_from \($0)" }.joined(separator: "; and ")
      for choice in entry.choices { lines.append("complete -c tally -n \(quoted(condition)) -a \(choice)") }
      for flag in entry.flags {
        let name = flag.name.count == 1 ? "-s \(flag.name)" : "-l \(flag.name)"
        let value = flag.value == nil ? "" : " -r"
        lines.append("complete -c tally -n \(quoted(condition)) \(name)\(value) -d \(quoted(flag.meaning))")
      }
    }
    return lines.joined(separator: "\n")
  }
  private static func quoted(_ text: String) -> String {
    "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
  }
}
