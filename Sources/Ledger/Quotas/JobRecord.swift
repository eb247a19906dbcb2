import Base
import Vocabulary

/// A job over all members, as far as this shard has it: `EXTEND ALL`. To do it to a member again changes nothing, so the shard may look at a
/// member twice: at those that come from another shard it does, and those that go there have been looked at.
struct JobRecord: StateRecord, ReusedRecord {
  /// When it began; zero: the place is free.
  var began = Stamp.zero
  /// The moment to which points are to live.
  var until = Stamp.zero
  /// Of what was asked for.
  var fingerprint: UInt64 = 0
  /// Members looked at, by their places.
  var done: UInt64 = 0
  var next = Ref<JobRecord>.none
  var program = ProgramRef.none
  var tenant = TenantID(0)
  var state: UInt32 = running
  /// Its id and the reason, counted, in chunks.
  var firstChunk = Ref<FileChunk>.none
  var byteCount: UInt32 = 0

  static let running: UInt32 = 1
  static let over: UInt32 = 2
  /// A shard knows so many, and each for so long after it began.
  static let most = 1_000
  static let keptDays: Int64 = 30

  static var tag: TableTag { TableTag(65, "jobs", since: Semantics.programme) }
  static var belonging: Belonging { .shard }
  static var free: JobRecord { JobRecord() }
  static func forEach(in ledger: borrowing Ledger, _ body: (UnsafePointer<JobRecord>) -> Void) {
    ledger.tables.quotas.jobs.forEach { if $1.pointee.began != .zero { body($1) } }
  }
  static func addDigest(of job: UnsafePointer<JobRecord>, in ledger: borrowing Ledger, to sum: inout DigestSum) {
    let key = DigestSum.mix(job.pointee.fingerprint, job.pointee.began.bits)
    sum.add(key, DigestField.campaign, Int64(bitPattern: job.pointee.done << 2 | UInt64(job.pointee.state)))
  }
}

extension Command {
  /// `EXTEND ALL`, for one shard's log.
  public static func appendJob(
    to buffer: inout ByteBuffer, slot: Slot, tenant: TenantID, program: Bytes, until: Int64, reason: Bytes, id: Bytes
  ) {
    let start = begin(&buffer, .jobStart, slot, tenant: tenant)
    buffer.append(counted: program)
    buffer.append(zigzag: until)
    buffer.append(counted: reason)
    buffer.append(counted: id)
    end(&buffer, start)
  }
}

