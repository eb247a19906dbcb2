import Base
import Ledger
import Protocol

/// A view of a shard's members that its leader keeps for who reads it page by page: see `MEMBER FIND cut=yes`.
final class HeldView {
  /// Kept so long after the last page that was asked for, and so long in all (µs): pages that are written meanwhile are copied.
  static let patience: Int64 = 30_000_000
  static let mostTime: Int64 = 600_000_000

  private let view: MemberView
  /// When a page was last asked for, by the ticks.
  private var lastUse: Stamp?
  private var isUsed = true
  /// Somebody has asked it: until it is over it goes before another.
  private(set) var isTaken = false

  init(_ view: MemberView) { self.view = view }

  /// Answers a page. True: it was the last.
  func answer(_ page: MemberPageQuery, into reply: inout ReplyWriter) -> Bool {
    guard page.moment == view.moment else { return HeldView.refuse(&reply) }
    (isUsed, isTaken) = (true, true)
    return view.answer(page, into: &reply)
  }
  static func refuse(_ reply: inout ReplyWriter) -> Bool {
    reply.error(.notFound, "members are not kept here as they were at that moment")
    return false
  }
  /// With each tick: whether it has had its time.
  func isOver(_ clock: Stamp) -> Bool {
    if isUsed || lastUse == nil { lastUse = clock }
    isUsed = false
    let unused = clock.microseconds &- (lastUse ?? clock).microseconds
    return unused > HeldView.patience || clock.microseconds &- view.moment.microseconds > HeldView.mostTime
  }
}
