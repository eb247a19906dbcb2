import Testing

@testable import OpenSSL

@Suite struct SystemLibraryTests {
  @Test func aFunctionThatIsNotThereIsSaidByName() throws {
    let library = SystemLibrary.crypto
    guard library.isThere else { return }
    typealias Version = @convention(c) () -> UInt
    let version = try library.function("OpenSSL_version_num", as: Version.self)
    #expect(version() >> 28 == 3)
    #expect(throws: SystemLibrary.Missing.self) { _ = try library.function("no_such_function", as: Version.self) }
    #expect("\(SystemLibrary.Missing(library: "libssl.so.3", symbol: nil))".contains("libssl3"))
  }
}
