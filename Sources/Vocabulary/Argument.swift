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
    /// The card that it is about, or by which the member was named.
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
  /// Nil: it is known by its place.
  public let key: Key?
  public let shape: Shape
  public let need: Need
  public let part: Part
  /// What a command carries where the request leaves a number out.
  public let standard: Int64?

  private init(
    _ name: String, _ key: Key?, _ shape: Shape, _ need: Need, _ part: Part, standard: Int64? = nil
  ) {
    self.name = name
    self.key = key
    self.shape = shape
    self.need = need
    self.part = part
    self.standard = standard
  }

  /// As a line of help has it: `WHO`, `spend=MINOR`.
  public var text: String {
    key.map { "\($0.word)=\(shape == .identifier && $0.shape != shape ? "WORD" : $0.placeholder)" } ?? name
  }

  // MARK: By place

  static let who = Argument("WHO", nil, .who, .required, .party)
  static let from = Argument("FROM", nil, .who, .required, .party)
  static let to = Argument("TO", nil, .who, .required, .value)
  static let transaction = Argument("TX", nil, .transaction, .required, .party)
  static let member = Argument("id", nil, .identifier, .required, .party)
  static let number = Argument("NUMBER", nil, .identifier, .required, .card)
  static let name = Argument("name", nil, .identifier, .required, .value)
  static func word(_ name: String, _ need: Need = .required) -> Argument {
    Argument(name, nil, .identifier, need, .value)
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
}
