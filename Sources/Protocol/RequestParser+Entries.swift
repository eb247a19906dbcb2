import Base
import Vocabulary

extension RequestParser {
  /// The words of a request about entries, by the declaration of their kind: its places are the scope and the rest of an
  /// `EntryRequest`, and what means the same with all verbs.
  @inline(never) mutating func interpretEntry(
    _ rule: UnsafePointer<VerbRule>, from first: Int, _ count: Int
  ) throws(Refusal) {
    let spec = language.spec(rule.pointee)
    guard let kind = spec.kind,
      let operation = EntryRequest.Operation.allCases.first(where: { $0.verb == spec.verb })
    else { throw Refusal("\(spec.words) is not served here") }
    var writer = EntryRequestWriter(kind, operation)
    var present: UInt64 = 0
    for i in first..<max(first, count) {
      let word = words[i]
      do throws(EntryRequestWriter.Refusal) {
        guard word.equals >= 0 else {
          try writer.add(word.bytes)
          continue
        }
        let name = UnsafeRawBufferPointer(rebasing: word.bytes[..<word.equals])
        let value = UnsafeRawBufferPointer(rebasing: word.bytes[(word.equals + 1)...])
        let key = vocabulary.keys.find(word.start, word.equals)
        let place = Int(rule.pointee.places[Int(key)])
        let bit: UInt64 = 1 &<< UInt64(place)
        guard rule.pointee.allowed & bit != 0 else {
          try writer.add(name, value)
          continue
        }
        guard present & bit == 0 else { throw .twice }
        present |= bit
        (values + place).initialize(to: ArgumentValue(start: word.start + word.equals + 1, count: value.count))
        let shape = rule.pointee.shapes[place]
        guard shape.accepts(values + place, classes) else {
          throw .wrong(name: string(name), isKeyed: true, requirement: shape.requirement)
        }
      } catch {
        throw Refusal.entry(error, spec, word)
      }
    }
    entryBytes.removeAll()
    do throws(EntryRequestWriter.Refusal) {
      let scope = try writer.finish(into: &entryBytes)
      guard let start = entryBytes.bytes.baseAddress else { return }
      values.initialize(to: ArgumentValue(start: start, count: scope))
      (values + 1).initialize(to: ArgumentValue(start: start + scope, count: entryBytes.count - scope))
    } catch {
      throw Refusal.entry(error, spec, nil)
    }
    request.rule = rule
    request.positionalCount = 2
    request.present = present
  }
  private func string(_ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes, as: UTF8.self).lowercased()
  }
}

extension Refusal {
  /// Why a request about entries is refused, and at which word.
  static func entry(
    _ refusal: EntryRequestWriter.Refusal, _ spec: VerbSpec, _ word: RequestParser.Word?
  ) -> Refusal {
    let verb = spec.words.joined(separator: " ")
    func bytes(_ first: Int, _ end: Int) -> String {
      word.map { quoted(UnsafeRawBufferPointer(rebasing: $0.bytes[first..<end])) } ?? ""
    }
    switch refusal {
    case .unexpected: return unexpected(spec, word?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0))
    case .unknownKey: return unknownKey(spec, bytes(0, word?.equals ?? 0))
    case .twice: return Refusal("\(bytes(0, word?.equals ?? 0)) is given twice")
    case .wrong(let name, let isKeyed, let requirement):
      let value = bytes(isKeyed ? (word?.equals ?? -1) + 1 : 0, word?.count ?? 0)
      return Refusal("\(isKeyed ? "\(name)=" : "\(name) of \(verb)") must be \(requirement), not \(value)")
    case .missing(let name): return Refusal("\(verb) needs \(name); usage: \(spec.usage)")
    }
  }
}
