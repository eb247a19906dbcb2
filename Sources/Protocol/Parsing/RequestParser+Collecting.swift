import Base
import Vocabulary

extension RequestParser {
  /// The words of a verb that collects some: `x.NAME=VALUE` become one value, by name; so do the words from its last place on, divided by
  /// commas. For what `interpret` cannot make a place of.
  @inline(never) mutating func interpretCollecting(
    _ rule: UnsafePointer<VerbRule>, from first: Int, _ count: Int
  ) throws(Refusal) {
    let spec = language.spec(rule.pointee)
    var attributes: [(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)] = []
    var tags: [UnsafeRawBufferPointer] = []
    var positionalCount = 0
    var present: UInt64 = 0
    for i in first..<max(first, count) {
      let word = words[i]
      guard word.equals >= 0 else {
        guard positionalCount + 1 >= rule.pointee.maximumPositionals else {
          try take(word, ofPlace: positionalCount, skipping: 0, rule, spec)
          positionalCount += 1
          continue
        }
        guard rule.pointee.maximumPositionals > 0, spec.arguments[rule.pointee.maximumPositionals - 1].shape == .tags
        else {
          guard positionalCount < rule.pointee.maximumPositionals else { throw Refusal.unexpected(spec, word.bytes) }
          try take(word, ofPlace: positionalCount, skipping: 0, rule, spec)
          positionalCount += 1
          continue
        }
        try take(word, ofPlace: rule.pointee.maximumPositionals - 1, skipping: 0, rule, spec)
        tags.append(word.bytes)
        continue
      }
      let name = UnsafeRawBufferPointer(rebasing: word.bytes[..<word.equals])
      if rule.pointee.place(of: .attributes) != VerbRule.none, name.count > 2, name[0] | 0x20 == UInt8(ascii: "x"),
        name[1] == UInt8(ascii: ".")
      {
        let own = UnsafeRawBufferPointer(rebasing: name.dropFirst(2))
        let value = UnsafeRawBufferPointer(rebasing: word.bytes[(word.equals + 1)...])
        guard own.isIdentifier, Shape.text.accepts(value) else {
          throw Refusal("\(Refusal.quoted(name))= must be \(Shape.attributes.requirement)")
        }
        guard !attributes.contains(where: { $0.name.elementsEqual(own) }) else {
          throw Refusal("\(Refusal.quoted(name)) is given twice")
        }
        attributes.append((own, value))
        continue
      }
      let key = vocabulary.keys.find(word.start, word.equals)
      let place = Int(rule.pointee.places[Int(key)])
      let bit: UInt64 = 1 &<< UInt64(place)
      guard rule.pointee.allowed & ~present & bit != 0 else { throw Refusal.keyNotTaken(key, spec, word) }
      present |= bit
      try take(word, ofPlace: place, skipping: word.equals + 1, rule, spec)
    }
    if !tags.isEmpty { positionalCount += 1 }
    let place = rule.pointee.place(of: .attributes)
    if !attributes.isEmpty { present |= 1 &<< UInt64(place) }
    guard tags.count <= 64 else { throw Refusal("\(spec.words.joined(separator: " ")) takes at most 64 words") }
    guard attributes.count <= EntryKind.mostAttributes else {
      throw Refusal("\(spec.words.joined(separator: " ")) takes at most \(EntryKind.mostAttributes) x.NAME=")
    }
    keep(tags, ofPlace: rule.pointee.maximumPositionals - 1, attributes, ofPlace: Int(place))
    guard rule.pointee.isMet(present, positionalCount) else {
      throw Refusal.incomplete(rule.pointee, spec, present, positionalCount)
    }
    request.rule = rule
    request.positionalCount = positionalCount
    request.present = present
  }
  private mutating func take(
    _ word: Word, ofPlace place: Int, skipping skipped: Int, _ rule: UnsafePointer<VerbRule>, _ spec: VerbSpec
  ) throws(Refusal) {
    (values + place).initialize(to: ArgumentValue(start: word.start + skipped, count: word.count - skipped))
    guard rule.pointee.shapes[place].accepts(values + place, classes) else { throw Refusal.wrong(spec, place, word) }
  }
  /// Puts what was collected where it lies until the next request.
  private mutating func keep(
    _ tags: [UnsafeRawBufferPointer], ofPlace tagPlace: Int,
    _ attributes: [(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)], ofPlace attributePlace: Int
  ) {
    entryBytes.removeAll()
    for (i, tag) in tags.enumerated() {
      if i > 0 { entryBytes.append(UInt8(ascii: ",")) }
      entryBytes.append(tag)
    }
    let end = entryBytes.count
    for (name, value) in attributes.sorted(by: { $0.name.lexicographicallyPrecedes($1.name) }) {
      entryBytes.append(counted: name)
      entryBytes.append(counted: value)
    }
    guard let start = entryBytes.bytes.baseAddress else { return }
    if !tags.isEmpty { (values + tagPlace).initialize(to: ArgumentValue(start: start, count: end)) }
    if !attributes.isEmpty {
      (values + attributePlace).initialize(to: ArgumentValue(start: start + end, count: entryBytes.count - end))
    }
  }
}
