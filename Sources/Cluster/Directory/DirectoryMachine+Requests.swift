import Base
import Protocol

extension DirectoryMachine {
  /// Whether a request is answered by what is known of its id: as before, or refused. Key 0 is none's.
  func seen(
    _ key: UInt128, _ fingerprint: UInt64, _ reply: inout ReplyWriter, answer: (inout ReplyWriter) -> Void
  ) -> Bool {
    let hasRoom = requests.makeRoom(at: lastStamp)
    guard key != 0 else { return false }
    if let known = requests.find(key) {
      if known.fingerprint == fingerprint {
        answer(&reply)
      } else {
        reply.error(.conflict, "the request id was used for another request")
      }
      return true
    }
    if !hasRoom { reply.error(.busy, "too many changes carried an id= within a day; nothing was done") }
    return !hasRoom
  }
  /// Remembers a request that was carried out.
  func note(_ key: UInt128, _ fingerprint: UInt64, version: UInt32 = 0) {
    guard key != 0 else { return }
    requests.add(ChangeRequests.Item(key: key, fingerprint: fingerprint, version: version, stamp: lastStamp))
  }
}
