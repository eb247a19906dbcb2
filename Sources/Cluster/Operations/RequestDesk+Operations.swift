import Base
import Ledger
import Protocol
import Vocabulary

/// Operations, as terminals ask for them.
extension RequestDesk {
  /// `CLUSTER SHARD LEADER S …`
  func clusterShard(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let shard = UInt32(word(request, 1)) else {
      return answerError(owner, .malformed, "which shard: CLUSTER SHARD LEADER S to=NODE")
    }
    guard let plan = Operation.Kind.ofShard(word(request, 0)) else {
      return answerError(
        owner, .malformed,
        "CLUSTER SHARD takes LEADER, a shard's number, and to=NODE or region=NAME; or MOVE, its number, from=NODE and to=NODE; or"
          + " SPLIT, its number, and at=SLOT; or MERGE, its number, and that of the shard that ends"
      )
    }
    if let reason = surplus(request, plan) { return answerError(owner, .malformed, reason) }
    plan.begin(request, about: ShardID(shard), owner, at: self)
  }
  /// Why a request is refused that has a key which is of other words' commands: what it asks for is not what would be done.
  private func surplus(_ request: Request, _ plan: any OperationPlan.Type) -> String? {
    let taken = plan.keys(of: word(request, 0))
    let keys: [Key] = [.from, .to, .region, .dead, .at]
    guard let key = keys.first(where: { request.has($0) && !taken.contains($0) }) else { return nil }
    let rest = taken.map { " \($0.word)=" }.joined()
    return "\(word(request, 0)) takes no \(key.word)=, only\(rest) dry-run="
  }

  /// `CLUSTER NODE DRAIN N …`
  func clusterNode(_ request: Request, _ owner: EdgeItem.Owner) {
    let isReplacing = word(request, 0) == "REPLACE"
    guard request.positionalCount == 2 || request.positionalCount == 3 && isReplacing,
      let plan = Operation.Kind.ofNode(word(request, 0))
    else {
      return answerError(
        owner, .malformed,
        "CLUSTER NODE takes DRAIN, UNDRAIN, REMOVE or REPLACE, and a node's name or id; REPLACE another's behind it")
    }
    if let reason = surplus(request, plan) { return answerError(owner, .malformed, reason) }
    if isReplacing, (request.text(.to) != nil) == (request.positionalCount == 3) {
      return answerError(owner, .malformed, "by whom: CLUSTER NODE REPLACE OLD NEW, or OLD to=NEW")
    }
    switch node(named: String(decoding: request.positional(1), as: UTF8.self)) {
    case .success(let node): plan.begin(request, about: node, owner, at: self)
    case .failure(let refused): answerError(owner, refused.code, refused.text)
    }
  }

  /// `CLUSTER OP LIST`, `SHOW N`, `CANCEL N`: all of it is the directory's.
  func clusterOperation(_ request: Request, _ owner: EdgeItem.Owner) {
    let number = UInt64(word(request, 1))
    switch (word(request, 0), number) {
    case ("LIST", _) where request.positionalCount == 1:
      askDirectory(owner, .query) { buffer in
        DirectoryMachine.append(.listOperations, to: &buffer) {
          $0.append(UInt64(0))
          $0.append(UInt32(request.number(.limit) ?? Int64(OperationTable.overKept)))
          $0.append(request.text(.after).flatMap { UInt64(String(decoding: $0, as: UTF8.self)) } ?? 0)
        }
      }
    case ("SHOW", let number?):
      askDirectory(owner, .query) { buffer in
        DirectoryMachine.append(.listOperations, to: &buffer) {
          $0.append(number)
          $0.append(UInt32(1))
          $0.append(UInt64(0))
        }
      }
    case ("CANCEL", let number?):
      // Said twice it is the same.
      askDirectory(owner, .repeatable) { buffer in
        DirectoryMachine.append(.cancelOperation, to: &buffer) { $0.append(number) }
      }
    default: answerError(owner, .malformed, "CLUSTER OP takes LIST, SHOW N or CANCEL N")
    }
  }
  func word(_ request: Request, _ place: Int) -> String {
    place < request.positionalCount ? String(decoding: request.positional(place), as: UTF8.self).uppercased() : ""
  }
  func askDirectory(_ owner: EdgeItem.Owner, _ flags: EdgeItem.Flags, _ write: (inout ByteBuffer) -> Void) {
    let note = flags.contains(.query) ? nil : actingNote(owner)
    edge.stream(.directory).append(owner: owner, flags: flags, deadline: now.monotonic + requestTimeout) {
      append(note, to: &$0, write)
    }
  }

  /// The directory is asked to begin one: it answers with its record. What is under way already is the same, so that it may
  /// be asked again.
  func begin<Plan: OperationPlan>(_ plan: Plan, _ owner: EdgeItem.Owner) {
    var params = ByteBuffer(capacity: 64)
    plan.encode(into: &params)
    askDirectory(owner, .repeatable) { buffer in
      DirectoryMachine.append(.beginOperation, to: &buffer) { body in
        body.append(Plan.number)
        body.append(counted: "operator")
        body.append(counted: params.bytes)
      }
    }
  }

  /// One step of what would be done.
  struct PlanStep {
    var shard: ShardID
    var from: String
    var to: String
    /// What is copied; nil: not known yet.
    var bytes: UInt64?
  }
  func answerPlan(_ owner: EdgeItem.Owner, _ steps: [PlanStep]) {
    answer(owner) { reply in
      reply.array(count: steps.count)
      for (place, step) in steps.enumerated() {
        reply.record()
        reply.field(.step, Int64(place + 1))
        reply.field(.shard, Int64(step.shard.rawValue))
        reply.field(.from, step.from)
        reply.field(.to, step.to)
        reply.field(.bytes, step.bytes.map { "\($0)" } ?? "unknown")
      }
    }
  }

  /// By its name, or by its id, which no two nodes share.
  func node(named name: String) -> Result<NodeID, OperationTable.Refused> {
    let nodes = membership.topology?.nodes.filter { $0.state != .removed } ?? []
    let found = nodes.filter { $0.name == name }
    if found.count == 1 { return .success(found[0].id) }
    if let id = UInt64(name, radix: 16), nodes.contains(where: { $0.id.rawValue == id }) {
      return .success(NodeID(id))
    }
    guard found.isEmpty else {
      let ids = found.map { $0.id.hex }.joined(separator: " and ")
      return .failure(.init(code: .conflict, text: "two nodes bear the name \(name): say \(ids)"))
    }
    return .failure(.init(code: .notFound, text: "there is no node \(name)"))
  }
}
