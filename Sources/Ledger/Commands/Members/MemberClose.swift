import Base
import Vocabulary

extension Ledger {
  /// `MEMBER CLOSE`: releases the holds; what is left lapses. Again it is OK.
  mutating func closeMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let number = try changed(call)
    try checkNotReceiving(number)
    if tables.members.read(number).pointee.state != MemberState.closed.rawValue { closeMember(number) }
    return done(call, &reply)
  }
}
