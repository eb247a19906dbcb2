/// One thing that a verb takes: by its place, or by its key.
public struct Argument: Sendable {
  public enum Need: Sendable {
    case required
    /// Exactly one of those of a verb.
    case oneOf
    /// At most one of those of a verb.
    case atMostOne
    case optional
  }
  /// Where a command carries it.
  public enum Part: UInt8, Sendable, BitwiseCopyable {
    /// The member or the transaction that it is about.
    case party
    /// The alias that it is about, or by which the member was named: its key.
    case card
    case merchant
    case request
    /// Among its values.
    case value
    /// Nowhere: it says how the node at hand is to answer.
    case edge
  }
  /// As it is called in a line of help: `WHO`, or the key.
  public let name: String
  /// Nil: it is known by its place, or is a field of an entry.
  public let key: Key?
  /// It is said as `name=value`.
  public let isKeyed: Bool
  public let shape: Shape
  public let need: Need
  public let part: Part
  /// What a command carries where the request leaves a number out.
  public let standard: Int64?
  /// Completes the sentence "it must be …".
  public let requirement: String
  private let placeholder: String

  private init(
    _ name: String, _ key: Key?, _ shape: Shape, _ need: Need, _ part: Part, standard: Int64? = nil
  ) {
    self.name = name
    self.key = key
    isKeyed = key != nil
    requirement = shape.requirement
    // A key may be of another shape in another verb.
    placeholder = key.map { $0.shape == shape ? $0.placeholder : shape.placeholder } ?? ""
    self.shape = shape
    self.need = need
    self.part = part
    self.standard = standard
  }

  /// As a line of help has it: `WHO`, `spend=MINOR`.
  public var text: String { isKeyed ? "\(name)=\(placeholder)" : name }

  // MARK: By place

  static let who = Argument("WHO", nil, .who, .required, .party)
  static let from = Argument("FROM", nil, .who, .required, .party)
  static let to = Argument("TO", nil, .who, .required, .value)
  static let into = Argument("INTO", nil, .who, .required, .value)
  static let transaction = Argument("TX", nil, .transaction, .required, .party)
  static let ofCase = Argument("C", nil, .transaction, .required, .party)
  static let member = Argument("id", nil, .identifier, .required, .party)
  /// One that is to be: `*` has its id minted.
  static let newMember = Argument("id", nil, .newMember, .required, .party)
  static let number = Argument("NUMBER", nil, .identifier, .required, .card)
  static let old = Argument("OLD", nil, .identifier, .required, .card)
  static let new = Argument("NEW", nil, .identifier, .required, .value)
  static let alias = Argument("KIND:VALUE", nil, .alias, .required, .card)
  /// The words behind it, too, are its.
  static let tags = Argument("TAG…", nil, .tags, .required, .value)
  static let name = Argument("name", nil, .identifier, .required, .value)
  static func word(_ name: String, _ need: Need = .required) -> Argument {
    Argument(name, nil, .identifier, need, .value)
  }
  static func text(_ name: String, _ need: Need = .required) -> Argument {
    Argument(name, nil, .text, need, .value)
  }
  static func free(_ name: String, _ need: Need = .required) -> Argument { Argument(name, nil, .free, need, .value) }

  // MARK: By key

  static func required(_ key: Key, shape: Shape? = nil, part: Part? = nil) -> Argument {
    Argument(key, .required, part, shape: shape)
  }
  static func oneOf(_ key: Key) -> Argument { Argument(key, .oneOf, nil) }
  static func atMostOne(_ key: Key) -> Argument { Argument(key, .atMostOne, nil) }
  static func optional(
    _ key: Key, shape: Shape? = nil, part: Part? = nil, standard: Int64? = nil
  ) -> Argument {
    Argument(key, .optional, part, shape: shape, standard: standard)
  }
  private init(_ key: Key, _ need: Need, _ part: Part?, shape: Shape? = nil, standard: Int64? = nil) {
    let usual: Part =
      switch key {
      case .merchant: .merchant
      case .id: .request
      case .read: .edge
      default: .value
      }
    self.init(key.word, key, shape ?? key.shape, need, part ?? usual, standard: standard)
  }

  // MARK: Of entries

  /// A field that may be set.
  static func field(_ field: EntryField) -> Argument {
    Argument(
      field.name, field.traits.contains(.required) ? "\(field.requirement); a new one must have it" : field.requirement,
      field.placeholder)
  }
  static let attribute = Argument("x.NAME", Shape.text.requirement, "TEXT")
  /// Which records of a list are wanted.
  static let filter = Argument("field", "a field of the kind, with the value that it is to have", "VALUE")
  /// Which moment, or which versions, are meant.
  static func own(of operation: EntryRequest.Operation) -> Argument {
    let (word, shape, _) = operation.ownWord
    return Argument(word, shape.requirement, shape.placeholder)
  }
  /// When a change ends.
  static let until = Argument("until", Shape.dateOrMoment.requirement, Shape.dateOrMoment.placeholder)
  private init(_ name: String, _ requirement: String, _ placeholder: String) {
    self.name = name
    key = nil
    isKeyed = true
    shape = .free
    need = .optional
    part = .value
    standard = nil
    self.requirement = requirement
    self.placeholder = placeholder
  }
}
