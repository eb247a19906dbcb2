import Base
import Ledger

/// Operations as the directory's log changes them, and as they are told.
extension DirectoryMachine {
  /// `kind:u16 by:counted params:counted`
  func applyBeginning(_ reader: inout ByteReader, _ reply: inout ReplyWriter) throws(MalformedBytes) {
    guard let kind = Operation.Kind(number: try reader.read()) else {
      throw MalformedBytes("an operation of an unknown kind")
    }
    let by = try reader.readString()
    let params = Array(try reader.readCounted())
    guard let topology else { throw MalformedBytes("there is no cluster") }
    do throws(OperationTable.Refused) {
      let before = operations.newest
      let operation = try operations.begin(kind, params, by: by, at: lastStamp, in: topology)
      if operations.newest > before {
        for failed in operations.failOthers(for: operation, at: lastStamp) {
          change { failed.plan?.abandon(failed, &$0) }
        }
        change {
          $0.give(operation.heir)
          operation.plan?.commence(operation, &$0)
        }
      }
      tell(operation, &reply)
    } catch {
      reply.error(error.code, error.text)
    }
  }
  func applyAdvance(_ reader: inout ByteReader) throws(MalformedBytes) {
    let change = try OperationChange(decoding: &reader)
    guard let operation = operations.advance(change, at: lastStamp) else { return }
    switch operation.state {
    case .done: self.change { operation.plan?.conclude(&$0) }
    case .failed: self.change { operation.plan?.abandon(operation, &$0) }
    case .cancelled: giveUp(operation)
    default: break
    }
  }
  func change(_ body: (inout Topology) -> Void) {
    guard var changed = topology else { return }
    body(&changed)
    guard changed != topology else { return }
    changed.version += 1
    replace(topology: changed)
  }
  /// What it has begun and can be given up is given up with it; the rest completes.
  private func giveUp(_ operation: Operation) {
    for child in operations.open where child.by == operation.name {
      _ = operations.cancel(child.number, at: lastStamp)
    }
    change { operation.plan?.abandon(operation, &$0) }
  }
  func applyCancel(_ reader: inout ByteReader, _ reply: inout ReplyWriter) throws(MalformedBytes) {
    let number: UInt64 = try reader.read()
    let wasOpen = operations.find(number)?.state.isOver == false
    guard let operation = operations.cancel(number, at: lastStamp) else {
      return reply.error(.notFound, "there is no operation \(number)")
    }
    if wasOpen, operation.state == .cancelled { giveUp(operation) }
    guard operation.state == .cancelled else {
      let text =
        operation.state.isOver
        ? "is \(DirectoryMachine.word(of: operation.state)) already"
        : "has begun its last step, which completes (tally op wait \(number))"
      return reply.error(.conflict, "operation \(number) \(text); nothing was done")
    }
    tell(operation, &reply)
  }

  /// `number:u64 limit:u32 before:u64`; number 0: a list, the newest first.
  func listOperations(_ reader: inout ByteReader, _ reply: inout ReplyWriter) throws(MalformedBytes) {
    let number: UInt64 = try reader.read()
    let limit = Int(try reader.read(UInt32.self))
    let before: UInt64 = try reader.read()
    guard number == 0 else {
      guard let operation = operations.find(number) else {
        return reply.error(.notFound, "there is no operation \(number), or it was over long ago")
      }
      return tell(operation, &reply)
    }
    let found = operations.newest(min(limit, OperationTable.overKept), before: before)
    reply.array(count: found.count)
    for operation in found { tell(operation, &reply) }
  }

  static func word(of state: Operation.State) -> String { String(describing: state) }

  private func tell(_ operation: Operation, _ reply: inout ReplyWriter) {
    let plan = operation.plan
    let steps = plan?.steps(in: topology) ?? []
    let done = operation.state == .done ? steps.count : min(Int(operation.step), max(0, steps.count - 1))
    let hasTrouble = operation.state == .failed || operation.state == .waiting
    reply.record()
    reply.field(.op, Int64(bitPattern: operation.number))
    reply.field(.kind, operation.kind.plan?.word ?? "unknown")
    reply.field(.target, plan?.target(in: topology) ?? "unknown")
    reply.field(.state, DirectoryMachine.word(of: operation.state))
    reply.field(.steps, Int64(steps.count))
    reply.field(.done, Int64(done))
    reply.field(.current, operation.state.isOver || done >= steps.count ? "none" : steps[done])
    let progress = operation.state.isOver ? nil : progress[operation.number]
    reply.field(.percent, Int64(operation.state == .done ? 100 : progress?.percent ?? done * 100 / max(1, steps.count)))
    reply.field(.bytes, progress.map { "\($0.bytes)" } ?? "unknown")
    reply.field(.etaSeconds, operation.state.isOver ? "0" : progress?.left.map { "\($0)" } ?? "unknown")
    reply.field(.error, hasTrouble ? operation.text : "none")
    reply.field(.started, operation.started)
    reply.field(.by, operation.by)
    reply.field(.detail, hasTrouble || operation.text.isEmpty ? "none" : operation.text)
  }
}
