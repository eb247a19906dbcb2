@main enum TallySim {
  static func main() { print("tally-sim: see docs/testing.md") }
}
