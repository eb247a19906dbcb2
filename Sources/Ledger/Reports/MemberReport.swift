import Base
import Vocabulary

/// By what a report of members is divided.
public enum MemberKey: UInt8, CaseIterable, Sendable {
  case none = 0
  case holderClass = 1
  case tier = 2
  case region = 3
  /// Of joining, in the program's zone.
  case day = 4
  case month = 5
}

/// What a report says of some members.
public struct MemberFigures: Hashable, Sendable {
  /// In the time that is asked about.
  public var joined: Int64 = 0
  public var active: Int64 = 0
  /// For the time being, or while they are merged.
  public var frozen: Int64 = 0
  public var closed: Int64 = 0
  public var total: Int64 { active + frozen + closed }

  public init() {}
  public static func += (sum: inout MemberFigures, more: MemberFigures) {
    sum.joined += more.joined
    sum.active += more.active
    sum.frozen += more.frozen
    sum.closed += more.closed
  }
  public func write(into reply: inout ReplyWriter) {
    for (name, value) in [
      ("joined", joined), ("active", active), ("frozen", frozen), ("closed", closed), ("total", total),
    ] {
      reply.field(named: name, value)
    }
  }
}

/// What is asked of a shard for a report of members: how many it has, from a place on.
public struct MemberReport: Hashable, Sendable {
  /// Counted from 0.
  public var place: Int
  public var key: MemberKey
  /// Whose tiers and days are meant. Empty: the tenant's default.
  public var program: [UInt8]
  /// Numbers of `Shape.dateOrMoment`, in the program's zone: who joined in that time.
  public var from: Int64?
  public var until: Int64?

  public init(from place: Int, by key: MemberKey, program: [UInt8], joinedFrom first: Int64?, until last: Int64?) {
    (self.place, self.key, self.program, from, until) = (place, key, program, first, last)
  }
  func encode(into buffer: inout ByteBuffer) {
    buffer.append(UInt32(clamping: place))
    buffer.append(key.rawValue)
    buffer.append(counted: program)
    ReportBounds.encode(from, until, into: &buffer)
  }
  init(_ reader: inout ByteReader) throws(MalformedBytes) {
    place = Int(try reader.read(UInt32.self))
    guard let key = MemberKey(rawValue: try reader.read()) else { throw MalformedBytes("a report by an unknown key") }
    self.key = key
    program = Array(try reader.readCounted())
    (from, until) = try ReportBounds.read(&reader)
  }
}

/// A part of a report of members, as a shard answers.
public struct MemberReportPage {
  /// Where the next page begins; nil: there are no more.
  public var next: Int?
  /// The shard's epoch: another once slots have moved.
  public var epoch: UInt64
  public var figures: [(key: [UInt8], figures: MemberFigures)] = []

  init(next: Int?, epoch: UInt64) { (self.next, self.epoch) = (next, epoch) }
  func write(into reply: inout ReplyWriter) {
    var buffer = ByteBuffer(capacity: 64 + 64 * figures.count)
    buffer.append(Int64(next ?? -1))
    buffer.append(epoch)
    for (key, figures) in figures {
      buffer.append(counted: key)
      for figure in [figures.joined, figures.active, figures.frozen, figures.closed] { buffer.append(figure) }
    }
    reply.text(buffer.bytes)
  }
  /// Throws if no shard wrote it.
  public init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    let place = try reader.read(Int64.self)
    next = place < 0 ? nil : Int(place)
    epoch = try reader.read()
    while !reader.isAtEnd {
      let key = Array(try reader.readCounted())
      var own = MemberFigures()
      own.joined = try reader.read()
      own.active = try reader.read()
      own.frozen = try reader.read()
      own.closed = try reader.read()
      figures.append((key, own))
    }
  }
}

/// The time that a report is about, as it is encoded.
enum ReportBounds {
  static func encode(_ from: Int64?, _ until: Int64?, into buffer: inout ByteBuffer) {
    for bound in [from, until] {
      buffer.append(UInt8(bound == nil ? 0 : 1))
      buffer.append(bound ?? 0)
    }
  }
  static func read(_ reader: inout ByteReader) throws(MalformedBytes) -> (from: Int64?, until: Int64?) {
    let from = try bound(&reader)
    return (from, try bound(&reader))
  }
  private static func bound(_ reader: inout ByteReader) throws(MalformedBytes) -> Int64? {
    let isSaid = try reader.read(UInt8.self) == 1
    let number = try reader.read(Int64.self)
    let furthest = CivilTime.latest.microseconds
    guard (-furthest / CivilTime.microsecondsPerDay...furthest).contains(number) else {
      throw MalformedBytes("a moment out of range")
    }
    return isSaid ? number : nil
  }
}
