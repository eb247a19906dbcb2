import Base
import Vocabulary

extension Ledger {
  /// `MEMBER THAW`: lets a frozen member go on.
  mutating func thawMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let number = try changed(call)
    try checkOpen(number)
    setState(ofMember: number, .active)
    return done(call, &reply)
  }
}
