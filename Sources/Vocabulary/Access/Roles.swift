/// What a user is. The raw value is part of the directory's log.
public enum Role: UInt8, CaseIterable, Sendable {
  case `operator` = 0
  case manager = 1
  case support = 2
  case approver = 3
  case merchant = 4
  case terminal = 5
  case channel = 6
  case auditor = 7
  case admin = 8

  public var word: String { "\(self)" }
  public var roles: Roles { Roles(rawValue: 1 << UInt16(rawValue)) }
  /// It acts at one merchant, and at those below that, alone.
  public var isBounded: Bool { self == .merchant || self == .terminal }
}

/// Who may ask for a verb, or as whom somebody asks: a set of roles. Whether one may is a bit test.
public struct Roles: OptionSet, Hashable, Sendable, BitwiseCopyable {
  public let rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static let operators = Role.operator.roles
  public static let managers = Role.manager.roles
  public static let supporters = Role.support.roles
  public static let approvers = Role.approver.roles
  public static let merchants = Role.merchant.roles
  public static let terminals = Role.terminal.roles
  public static let channels = Role.channel.roles
  public static let auditors = Role.auditor.roles
  public static let admins = Role.admin.roles
  /// Whoever has not signed in.
  public static let strangers = Roles(rawValue: 1 << 15)
  /// Every role.
  public static let users = Roles(rawValue: (1 << 9) - 1)
  /// All, whether they have signed in or not.
  public static let anybody: Roles = [.users, .strangers]

  // Sets that several rows share.
  /// Movements of a purchase.
  static let selling: Roles = [.operators, .merchants, .terminals]
  static let rewarding: Roles = [.selling, .channels]
  /// Reads of any member's data.
  static let reading: Roles = [.operators, .supporters, .approvers, .auditors]
  /// Reads about one member, by whoever acts for members or has them before it.
  static let following: Roles = [.reading, .merchants, .channels]
  static let asking: Roles = [.following, .terminals]
  /// How points come about.
  static let explaining: Roles = [.following, .managers]
  static let simulating: Roles = [.asking, .managers]
  /// Sums over all members.
  static let reporting: Roles = [.operators, .managers, .auditors]
  /// Reads of what is set up.
  static let consulting: Roles = [.reading, .managers, .channels]

  /// Of a row that does not say it.
  static func usual(_ group: VerbSpec.Group, _ effect: VerbSpec.Effect) -> Roles {
    switch (group, effect) {
    case (.connection, _): .users
    case (.cluster, .read): [.admins, .operators, .auditors]
    case (.cluster, _): .admins
    case (.setup, .read): .consulting
    case (.setup, _): [.operators, .managers]
    case (.members, .changes): [.operators, .supporters]
    case (_, .read): .reading
    default: .operators
    }
  }
  /// Of entries. A merchant's user sees its merchant and the terminals of that, and the terms of programs.
  static func ofEntries(_ kind: EntryKind, _ operation: EntryRequest.Operation) -> Roles {
    let usual = usual(.setup, operation == .set ? .changes : .read)
    switch (kind.word, operation) {
    case ("TERMINAL", .set), ("TERMINAL", .show), ("TERMINAL", .list), ("MERCHANT", .show), ("PROGRAM", .show):
      return usual.union(.merchants)
    default: return usual
    }
  }

  /// The words of its roles, in order.
  public var words: [String] { Role.allCases.filter { contains($0.roles) }.map(\.word) }
}
