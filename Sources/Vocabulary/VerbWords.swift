/// The words of the language, as the parser looks them up.
public struct VerbWords: ~Copyable {
  /// The first word of two-word verbs.
  public struct Family {
    public var word: String
    /// Its second words.
    public var words: [String]
    /// The number of the verb that the word alone is, as `COMMAND`.
    public var bare: UInt16?
  }

  /// First words: a row's number, or `familyBit` and the index of a family. Second words: salted by family.
  public let verbs: WordTable
  /// Raw values of keys.
  public let keys: WordTable
  public let families: [Family]
  @inlinable public static var familyBit: UInt16 { 0x8000 }

  public init(_ language: Language = .standard) {
    var entries: [WordTable.Entry] = []
    var families: [Family] = []
    for spec in language.specs where spec.words.count == 2 {
      let at = families.firstIndex { $0.word == spec.words[0] } ?? families.count
      if at == families.count {
        families.append(Family(word: spec.words[0], words: []))
        entries.append(.init(word: spec.words[0], salt: 0, code: VerbWords.familyBit | UInt16(at)))
      }
      families[at].words.append(spec.words[1])
      entries.append(.init(word: spec.words[1], salt: UInt16(at + 1), code: spec.number))
    }
    for spec in language.specs where spec.words.count == 1 {
      if let at = families.firstIndex(where: { $0.word == spec.words[0] }) {
        families[at].bare = spec.number
      } else {
        entries.append(.init(word: spec.words[0], salt: 0, code: spec.number))
      }
    }
    self.families = families
    verbs = WordTable(entries)
    keys = WordTable(Key.allCases.map { .init(word: $0.word, salt: 0, code: $0.rawValue) })
  }

  /// The first word of the language that a person may have meant by another: one that differs by at most two slips, and by
  /// fewer than half of its letters; nil if there is none. For error texts: O(words × letters²).
  public static func nearest(to word: String, in language: Language = .standard) -> String? {
    let typed = Array(word.uppercased().utf8)
    guard (2...WordTable.longestWord).contains(typed.count) else { return nil }
    var best: (word: String, distance: Int)?
    for spec in language.specs {
      let known = Array(spec.words[0].utf8)
      let distance = slips(typed, known)
      guard distance <= 2, 2 * distance < known.count, distance < best?.distance ?? .max else { continue }
      best = (spec.words[0], distance)
    }
    return best?.word
  }
  /// The distance of two words, in letters that are missing, too many, wrong, or exchanged with the next (the "optimal string
  /// alignment" form of Damerau, 1964).
  private static func slips(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
      var row = [i + 1]
      for j in b.indices {
        var least = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, beforeLast[j - 1] + 1) }
        row.append(least)
      }
      (beforeLast, last) = (last, row)
    }
    return last[b.count]
  }
}
