import Base
import Vocabulary

/// Whom a query went on for from a member's slot to that of the pool: the member's id, and behind a 0, which no id has, what the member's slot
/// has said already.
struct Behalf {
  typealias Bytes = UnsafeRawBufferPointer
  var member: Bytes
  /// Nil: nothing: by semantics before `service`.
  var said: Bytes?

  init(_ bytes: Bytes) {
    let end = bytes.firstIndex(of: 0)
    member = Bytes(rebasing: bytes[..<(end ?? bytes.count)])
    said = end.map { Bytes(rebasing: bytes[($0 + 1)...]) }
  }
  static func bytes(member: Bytes, said: [UInt8]?) -> [UInt8] { Array(member) + (said.map { [0] + $0 } ?? []) }

  /// Where the member stands in a program's tiers, for `BALANCE`.
  struct Standing {
    var program: ProgramRef
    var tier: Bytes
    var qualifying: Int64
  }
  /// Nil: the program has no tiers, or the member's slot knew none.
  func standing(_ program: ProgramRef) -> Standing? {
    guard let said else { return nil }
    var reader = ByteReader(said)
    while !reader.isAtEnd {
      guard let raw: Int32 = try? reader.read(), let qualifying = try? reader.readZigzag(),
        let tier = try? reader.readCounted()
      else { return nil }
      let known = ProgramRef(rawValue: raw)
      if known == program { return Standing(program: known, tier: tier, qualifying: qualifying) }
    }
    return nil
  }

  /// What a purchase or an event would be, for `SIMULATE` and `EXPLAIN EARN`: the pool's slot says when its points end, and the balance.
  struct Question {
    var program: ProgramRef
    var merchant: MerchantRef
    var points: Points
    /// Zero: now.
    var effective: Stamp
    /// With all steps, and the tier that would be reached.
    var detail: EarningDetail
    /// With the tier's gift.
    var qualifying: PoolQualifying

    var bytes: [UInt8] {
      var buffer = ByteBuffer(capacity: 256)
      buffer.append(program.rawValue)
      buffer.append(merchant.rawValue)
      buffer.append(zigzag: points.rawValue)
      buffer.append(effective.microseconds)
      qualifying.encode(into: &buffer)
      buffer.append(counted: detail.encoded)
      return buffer.array
    }
  }
  /// What the member's slot asks. Throws if it cannot be read, or is of a program that is not known here yet.
  func question(_ catalogue: borrowing Catalogue) throws(Stop) -> Question {
    guard let said, let question = try? Question(said), catalogue.has(question.program),
      question.merchant.isNone || catalogue.has(question.merchant)
    else { throw .refused(Refusal(.unavailable, "the pool's shard does not know the program yet; nothing was done")) }
    return question
  }
}

extension Behalf.Question {
  fileprivate init(_ bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    program = ProgramRef(rawValue: try reader.read())
    merchant = MerchantRef(rawValue: try reader.read())
    points = Points(try reader.readZigzag())
    effective = Stamp(microseconds: try reader.read())
    qualifying = try PoolQualifying(&reader)
    detail = try EarningDetail(decoding: try reader.readCounted())
    try reader.finish()
    guard points >= 0, points <= Ledger.largestAmount, effective >= .zero, effective < CivilTime.latest else {
      throw MalformedBytes("a question that cannot be")
    }
  }
}
