import Base
import Foundation
import Replies
import System

/// Posts a file row by row, each under an id that stays the same: so it may be broken off and begun again, and each row counts
/// once. It goes on behind what a file beside says that was answered.
final class Import {
  struct Options {
    var endpoints: [Endpoint] = []
    /// Who posts; nil: nobody signs in.
    var credentials: Credentials?
    var clientCount = 24
    var pipelineDepth = 64
    var patience = 120.0
    var isTrial = false
    var isQuiet = false
  }
  /// How far it has come.
  struct State: Equatable {
    var offset = 0
    var line = 1
    var accepted = 0
    var refused = 0
    /// Bytes of the file of refused rows that are whole.
    var refusedBytes = 0

    func text(kind: String, digest: String) -> String {
      "kind=\(kind) digest=\(digest) offset=\(offset) line=\(line) accepted=\(accepted) refused=\(refused)"
        + " refused-bytes=\(refusedBytes)"
    }
    /// Nil: it is of another file or kind.
    init?(_ text: String, kind: String, digest: String) {
      guard let record = Record(text), record["kind"] == kind, record["digest"] == digest,
        let numbers = Optional(["offset", "line", "accepted", "refused", "refused-bytes"].map { record.integer($0) }),
        numbers.allSatisfy({ $0.map { $0 >= 0 } ?? false })
      else { return nil }
      let whole = numbers.map { Int($0 ?? 0) }
      (offset, line, accepted, refused, refusedBytes) = (whole[0], whole[1], whole[2], whole[3], whole[4])
    }
    init() {}
  }
  struct Summary {
    var state = State()
    var resumedAt = 0
    var seconds = 0.0
    var rows = 0
    var perSecond: Double { seconds > 0 ? Double(rows) / seconds : 0 }
  }
  /// Rows that are under way at once; what they came to is kept then.
  private static let rowsAtOnce = 50_000

  let file: InputFile
  let options: Options
  private var plan: ImportPlan
  private let header: [String]
  private let bodyOffset: Int
  private let bodyLine: Int

  init(
    _ kind: ImportPlan.Kind, path: String, ignored: [String], with: String, _ options: Options
  ) throws(ClientError) {
    file = try InputFile(path)
    self.options = options
    var reader = CSVReader(read: file.read)
    guard let first = try reader.next() else { throw .local("\(path): empty") }
    if let fault = first.fault { throw .local("\(path): line 1: \(fault)") }
    header = first.fields
    plan = try ImportPlan(kind, header: header, ignored: ignored, with: with)
    (bodyOffset, bodyLine) = (reader.offset, reader.line)
  }
  var refusedPath: String { file.path + ".refused.csv" }
  var statePath: String { file.path + ".import" }

