// swift-tools-version: 6.0
import PackageDescription

// Release builds do without the checks at run time that no two accesses to a variable overlap: they cost a tenth of all
// instructions. Debug builds, and so all tests, have them.
var settings: [SwiftSetting] = [
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]
#if arch(x86_64)
  // For the CRC-32C instruction: every such processor since 2008.
  settings.append(.unsafeFlags(["-Xcc", "-msse4.2"]))
#endif

// Modules import one way only: see docs/architecture.md.
let package = Package(
  name: "tallystick",
  products: [.executable(name: "tally", targets: ["tally"])],
  targets: [
    .target(name: "Base"),
    .target(name: "Vocabulary", dependencies: ["Base"], exclude: ["README.md"]),
    .target(name: "Rules", dependencies: ["Base", "Vocabulary"]),
    .target(name: "Raft", dependencies: ["Base"], exclude: ["README.md"]),
    .target(name: "Storage", dependencies: ["Base"], exclude: ["README.md"]),
    .target(name: "Ledger", dependencies: ["Base", "Vocabulary", "Rules"], exclude: ["README.md"]),
    .target(name: "Protocol", dependencies: ["Base", "Vocabulary"], exclude: ["README.md"]),
    .target(
      name: "Cluster", dependencies: ["Base", "Vocabulary", "Raft", "Storage", "Ledger", "Protocol"],
      exclude: ["README.md"]),
    .target(name: "NodeDisk", dependencies: ["Base", "Raft", "Storage", "Ledger", "Cluster"]),
    .target(name: "System"),
    .target(name: "OpenSSL", dependencies: ["System"]),
    .target(name: "Replies"),
    .target(name: "ConsolePage", dependencies: ["Base"], exclude: ["Files", "README.md"], plugins: ["ConsolePlugin"]),
    .plugin(name: "ConsolePlugin", capability: .buildTool(), path: "tools/console-plugin"),
    .target(name: "HTTP", dependencies: ["Base", "Vocabulary", "Replies", "ConsolePage"], exclude: ["README.md"]),
    .target(name: "Server", dependencies: ["Cluster", "HTTP", "NodeDisk", "OpenSSL", "System"]),
    .target(
      name: "Simulator", dependencies: ["Cluster", "NodeDisk", "Checker", "Replies"], exclude: ["README.md"]),
    .target(name: "Checker"),
    .target(name: "Client", dependencies: ["Base", "OpenSSL", "System", "Replies", "Vocabulary"]),
    .executableTarget(name: "tally", dependencies: ["Server", "Client"], plugins: ["CommitPlugin"]),
    .plugin(name: "CommitPlugin", capability: .buildTool(), path: "tools/commit-plugin"),
    .executableTarget(name: "tally-sim", dependencies: ["Simulator", "Checker"]),
    .target(name: "CommandSupport", dependencies: ["Ledger", "Protocol"], path: "Tests/Support"),
    .testTarget(name: "BaseTests", dependencies: ["Base"]),
    .testTarget(name: "VocabularyTests", dependencies: ["Vocabulary"]),
    .testTarget(name: "RulesTests", dependencies: ["Rules"]),
    .testTarget(name: "RaftTests", dependencies: ["Raft"]),
    .testTarget(name: "StorageTests", dependencies: ["Storage"]),
    .testTarget(
      name: "LedgerTests", dependencies: ["Ledger", "Rules", "Protocol", "CommandSupport"], exclude: ["Stored"]),
    .testTarget(name: "ProtocolTests", dependencies: ["Protocol"]),
    .testTarget(name: "ClusterTests", dependencies: ["Simulator", "CommandSupport"], exclude: ["Stored"]),
    .testTarget(name: "NodeDiskTests", dependencies: ["NodeDisk"]),
    .target(name: "TLSSupport", dependencies: ["OpenSSL"], path: "Tests/TLSSupport"),
    .testTarget(name: "OpenSSLTests", dependencies: ["OpenSSL", "System", "TLSSupport"]),
    .testTarget(name: "RepliesTests", dependencies: ["Replies"]),
    .testTarget(name: "HTTPTests", dependencies: ["HTTP", "Protocol"]),
    .testTarget(
      name: "SimulatorTests", dependencies: ["Simulator", "tally-sim", "CommandSupport"], exclude: ["Stored"]),
    .testTarget(name: "ConsolePageTests", dependencies: ["ConsolePage"]),
    .testTarget(name: "ServerTests", dependencies: ["Server", "TLSSupport"]),
    .testTarget(name: "ClientTests", dependencies: ["Client", "OpenSSL"]),
    .testTarget(name: "CheckerTests", dependencies: ["Base", "Checker"]),
    .testTarget(name: "FuzzTests", dependencies: ["Cluster", "HTTP", "NodeDisk", "Server", "CommandSupport"]),
  ],
  swiftLanguageModes: [.v6]
)
for target in package.targets where target.type != .plugin { target.swiftSettings = settings }
