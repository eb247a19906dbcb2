import Base
import Protocol
import Raft
import Vocabulary

/// `CLUSTER BACKUP SAVE dir=…`: a node writes the whole cluster's state at one stamp, and its journals, to a directory of its own.
/// See docs/backup.md. It does all of it (`BackupSaver`) and has the record say how far it is.
struct BackupSave: OperationPlan, Hashable {
  var node: NodeID
  var directory: String
  /// All shards that there are; sorted.
  var shards: [ShardID]

  static let number: UInt16 = 50
  static let word = "backup-save"
  /// Each of them holds all shards.
  static let isAlone = true
  static func keys(of word: String) -> [Key] { [] }

  enum Step: UInt32 { case cut = 0, copy = 1, manifest = 2 }

  init(node: NodeID, directory: String, shards: [ShardID]) {
    self.node = node
    self.directory = directory
    self.shards = shards
  }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(field: 1, zigzag: Int64(bitPattern: node.rawValue))
    buffer.append(field: 2) { $0.append(utf8: directory) }
    buffer.append(field: 3) { list in for shard in shards { list.append(shard.rawValue) } }
    buffer.appendEndOfFields()
  }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    self.init(node: .none, directory: "", shards: [])
    try reader.readFields(of: "a backup") { number, value throws(MalformedBytes) in
      switch number {
      case 1: node = NodeID(UInt64(bitPattern: try value.readZigzag()))
      case 2: directory = try value.readText()
      case 3: while !value.isAtEnd { shards.append(ShardID(try value.read())) }
      default: return false
      }
      return true
    }
  }

  func target(in topology: Topology?) -> String { "\(topology?.name(of: node) ?? node.hex):\(directory)" }
  func steps(in topology: Topology?) -> [String] {
    ["freeze all shards at one stamp", "copy their states and journals", "write the manifest"]
  }
  var holds: [ShardID] { shards }
  func refusal(in topology: Topology) -> String? {
    guard topology.node(node).map({ $0.state != .removed }) ?? false else { return "there is no such node any more" }
    return topology.shards.map(\.shard) == shards ? nil : "the shards have changed meanwhile; ask again"
  }
  /// Its node says how far it is.
  func next(_ view: OperationView) -> OperationAction {
    guard view.topology.node(node).map({ $0.state != .removed }) ?? false else {
      return .fail("node \(view.name(of: node)) is removed")
    }
    guard view.reachable.contains(node) else {
      return .wait("node \(view.name(of: node)) is not in reach; it goes on there")
    }
    return .run(step: view.record.step)
  }
}

extension Operation {
  /// What it saves, and where, if it is a save.
  var save: BackupSave? { plan as? BackupSave }
}
extension OperationTable {
  /// The save that is under way, if there is one.
  var save: Operation? { open.first { $0.kind == BackupSave.kind } }
}

extension RequestDesk {
  /// `CLUSTER BACKUP SAVE DIR`, `RESTORE DIR`; or `dir=DIR`.
  func backup(_ request: Request, _ owner: EdgeItem.Owner, at backups: BackupDesk) {
    guard ["SAVE", "RESTORE"].contains(word(request, 0)), (request.text(.dir) != nil) != (request.positionalCount == 2)
    else {
      return answerError(
        owner, .malformed, "say CLUSTER BACKUP SAVE DIR or RESTORE DIR, with one directory of this node")
    }
    let directory = String(decoding: request.text(.dir) ?? request.positional(1), as: UTF8.self)
    guard directory.hasPrefix("/") else {
      return answerError(
        owner, .malformed, "the directory is a path on this node from its root on, such as /srv/backup")
    }
    if word(request, 0) == "RESTORE" {
      return backups.restore(owner, ClusterFigures(request), directory: directory, isTrial: request.flag(.dryRun))
    }
    guard let topology = membership.topology else {
      return answerError(owner, .unavailable, "this node knows no cluster yet")
    }
    let plan = BackupSave(node: membership.me.id, directory: directory, shards: topology.shards.map(\.shard))
    guard request.flag(.dryRun) else { return begin(plan, owner) }
    answerPlan(
      owner,
      topology.shards.map { placement in
        let source = backups.source(of: placement)
        return PlanStep(
          shard: placement.shard, from: topology.name(of: source), to: plan.target(in: topology),
          bytes: peers.groups[placement.shard]?.bytes)
      })
  }
}
