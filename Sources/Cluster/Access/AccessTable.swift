import Base
import Ledger
import Vocabulary

/// One who may ask something: an entry of the directory.
struct User: Hashable, Sendable {
  /// Never given twice.
  var number: UInt32
  var name: String
  var role = Role.auditor
  /// It was the first of the cluster: an admin too, whatever its role.
  var isFirst = false
  /// Whose data it sees.
  var tenant = TenantID.first
  /// Where a merchant's or terminal's user acts; the others name it for the record.
  var merchant = ""
  var terminal = ""
  var org = ""
  /// So many points one adjustment of it may move.
  var adjustLimit: Int64 = 0
  /// So many requests a second it has at each node; 0: as many as it likes.
  var rate: Int64 = 0
  var isStopped = false
  /// Nil: it signs in by certificate alone.
  var secret: KeptSecret?
  /// The table's version when something of it changed last.
  var revision: UInt64 = 0

  var isAdmin: Bool { isFirst || role == .admin }
}

/// An operator's world of its own.
struct Tenant: Hashable, Sendable {
  var id: TenantID
  var name: String
  var title = ""
  var isStopped = false
  /// The one that each cluster begins with.
  static let first = Tenant(id: .first, name: "default")
}

/// Who may do what: users and tenants, as the directory's log has them. The same on all nodes.
struct AccessTable: Hashable, Sendable {
  /// Rises with every change.
  private(set) var version: UInt64 = 0
  private var users: [String: User] = [:]
  /// Users that are stopped, by number.
  private(set) var stopped: Set<UInt32> = []
  private var names: [UInt32: String] = [:]
  /// By number.
  private(set) var tenants = [Tenant.first]
  private var nextUser: UInt32 = 1

  static let mostUsers = 100_000
  static let mostTenants = 1_000

  /// There are no users: everybody may do everything.
  var isOpen: Bool { users.isEmpty }
  var userCount: Int { users.count }
  func user(named name: String) -> User? { users[name] }
  func user(_ number: UInt32) -> User? { names[number].flatMap { users[$0] } }
  /// By name. O(n log n).
  var allUsers: [User] { users.values.sorted { $0.name < $1.name } }
  func tenant(_ id: TenantID) -> Tenant? { tenants.first { $0.id == id } }
  func tenant(named name: String) -> Tenant? { tenants.first { $0.name == name } }

  // MARK: Changes

  struct Refused: Error, Hashable {
    var code: ErrorCode
    var text: String
    init(_ code: ErrorCode, _ text: String) { (self.code, self.text) = (code, text) }
  }

  /// Takes a change, if whoever asks may make it. Nothing changes where it is refused.
  /// - Parameter isMerchant: whether a merchant of a tenant is there.
  mutating func take(_ change: AccessChange, isMerchant: (String, TenantID) -> Bool) throws(Refused) {
    switch change.subject {
    case .user: try takeUser(change, isMerchant)
    case .tenant: try takeTenant(change)
    }
    version += 1
  }

  /// Something else changed by which nodes decide.
  mutating func touch() { version += 1 }

  /// Who asks; nil: anybody, for there are no users.
  private func asking(_ change: AccessChange) throws(Refused) -> User? {
    if isOpen { return nil }
    guard let user = user(change.by), !user.isStopped else {
      throw Refused(.noAuth, "the user that asked is none any more; nothing was done")
    }
    return user
  }

