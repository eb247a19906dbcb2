import Base
import Vocabulary

/// The members of a shard as they all were at one moment, while the shard goes on: its own pages, of which each is copied at its first write.
/// Made by `Ledger.openView`; hand it back by `Ledger.closeView`. Used by the thread that has the ledger.
public final class MemberView {
  /// The moment: that of the last entry before it.
  public let moment: Stamp
  /// Has those tables alone that members' records are made of.
  private let ledger: Ledger

  fileprivate init(_ ledger: consuming Ledger) {
    moment = ledger.lastStamp
    self.ledger = ledger
  }

  /// Answers a page of `MEMBER FIND`. Costs what it costs of the ledger itself.
  /// - Returns: it is over: no more is to come, or nobody wants more.
  public func answer(_ page: MemberPageQuery, into reply: inout ReplyWriter) -> Bool {
    guard page.purpose == .read else {
      reply.ok()
      return page.purpose == .end
    }
    return ledger.write(page, into: &reply) == nil
  }
}

/// What asks a shard for a page of members.
public struct MemberPageQuery {
  let tenant: TenantID
  let first: Int
  let limit: Int
  let wanted: WantedMembers
  /// As they all were then: the shard is to have a view of that moment. Nil: as they are.
  public let moment: Stamp?
  /// What is asked of such a view: its raw value is part of the query.
  public enum Purpose: UInt8, Sendable { case read = 1, keep = 2, end = 3 }
  let purpose: Purpose

  /// Nil: it is another query, or a malformed one.
  public init?(_ query: UnsafeRawBufferPointer) {
    guard CommandHeader.verb(of: query) == .memberPage, let call = try? Call(query),
      let page = try? MemberPageQuery(call)
    else { return nil }
    self = page
  }
  init(_ call: Call) throws(MalformedBytes) {
    var reader = ByteReader(call.body)
    var first = Int(try reader.read(UInt32.self))
    limit = Int(try reader.read(UInt32.self))
    wanted = try WantedMembers(&reader)
    if reader.remaining > 0 { first |= Int(try reader.read(UInt32.self)) << 32 }
    moment = reader.remaining > 0 ? Stamp(microseconds: try reader.read()) : nil
    guard let purpose = Purpose(rawValue: moment == nil ? 1 : try reader.read()) else {
      throw MalformedBytes("a view is asked something unknown")
    }
    self.purpose = purpose
    try reader.finish()
    guard first >= 0 else { throw MalformedBytes("a page before the first") }
    // A view has what records of members are made of, and no more.
    guard moment == nil || wanted.needsMembersAlone else {
      throw MalformedBytes("a view is asked for more than it has")
    }
    (tenant, self.first) = (call.tenant, first)
  }
}

extension Ledger {
  /// Members that a query of a view looks at: half a millisecond. Such queries come one after the other, perhaps from far away.
  static var membersOfViewAPage: Int { 512 }

  /// The members as they are now: between two entries, one view at a time. Costs 12 bytes a page of members and of what hangs on them,
  /// and afterwards a copy of each of these pages that is written. Nil: one is open, or there have been too many since the process began
  /// (`PagePool.beginView`).
  public mutating func openView() -> MemberView? {
    guard let pages = pool.beginView() else { return nil }
    var view = Ledger(shard: shard, limits: limits)
    (view.core, view.catalogue, view.hashes) = (core, catalogue, hashes)
    view.tables.members = tables.members.share(in: pages)
    view.tables.texts = tables.texts.share(in: pages)
    view.tables.cards = tables.cards.share(in: pages)
    view.tables.files = tables.files.share(in: pages)
    view.tables.details.chunks = tables.details.chunks.share(in: pages)
    view.tables.details.counters = tables.details.counters.share(in: pages)
    view.tables.details.bonds = tables.details.bonds.share(in: pages)
    // A tier depends on what is pending.
    if catalogue.programRows.contains(where: { $0.hasTiers }) {
      view.tables.accounts = tables.accounts.share(in: pages)
      view.tables.lots = tables.lots.share(in: pages)
      view.tables.details.rareLots = tables.details.rareLots.share(in: pages)
    }
    return MemberView(view)
  }
  /// Ends the view, if one is open. Nobody may ask it anything afterwards.
  public mutating func closeView() { pool.endView() }
}

extension Command {
  /// Whether an entry's command is a marker after which a view is to be opened where the shard is led.
  public static func asksForView(_ command: UnsafeRawBufferPointer) -> Bool {
    guard CommandHeader.verb(of: command) == .marker, let call = try? Call(command), !call.body.isEmpty else {
      return false
    }
    var reader = ByteReader(call.body)
    guard let inquiry = try? Inquiry(&reader), case .members = inquiry else { return false }
    return true
  }
}
