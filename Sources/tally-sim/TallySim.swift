import Glibc

@main enum TallySim {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    if arguments.first == "check" { exit(CheckCommand.run(Array(arguments.dropFirst()))) }
    print("tally-sim: see docs/testing.md")
  }
}