  func run() throws(ClientError) -> Summary {
    let digest = try self.digest()
    plan.digest = String(digest.prefix(16))
    var summary = Summary()
    let kept = KeptText(path: statePath)
    if !options.isTrial, let text = try kept.read(), let state = State(text, kind: plan.kind.word, digest: digest) {
      summary.state = state
      summary.resumedAt = state.line
    } else {
      (summary.state.offset, summary.state.line) = (bodyOffset, bodyLine)
    }
    let refused = try RefusedRows(
      options.isTrial ? refusedPath + ".dry-run" : refusedPath, header: header, keep: summary.state.refusedBytes)
    file.seek(to: summary.state.offset)
    var reader = CSVReader(at: summary.state.offset, line: summary.state.line, read: file.read)
    let bar = Bar(plan.kind.word, bytes: file.byteCount, isQuiet: options.isQuiet)
    let courier = options.isTrial ? nil : try makeCourier()
    let start = Clock.monotonicNanoseconds()
    while true {
      let rows = try ImportRows(&reader, atMost: Import.rowsAtOnce)
      if rows.isEmpty { break }
      let outcome =
        try courier.map { courier throws(ClientError) in try post(rows, courier, bar, summary) } ?? judge(rows)
      for (place, reason) in outcome.sorted(by: { $0.key < $1.key }) { refused.add(rows.all[place], reason) }
      summary.rows += rows.all.count
      summary.state.refused += outcome.count
      summary.state.accepted += rows.all.count - outcome.count
      (summary.state.offset, summary.state.line) = (reader.offset, reader.line)
      summary.state.refusedBytes = try refused.flush()
      if !options.isTrial { try kept.write(summary.state.text(kind: plan.kind.word, digest: digest)) }
      bar.update(reader.offset, rows: summary.rows, refused: summary.state.refused)
      reader.trim()
    }
    summary.seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
    bar.finish(rows: summary.rows, refused: summary.state.refused)
    kept.remove()
    if summary.state.refused == 0 { refused.remove() }
    return summary
  }
  private func makeCourier() throws(ClientError) -> Courier {
    try Courier(
      Courier.Options(
        endpoints: options.endpoints, credentials: options.credentials, clientCount: options.clientCount,
        pipelineDepth: options.pipelineDepth, patience: options.patience))
  }
  private func digest() throws(ClientError) -> String {
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    file.seek(to: 0)
    while true {
      var count = 0
      var failure: ClientError?
      buffer.withUnsafeMutableBytes { bytes in
        do throws(ClientError) { count = try file.read(into: bytes) } catch { failure = error }
      }
      if let failure { throw failure }
      guard count > 0 else { break }
      buffer.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
    return hash.finish().hex
  }

  /// - Returns: by their places, the rows that were refused, and why.
  private func post(
    _ rows: ImportRows, _ courier: Courier, _ bar: Bar, _ summary: Summary
  ) throws(ClientError) -> [Int: String] {
    var reasons: [Int: String] = [:]
    var sent: [Int] = []
    for (place, row) in rows.all.enumerated() {
      if let fault = plan.fault(of: row) { reasons[place] = fault } else { sent.append(place) }
    }
    // Rows are not posted in the file's order: who refers to a later row is taken once that was posted. Nothing is kept of such a refusal.
    // The other way round, for where each refers to the next.
    var open = sent
    while !open.isEmpty {
      try deliver(open, of: rows, by: courier, bar, summary, &reasons)
      let early = open.filter { reasons[$0].map(plan.mayComeLater) ?? false }
      if early.count == open.count { break }
      open = early.reversed()
    }
    // Who is signed out is refused every row, and no row is at fault: these are posted again once that is mended.
    if let signedOut = reasons.values.first(where: { $0.hasPrefix("NOAUTH ") }) {
      throw .refused(
        code: "NOAUTH",
        text: "\(signedOut.dropFirst(7)) Sign in by --user and --secret-file; said again it goes on there")
    }
    return reasons
  }
  /// Posts some rows. What was said of them before holds no more.
  private func deliver(
    _ sent: [Int], of rows: ImportRows, by courier: Courier, _ bar: Bar, _ summary: Summary,
    _ reasons: inout [Int: String]
  ) throws(ClientError) {
    for place in sent { reasons[place] = nil }
    var (line, said) = ("", reasons)
    let plan = plan
    let isAgain = sent.count < rows.all.count - reasons.count
    try courier.deliver(
      count: sent.count,
      write: { job, output in
        line.removeAll(keepingCapacity: true)
        plan.append(rows.all[sent[job]], to: &line)
        output.append(utf8: line)
        output.append(utf8: "\r\n")
      },
      answered: { job, kind, text in
        guard kind == UInt8(ascii: "-") else { return }
        said[sent[job]] = String(decoding: text, as: UTF8.self)
      },
      progress: { done in
        let count = isAgain ? rows.all.count : done
        bar.update(rows.offset(after: count), rows: summary.rows + count, refused: summary.state.refused + said.count)
      })
    reasons = said
  }
  private func judge(_ rows: ImportRows) -> [Int: String] {
    var reasons: [Int: String] = [:]
    for (place, row) in rows.all.enumerated() { reasons[place] = plan.deepFault(of: row) }
    return reasons
  }

  /// A bar by bytes of the file, with the rate of rows.
  private final class Bar {
    private let progress: Progress
    private let bytes: Int
    private let start = Clock.monotonicNanoseconds()

    init(_ title: String, bytes: Int, isQuiet: Bool) {
      progress = Progress(title, total: bytes, isQuiet: isQuiet)
      self.bytes = bytes
    }
    func update(_ offset: Int, rows: Int, refused: Int) {
      progress.update(percent: bytes > 0 ? offset * 100 / bytes : 100, facts(rows, refused))
    }
    func finish(rows: Int, refused: Int) { progress.finish(percent: 100, facts(rows, refused)) }
    private func facts(_ rows: Int, _ refused: Int) -> [String] {
      let seconds = Double(Clock.monotonicNanoseconds() - start) / 1e9
      return [
        "\(Format.grouped(Int(Double(rows) / max(seconds, 0.001))))/s", "\(Format.grouped(rows)) lines",
        refused > 0 ? "\(Format.grouped(refused)) refused" : "",
      ]
    }
  }
}

/// Some rows of a file.
struct ImportRows {
  private(set) var all: [CSVReader.Row] = []
  private var end = 0
  var isEmpty: Bool { all.isEmpty }

  init(_ reader: inout CSVReader, atMost most: Int) throws(ClientError) {
    all.reserveCapacity(most)
    while all.count < most, let row = try reader.next() {
      // A line without anything is none.
      if row.fields != [""] { all.append(row) }
    }
    end = reader.offset
  }
  func offset(after count: Int) -> Int { count < all.count ? all[count].offset : end }
}

/// The file of rows that were refused: each with its line and the reason before its own fields.
final class RefusedRows {
  private let path: String
  private let descriptor: Int32
  private var text = ""
  private var byteCount: Int

  /// - Parameter keep: bytes of it that count.
  init(_ path: String, header: [String], keep: Int) throws(ClientError) {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0, ftruncate(descriptor, off_t(keep)) == 0 else {
      throw .local("\(path): \(SystemError.text(of: errno))")
    }
    byteCount = keep
    lseek(descriptor, off_t(keep), SEEK_SET)
    if keep == 0 { text = CSV.line(["line", "reason"] + header) }
  }
  deinit { close(descriptor) }

  func add(_ row: CSVReader.Row, _ reason: String) { text += CSV.line(["\(row.line)", reason] + row.fields) }
  /// - Returns: how many bytes it has. They are durable.
  func flush() throws(ClientError) -> Int {
    let bytes = Array(text.utf8)
    text = ""
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done) }
      guard count > 0 else { throw .local("\(path): \(SystemError.text(of: errno))") }
      done += count
    }
    byteCount += done
    guard fsync(descriptor) == 0 else { throw .local("\(path): \(SystemError.text(of: errno))") }
    return byteCount
  }
  func remove() { unlink(path) }
}
