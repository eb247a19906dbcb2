import Base
import Vocabulary

extension Ledger {
  /// `MEMBER NOTE`: without a request id the same again is another note. Its text goes to the state alone, so that it can be
  /// taken back there.
  mutating func noteMember(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) -> Outcome {
    let member = try changed(call)
    let newest = newestNote(of: member)
    guard newest == .none || tables.notes.read(newest).pointee.number < NoteRecord.mostOfMember else {
      throw .refused(.limit("notes", "the member has \(NoteRecord.mostOfMember) notes"))
    }
    addNote(to: member, after: newest, kind: call.text(.kind), text: call.text(.text), by: call.context.principal)
    return done(call, &reply)
  }

  /// `MEMBER NOTES`: the newest first.
  func readNotes(_ call: Call, _ reply: inout ReplyWriter) throws(Stop) {
    let newest = newestNote(of: try member(call))
    let all = newest == .none ? 0 : Int(tables.notes.read(newest).pointee.number)
    let count = min(all, Int(call.number(.limit) ?? 0))
    reply.array(count: count)
    var next = newest
    for _ in 0..<count {
      let note = tables.notes.read(next).pointee
      var content = ByteReader(tables.texts.read(note.content))
      reply.record()
      reply.field(.at, note.at)
      reply.field(.kind, (try? content.readCounted()) ?? Command.none)
      reply.field(.text, (try? content.readBytes(content.remaining)) ?? Command.none)
      next = note.previous
    }
  }
}
