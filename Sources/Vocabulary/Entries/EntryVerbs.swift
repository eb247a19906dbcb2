extension EntryKind {
  /// The rows of its four verbs.
  var verbs: [VerbSpec] {
    let key = key.map { Argument.word($0.place) }
    let keyUsage = self.key.map(\.place).joined(separator: " ")
    let records = (self.key.map(\.name) + fields.map(\.name) + (takesAttributes ? ["x.NAME"] : [])).joined(
      separator: " ")
    let about = "\(word) SET \(keyUsage)"
    return [
      row(
        .set, key + bare + fields.map(Argument.field) + attributes + [.own(of: .set)] + bounds + [.optional(.id)],
        .changes,
        reply: "+OK",
        summary:
          "Makes or changes \(summary). Fields left out keep their value\(standards). from= announces the change"
          + (hasBounds ? ", until= ends it: then what was said before holds again." : "."),
        example: example),
      row(
        .show, key + [.own(of: .show), .optional(.read)], .read,
        reply: "\(records) version from [until] by [asof]",
        summary: "What \(about) has set, as it is in force now or at a moment.",
        example: keyExample),
      row(
        .list, [.filter, .optional(.limit, standard: 1_000), .optional(.after), .own(of: .list), .optional(.read)],
        .read,
        reply: "records: \(records) version from [until] by [asof]",
        summary:
          "Those in force, by \(keyUsage): 1000 unless limit= says how many; after= goes on behind a key, field=value"
          + " keeps those that have it.",
        example: ""),
      row(
        .history, key + [.optional(.limit, standard: 1_000), .own(of: .history), .optional(.read)], .read,
        reply:
          "records, newest first: \(self.key.map(\.name).joined(separator: " ")) version from set by, and what changed [asof]",
        summary:
          "The changes that \(about) made: 1000 unless limit= says how many; before= goes on behind a version.",
        example: keyExample),
    ]
  }
  /// The words of the example's key.
  private var keyExample: String {
    example.split(separator: " ").prefix(key.count).joined(separator: " ")
  }
  private var bare: [Argument] { bareField == nil ? [] : [.text("words", .optional)] }
  private var bounds: [Argument] { hasBounds ? [.until] : [] }
  private var attributes: [Argument] { takesAttributes ? [.attribute] : [] }
  private var standards: String {
    let all = fields.compactMap { field in
      field.standard.map { standard in
        let exception = standard.exception.map { " (\($0.field)=\($0.word): \($0.text))" } ?? ""
        return "\(field.name)=\(standard.text)\(exception)"
      }
    }
    return "; a new one has " + all.joined(separator: " ")
  }

  private func row(
    _ operation: EntryRequest.Operation, _ arguments: [Argument], _ effect: VerbSpec.Effect, reply: String,
    summary: String, example: String
  ) -> VerbSpec {
    let word = "\(word) \(operation)".uppercased()
    return VerbSpec(
      of: self, operation, word, arguments, effect, reply: reply, summary: summary,
      example: example.isEmpty ? word : "\(word) \(example)")
  }
}

extension EntryRequest.Operation {
  public var verb: Verb {
    switch self {
    case .set: .entrySet
    case .show: .entryShow
    case .list: .entryList
    case .history: .entryHistory
    }
  }
}

extension Argument {
  /// What the parser has of any request about entries, in the order of places: its scope and its rest (see `EntryRequest`),
  /// then what means the same with all verbs.
  static let ofEntries: [Argument] = [
    .free("scope"), .free("rest"), .optional(.id), .optional(.read), .optional(.limit, standard: 1_000),
    .optional(.after),
  ]
}
