import Base
import Ledger
import Protocol
import Vocabulary

/// `backup-restore`: a cluster that began with a backup proves to be what that was, then it takes requests. Under way as the
/// restored directory begins; the directory's leader has all shards audited (`RequestDesk.proveRestored`).
struct BackupProof: OperationPlan, Hashable {
  static let number: UInt16 = 51
  static let word = "backup-restore"
  static func keys(of word: String) -> [Key] { [] }

  init() {}
  func encode(into buffer: inout ByteBuffer) { buffer.appendEndOfFields() }
  init(decoding reader: inout ByteReader) throws(MalformedBytes) {
    try reader.readFields(of: "a restored cluster") { _, _ throws(MalformedBytes) in false }
  }

  func target(in topology: Topology?) -> String { "all shards" }
  func steps(in topology: Topology?) -> [String] { ["audit all shards and compare them with the backup"] }
  var holds: [ShardID] { [] }
  func refusal(in topology: Topology) -> String? { topology.restored == nil ? "nothing was restored" : nil }
  func next(_ view: OperationView) -> OperationAction {
    guard view.topology.restored != nil else { return .done("proved already") }
    let lost = view.topology.shards.map(\.shard).filter { shard in
      !view.leads.values.contains { $0.contains(shard) }
    }
    guard lost.isEmpty else {
      return .wait("shards \(lost.map { "\($0.rawValue)" }.joined(separator: ", ")) have no leader yet")
    }
    return .run(step: 0)
  }
  func conclude(_ topology: inout Topology) { topology.restored = nil }
  func mayBeCancelled(_ record: Operation) -> Bool { false }
}

extension RequestDesk {
  /// At the directory's leader, with each tick while what was restored has not proved to be the backup: has all shards audited, and
  /// the record say what came of it.
  func proveRestored() {
    guard membership.topology?.restored != nil, now.monotonic >= workflows.nextProof, proof != nil,
      let shards = membership.topology?.shards, shards.allSatisfy({ isServed($0.shard) })
    else { return }
    workflows.nextProof = now.monotonic + RequestDesk.proofInterval
    let number = workflows.beginAudit(EdgeItem.Owner(client: 0, generation: 0, slot: 0))
    workflows.proof = number
    askForProof(number)
  }
  /// All shards are asked what they are, by a read: an entry of the log forgets some of what is overdue by its time.
  func askForProof(_ number: UInt64) {
    guard let topology = membership.topology, let attempt = workflows.attemptAudit(number, of: topology.shards.count)
    else { return }
    for placement in topology.shards {
      let continuation = keep(.audit(number: number, shard: placement.shard, attempt: attempt))
      submitInternal(placement.shard, flags: .query, continuation: continuation) { buffer in
        Command.appendMarker(to: &buffer, slot: placement.slots.first ?? Slot(0))
      }
    }
  }
  private static let proofInterval: UInt64 = 5_000_000
  /// The operation that waits for it, if this node leads the directory.
  private var proof: Operation? {
    guard let replica = replicas[.directory], replica.hasTakenOver, let directory = replica.machine as? DirectoryMachine
    else { return nil }
    return directory.operations.open.first { $0.kind == BackupProof.kind }
  }

  /// - Parameter records: of all shards; nil: some did not report.
  func proofCame(_ records: [[UInt8]]?) {
    workflows.proof = nil
    guard let records, let proof, let restored = membership.topology?.restored else { return }
    var found = BackupFigures()
    for record in records {
      record.withUnsafeBytes { found.add(BackupFigures(audited: RecordView($0))) }
    }
    let wanted = restored.figures
    let isSame =
      found.digest == wanted.digest && found.members == wanted.members && found.transactions == wanted.transactions
      && found.sum == 0
    let change = OperationChange(
      proof, isSame ? .done : .failed, step: 1,
      isSame
        ? "digest=\(wanted.digestText) members=\(wanted.members) transactions=\(wanted.transactions) cut=\(restored.cut.microseconds / 1000)"
        : "all shards together have the digest \(found.digestText), and the backup \(wanted.digestText): nothing is taken; begin"
          + " again in empty directories")
    submitInternal(.directory, flags: .repeatable) { buffer in
      DirectoryMachine.append(.advanceOperation, to: &buffer) { change.encode(into: &$0) }
    }
  }
}

extension BackupFigures {
  /// Of a shard's record of an audit.
  init(audited record: RecordView) {
    members = UInt64(clamping: record.number(.members) ?? 0)
    transactions = UInt64(clamping: record.number(.transactions) ?? 0)
    sum = UInt64(clamping: record.number(.sum) ?? 1)
    let text = record.text(.digest).map { String(decoding: $0, as: UTF8.self) } ?? ""
    digest = (UInt64(text.prefix(16), radix: 16) ?? 0, UInt64(text.suffix(16), radix: 16) ?? 0)
  }
}