extension Ledger {
  private func text(of job: JobRecord) -> (id: [UInt8], reason: [UInt8]) {
    bytes(ofChunks: job.firstChunk, count: Int(job.byteCount)).withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      let id = (try? reader.readCounted()).map { Array($0) } ?? []
      return (id, (try? reader.readCounted()).map { Array($0) } ?? [])
    }
  }
  func findJob(_ id: [UInt8], _ tenant: TenantID) -> Ref<JobRecord>? {
    var found: Ref<JobRecord>?
    tables.quotas.jobs.forEach { ref, job in
      if job.pointee.began != .zero, job.pointee.tenant == tenant, text(of: job.pointee).id == id { found = ref }
    }
    return found
  }
  private mutating func change(_ job: Ref<JobRecord>, _ body: (inout JobRecord) -> Void) {
    count(tables.quotas.jobs.read(job), -1)
    body(&tables.quotas.jobs.write(job).pointee)
    count(tables.quotas.jobs.read(job), 1)
  }

  /// Begins a job, once.
  mutating func startJob(
    _ call: Call, _ reader: inout ByteReader, _ reply: inout ReplyWriter
  ) throws(MalformedBytes) -> Outcome {
    let program = try reader.readCounted()
    let said = try reader.readZigzag()
    let reason = try reader.readCounted()
    let id = try reader.readCounted()
    try reader.finish()
    guard id.isIdentifier, reason.isIdentifier else { throw MalformedBytes("a job with a bad text") }
    let refusal = startJob(call, program, said, reason, id)
    if let refusal { refusal.write(into: &reply) } else { reply.ok() }
    return .replied
  }
  private mutating func startJob(
    _ call: Call, _ name: Bytes, _ said: Int64, _ reason: Bytes, _ id: Bytes
  ) -> Refusal? {
    guard core.semantics >= Semantics.programme else {
      return Refusal(.unavailable, "not every node knows jobs yet; nothing was done")
    }
    let fingerprint = xxh64(call.body)
    if let known = findJob(Array(id), call.tenant) {
      let isSame = tables.quotas.jobs.read(known).pointee.fingerprint == fingerprint
      return isSame ? nil : Refusal(.conflict, "the request id was used for another job")
    }
    guard
      let program = name.isEmpty
        ? catalogue.defaultProgram(of: call.tenant) : catalogue.program(name, tenant: call.tenant)
    else { return .notFound("program", name) }
    let until = Entries.moment(said, zone: catalogue.programRows[program.place].offset)
    guard until > now, until < CivilTime.latest else { return .limit("until", "until= must be a moment to come") }
    forgetJobs()
    var jobs = 0
    JobRecord.forEach(in: self) { _ in jobs += 1 }
    guard jobs < JobRecord.most else { return .limit("jobs", "there were \(jobs) in the last days, which is the most") }
    var text = ByteBuffer(capacity: 128)
    text.append(counted: id)
    text.append(counted: reason)
    var job = JobRecord()
    (job.began, job.until, job.fingerprint) = (now, until, fingerprint)
    (job.program, job.tenant) = (program, call.tenant)
    (job.firstChunk, job.byteCount) = (addChunks(text.array), UInt32(text.count))
    count(tables.quotas.jobs.read(tables.quotas.jobs.add(job)), 1)
    core.openJobs += 1
    return nil
  }
  private mutating func forgetJobs() {
    let horizon = now.microseconds - JobRecord.keptDays * CivilTime.microsecondsPerDay
    for place in 0..<tables.quotas.jobs.count {
      let ref = Ref<JobRecord>(place: place)
      let job = tables.quotas.jobs.read(ref).pointee
      guard job.began != .zero, job.state == JobRecord.over, job.began.microseconds < horizon else { continue }
      count(tables.quotas.jobs.read(ref), -1)
      dropChunks(from: job.firstChunk)
      tables.quotas.jobs.remove(ref)
    }
  }

  /// Looks at some more members for each job, as long as there is work.
  mutating func runJobs(_ work: inout Int) {
    for place in 0..<tables.quotas.jobs.count {
      let ref = Ref<JobRecord>(place: place)
      let job = tables.quotas.jobs.read(ref).pointee
      guard job.began != .zero, job.state == JobRecord.running else { continue }
      let words = text(of: job)
      var done = job.done
      while work > 0, done < UInt64(tables.members.count) {
        work -= 1 + 8 * extend(Ref(place: Int(done)), job, words)
        done += 1
      }
      let isOver = done >= UInt64(tables.members.count)
      guard done != job.done || isOver else { return }
      change(ref) {
        $0.done = done
        if isOver { $0.state = JobRecord.over }
      }
      if isOver { core.openJobs = max(1, core.openJobs) - 1 }
    }
  }
  /// Returns how many lots were moved.
  private mutating func extend(
    _ member: Ref<MemberRecord>, _ job: JobRecord, _ words: (id: [UInt8], reason: [UInt8])
  ) -> Int {
    let record = tables.members.read(member)
    guard record.pointee.isUsed, record.pointee.tenant == job.tenant, job.until > now,
      record.pointee.state != MemberState.closed.rawValue, account(record, job.program) != nil,
      let holder = holder(member, job.program, create: false)
    else { return 0 }
    touch(holder)
    let moved = extendLots(holder, until: job.until)
    guard moved.lots > 0 else { return 0 }
    words.id.withUnsafeBytes { id in
      words.reason.withUnsafeBytes { _ = bookExtension(holder, moved.points, job.until, reason: $0, request: id) }
    }
    return moved.lots
  }
  /// Members of these go to another shard: what jobs do to them is done now.
  mutating func finishJobs(ofMembers members: [Ref<MemberRecord>]) {
    guard core.openJobs > 0 else { return }
    for place in 0..<tables.quotas.jobs.count {
      let job = tables.quotas.jobs.read(Ref(place: place)).pointee
      guard job.began != .zero, job.state == JobRecord.running else { continue }
      let words = text(of: job)
      for member in members { _ = extend(member, job, words) }
    }
  }
  /// Members have come, from a shard that may not have heard of a job yet: all are looked at again.
  mutating func restartJobs() {
    for place in 0..<tables.quotas.jobs.count {
      let ref = Ref<JobRecord>(place: place)
      let job = tables.quotas.jobs.read(ref).pointee
      guard job.began != .zero, job.until > now else { continue }
      if job.state == JobRecord.over { core.openJobs += 1 }
      change(ref) { ($0.done, $0.state) = (0, JobRecord.running) }
    }
  }
}
