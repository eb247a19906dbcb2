import Base
import Ledger

/// A `SIMULATE` or `EXPLAIN EARN` that its member's shard cannot answer before it knows what other shards have drawn of budgets: its own leases
/// are short. All are asked at one stamp, as for `QUOTA SHOW`; then the question goes out again, and carries what they said.
struct BudgetQuestion {
  var owner: EdgeItem.Owner
  var flags: EdgeItem.Flags
  /// As it was sent.
  var command: [UInt8]
  /// As the shard told them.
  var periods: [UInt8]
  /// Of a local read, how old the answer is; nil: it is none.
  var asof: Stamp?
}

extension RequestDesk {
  func budgetsWanted(_ stream: EdgeStream, _ sequence: UInt64, _ reply: Bytes) {
    let command = stream.command(of: sequence)
    guard let item = stream.complete(sequence) else { return }
    ask(
      BudgetQuestion(owner: item.owner, flags: item.flags, command: command, periods: Array(reply.dropFirst())))
  }
  func ask(_ question: BudgetQuestion) {
    guard let header = question.command.withUnsafeBytes({ try? CommandHeader(of: $0) }) else {
      return budgetsUnknown(question)
    }
    ask(.drawn(header.context.tenant, periods: question.periods), .budgets(question), question.owner)
  }
  func budgetsKnown(_ question: BudgetQuestion, _ records: [[UInt8]]) {
    let parts = records.map { record in
      record.withUnsafeBytes { bytes in RecordView(bytes).text(.detail).map { Array($0) } ?? [] }
    }
    let carrying = question.periods.withUnsafeBytes { periods in
      question.command.withUnsafeBytes { command in
        Command.carrying(drawn: parts, of: periods, command)
      }
    }
    guard let carrying, let slot = carrying.withUnsafeBytes({ try? CommandHeader(of: $0) })?.slot else {
      return budgetsUnknown(question)
    }
    let stream = edge.stream(of: slot)
    guard let asof = question.asof else {
      return stream.append(owner: question.owner, flags: question.flags, deadline: now.monotonic + requestTimeout) {
        $0.append(carrying)
      }
    }
    submitInternal(stream.shard, flags: .query, continuation: keep(.localRead(question.owner, asof: asof))) {
      $0.append(carrying)
    }
  }
  func budgetsUnknown(_ question: BudgetQuestion) {
    let text = "a shard did not say what it has drawn of the budget, and no part is an answer; ask again"
    guard question.flags.contains(.continuation) else { return answerError(question.owner, .unavailable, text) }
    var writer = ReplyWriter(capacity: 256)
    writer.error(.unavailable, text)
    resume(question.owner.slot, writer.buffer.bytes)
  }
}
