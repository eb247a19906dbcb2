import Base
import Ledger
import Protocol

extension BackupContents {
  /// Of the directory's state: a tenant by its name; nil: there is none.
  package func tenant(named name: String) -> TenantID? {
    switch state {
    case .directory(let box): box.machine.access.tenant(named: name)?.id
    case .shard: nil
    }
  }
  /// Of a shard's: the record of each of a tenant's members, as a line of the protocol.
  package func forEachMember(of tenant: TenantID, _ body: (String) -> Void) {
    var line = ByteBuffer(capacity: 1_024)
    switch state {
    case .shard(let box):
      box.ledger.forEachMember(of: tenant) { record in
        line.removeAll()
        guard (try? ReplyRenderer.render(record, resp3: false, bulk: false, into: &line)) != nil else { return }
        body(String(decoding: line.bytes, as: UTF8.self))
      }
    case .directory: break
    }
  }
}
