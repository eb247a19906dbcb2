import Base
import Ledger
import Protocol
import Vocabulary

/// A job that shards are told of, one time each. It has begun once all have it.
struct JobUnderWay {
  var owner: EdgeItem.Owner
  var tenant: TenantID
  var program: [UInt8]
  var until: Int64
  var reason: [UInt8]
  var id: [UInt8]
  /// Those that have yet to answer.
  var waiting = 0
  /// The sum of the shards' epochs as they were told.
  var map: UInt64 = 0
  var attempts = 0
  /// The first error.
  var refusal: [UInt8]?

  static let mostAttempts = 5
}

extension RequestDesk {
  /// `EXTEND ALL`: each shard logs that it has begun, and does its part with ticks.
  func startExtension(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    let number = workflows.number()
    workflows.jobs[number] = JobUnderWay(
      owner: owner, tenant: client.session.tenant, program: request.text(.program).map { Array($0) } ?? [],
      until: request.number(.until) ?? 0, reason: request.text(.reason).map { Array($0) } ?? [],
      id: request.text(.id).map { Array($0) } ?? [])
    tellShards(number)
  }
  private func tellShards(_ number: UInt64) {
    guard var job = workflows.jobs[number], let topology = membership.topology else { return }
    job.attempts += 1
    job.waiting = topology.shards.count
    job.map = mapNumber
    workflows.jobs[number] = job
    for placement in topology.shards {
      submitInternal(placement.shard, flags: .repeatable, continuation: keep(.jobBegan(number: number))) { buffer in
        job.program.withUnsafeBytes { program in
          job.reason.withUnsafeBytes { reason in
            job.id.withUnsafeBytes { id in
              Command.appendJob(
                to: &buffer, slot: placement.slots.first ?? Slot(0), tenant: job.tenant, program: program,
                until: job.until, reason: reason, id: id)
            }
          }
        }
      }
    }
  }
  func jobBegan(_ number: UInt64, _ reply: Bytes) {
    guard var job = workflows.jobs[number] else { return }
    job.waiting -= 1
    if RecordView(reply).tag != .ok, job.refusal == nil { job.refusal = Array(reply) }
    workflows.jobs[number] = job
    guard job.waiting == 0 else { return }
    // A shard that came meanwhile has yet to be told; to be told twice is harmless.
    if job.refusal == nil, job.map != mapNumber, job.attempts < JobUnderWay.mostAttempts { return tellShards(number) }
    workflows.jobs[number] = nil
    if let refusal = job.refusal { return refusal.withUnsafeBytes { answer(job.owner, $0) } }
    guard job.map == mapNumber else {
      return answerError(job.owner, .unknown, "shards are split or merged just now: repeat it with the same id")
    }
    answer(job.owner) { reply in
      reply.record()
      reply.field(named: "job", job.id)
    }
  }

  func showJob(_ request: Request, _ owner: EdgeItem.Owner) {
    guard let client = client(of: owner) else { return }
    let id = Array(request.positional(0))
    ask(.job(client.session.tenant, id: id), .job(id: id), owner)
  }
  func answerJob(_ owner: EdgeItem.Owner, _ id: [UInt8], _ records: [[UInt8]]) {
    var (known, running, done, total) = (0, 0, Int64(0), Int64(0))
    for record in records {
      record.withUnsafeBytes { bytes in
        let view = RecordView(bytes)
        guard let part = view.number(.done) else { return }
        known += 1
        done += part
        total += view.number(.steps) ?? 0
        running += view.number(.up) == 1 ? 1 : 0
      }
    }
    guard known > 0 else {
      return answerError(owner, .notFound, "no such job '\(String(decoding: id, as: UTF8.self))'")
    }
    answer(owner) { reply in
      reply.record()
      reply.field(named: "job", id)
      reply.field(.state, running > 0 || known < records.count ? "running" : "done")
      reply.field(.done, done)
      reply.field(named: "total", total)
    }
  }
}

extension ReplyWriter {
  fileprivate mutating func field(named name: String, _ value: [UInt8]) {
    value.withUnsafeBytes { field(named: name, $0) }
  }
}