  private mutating func takeUser(
    _ change: AccessChange, _ isMerchant: (String, TenantID) -> Bool
  ) throws(Refused) {
    let asking = try asking(change)
    let known = users[change.name]
    guard var user = known ?? change.role.map({ User(number: nextUser, name: change.name, role: $0) }) else {
      throw Refused(.malformed, "a new user needs role=: \(Shape.role.requirement)")
    }
    if known == nil { user.tenant = change.tenant }
    try user.take(change)
    try check(user, known, asking, change)
    guard !user.role.isBounded || isMerchant(user.merchant, user.tenant) else {
      throw Refused(.notFound, "no such merchant '\(user.merchant)'")
    }
    guard known != nil || users.count < AccessTable.mostUsers else {
      throw Refused(.limit, "there are \(AccessTable.mostUsers) users, and no more may be; nothing was done")
    }
    if isOpen { user.isFirst = true }
    guard user.isAdmin && !user.isStopped || hasAdmin(but: user.name) else {
      throw Refused(.noPermission, "it is the cluster's last admin: make another first; nothing was done")
    }
    user.revision = version + 1
    if known == nil { nextUser += 1 }
    keep(user)
    names[user.number] = user.name
  }
  private mutating func keep(_ user: User) {
    users[user.name] = user
    if user.isStopped { stopped.insert(user.number) } else { stopped.remove(user.number) }
  }
  private func hasAdmin(but name: String) -> Bool {
    users.values.contains { $0.isAdmin && !$0.isStopped && $0.name != name }
  }
  /// Whether whoever asks may make that of a user.
  private func check(_ user: User, _ known: User?, _ asking: User?, _ change: AccessChange) throws(Refused) {
    guard let asking else { return }
    let isOperator = asking.role == .operator && asking.tenant == change.tenant
    if user.isAdmin || known?.isAdmin == true {
      guard asking.isAdmin else {
        throw Refused(.noPermission, "USER SET of an admin is for admins; nothing was done")
      }
      return
    }
    guard known == nil || known?.tenant == change.tenant else {
      throw Refused(.exists, "the user name '\(change.name)' is taken: names are one space for all tenants")
    }
    if isOperator { return }
    guard asking.isAdmin, known == nil, user.role == .operator,
      !users.values.contains(where: { $0.tenant == change.tenant && $0.role == .operator })
    else {
      throw Refused(
        .noPermission,
        "USER SET: an admin makes admins, and a tenant's first operator, who makes the others; nothing was done")
    }
  }

  private mutating func takeTenant(_ change: AccessChange) throws(Refused) {
    if let asking = try asking(change), !asking.isAdmin {
      throw Refused(.noPermission, "TENANT SET is for admins; nothing was done")
    }
    if let place = tenants.firstIndex(where: { $0.name == change.name }) {
      tenants[place].take(change)
      return
    }
    guard tenants.count < AccessTable.mostTenants, let last = tenants.last else {
      throw Refused(.limit, "there are \(AccessTable.mostTenants) tenants, and no more may be; nothing was done")
    }
    var tenant = Tenant(id: TenantID(last.id.rawValue &+ 1), name: change.name)
    tenant.take(change)
    tenants.append(tenant)
  }

  // MARK: As a snapshot has it

  mutating func restore(version: UInt64, nextUser: UInt32) {
    (self.version, self.nextUser) = (version, nextUser)
    tenants = []
  }
  mutating func restore(_ user: User) {
    keep(user)
    names[user.number] = user.name
  }
  mutating func restore(_ tenant: Tenant) { tenants.append(tenant) }
  /// For a snapshot: the number that the next user gets.
  var nextNumber: UInt32 { nextUser }
}

extension User {
  /// Keys left out keep their value.
  fileprivate mutating func take(_ change: AccessChange) throws(AccessTable.Refused) {
    role = change.role ?? role
    merchant = change.merchant ?? merchant
    terminal = change.terminal ?? terminal
    org = change.org ?? org
    adjustLimit = change.adjustLimit ?? adjustLimit
    rate = change.rate ?? rate
    isStopped = change.isStopped ?? isStopped
    secret = change.secret ?? secret
    guard !role.isBounded || !merchant.isEmpty else {
      throw AccessTable.Refused(.malformed, "a user of role \(role.word) needs merchant=")
    }
    guard role != .terminal || !terminal.isEmpty else {
      throw AccessTable.Refused(.malformed, "a user of role terminal needs terminal=")
    }
  }
}
extension Tenant {
  fileprivate mutating func take(_ change: AccessChange) {
    title = change.title ?? title
    isStopped = change.isStopped ?? isStopped
  }
}
