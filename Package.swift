// swift-tools-version: 6.0
import PackageDescription

// Modules import one way only: see docs/architecture.md.
let package = Package(
  name: "tallystick",
  products: [.executable(name: "tally", targets: ["tally"])],
  targets: [
    .target(name: "Base"),
    .target(name: "Raft", dependencies: ["Base"]),
    .target(name: "Storage", dependencies: ["Base"]),
    .target(name: "Ledger", dependencies: ["Base"]),
    .target(name: "Protocol", dependencies: ["Base"]),
    .target(name: "Cluster", dependencies: ["Base", "Raft", "Storage", "Ledger", "Protocol"]),
    .target(name: "Server", dependencies: ["Cluster"]),
    .target(name: "Simulator", dependencies: ["Cluster"]),
    .target(name: "Client", dependencies: ["Base"]),
    .executableTarget(name: "tally", dependencies: ["Server", "Client"]),
    .testTarget(name: "BaseTests", dependencies: ["Base"]),
    .testTarget(name: "RaftTests", dependencies: ["Raft"]),
    .testTarget(name: "StorageTests", dependencies: ["Storage"]),
    .testTarget(name: "LedgerTests", dependencies: ["Ledger"]),
    .testTarget(name: "ProtocolTests", dependencies: ["Protocol"]),
    .testTarget(name: "ClusterTests", dependencies: ["Simulator"]),
    .testTarget(name: "ClientTests", dependencies: ["Client"]),
    .testTarget(name: "TallyTests", dependencies: ["tally"]),
  ],
  swiftLanguageModes: [.v6]
)
