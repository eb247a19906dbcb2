import Base

extension Ledger {
  /// Gives the record of each of a tenant's members, as `MEMBER SHOW` has it, by their places. For who has the state for itself: it
  /// takes as long as there are members.
  public func forEachMember(of tenant: TenantID, _ body: (UnsafeRawBufferPointer) -> Void) {
    var reply = ReplyWriter(capacity: 1_024)
    for place in 0..<tables.members.count {
      let ref = Ref<MemberRecord>(place: place)
      let member = tables.members.read(ref)
      guard member.pointee.isUsed, member.pointee.tenant == tenant else { continue }
      reply.buffer.removeAll()
      write(ref, into: &reply)
      body(reply.buffer.bytes)
    }
  }
}
