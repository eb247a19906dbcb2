import Testing

@testable import Server

@Suite struct SettingsFuzzTests {
  @Test func anyFileIsTakenOrItsFaultNamed() throws {
    var mutator = Mutator(seed: 700)
    let seeds = [
      "# mine\nname = a\nregion = \"x-1\" # near\nmax-clients=5\n", "name = \"\nlisten = [::1]:7401\njoin = a:1,b:2\n",
      "log-level = debug\nlisten=127.0.0.1:65536\nname=\"a\"b\n==\n= x\n", "\u{FEFF}name = é\r\nregion = x\r\n",
    ].map(text)
    let flags = [
      ["--config", "f"], ["--config=f", "--name", "b"], ["--join=a:1,[::1]:2", "--config", "f"], ["--quux"],
    ]
    for _ in 0..<FuzzInputs.count(perMille: 30) {
      let file = String(decoding: mutator.mutate(mutator.pick(seeds), with: mutator.pick(seeds)), as: UTF8.self)
      let arguments = mutator.pick(flags).map {
        mutator.below(4) == 0 ? String(decoding: mutator.mutate(text($0)), as: UTF8.self) : $0
      }
      do throws(ConfigurationError) {
        _ = try ServerConfiguration.parse(arguments, settings: [], hostName: "h") {
          (path) throws(SettingsFileError) in file
        }
      } catch { #expect(!error.description.isEmpty) }
    }
  }
}
