/// The keys of `key=value` words. The raw value enters fingerprints, which are kept for weeks: never change one, only add.
public enum Key: UInt16, CaseIterable, Sendable, BitwiseCopyable {
  case merchant = 1
  case spend = 2
  case points = 3
  case id = 4
  case program = 5
  case at = 6
  case ttl = 7
  case limit = 8
  case before = 9
  case read = 10
  case member = 11
  case name = 12
  case region = 13
  case card = 14
  case kind = 16
  case shards = 23
  case replicas = 24
  case allowSingleRegion = 25
  case after = 26
  case dryRun = 28
  case all = 29
  case text = 30
  case dir = 36
  case shard = 40
  case to = 41
  case from = 42
  case dead = 43
  case deadAfter = 50
  case moves = 51
  case snapshotRate = 52
  case apply = 60
  case spread = 61
  case leaders = 62
  case acceptLoss = 70
  case holderClass = 80
  case birthday = 81
  case referrer = 82
  case channel = 83
  case language = 84
  case manager = 85
  case rating = 86
  case cardType = 87
  case expiring = 88
  case until = 89
  case reason = 90
  case attributes = 91
  case lines = 100
  case type = 101
  case terminal = 102
  case event = 103
  case value = 104
  case tier = 110
  case on = 111
  case days = 112
  case tag = 131
  case state = 132
  case title = 140
  case pool = 141
  case role = 150
  case secret = 151
  case org = 152
  case adjustLimit = 153
  case rate = 154
  case user = 155
  case verb = 156
  case direction = 170
  case note = 171
  case tx = 172
  case wait = 190
  case part = 191
  case by = 210
  case cut = 220

  /// As it stands in a request, without the `=`.
  public var word: String {
    switch self {
    case .allowSingleRegion: "allow-single-region"
    case .dryRun: "dry-run"
    case .deadAfter: "dead-after"
    case .snapshotRate: "snapshot-rate"
    case .acceptLoss: "accept-loss"
    case .holderClass: "class"
    case .cardType: "cardtype"
    case .attributes: "x.NAME"
    case .adjustLimit: "adjust-limit"
    default: String(describing: self)
    }
  }

  /// What its value must look like, whatever the verb.
  public var shape: Shape {
    switch self {
    case .after: .entryKey
    case .merchant, .id, .program, .member, .region, .card, .kind, .to, .from, .leaders, .tier, .pool: .identifier
    case .spend: .spend
    case .points: .points
    case .at: .moment
    case .ttl: .ttl
    case .limit: .limit
    case .before, .tx: .transaction
    case .read: .readMode
    case .name, .title, .spread, .dir: .text
    case .holderClass, .channel, .language, .manager, .rating, .cardType: .word
    case .referrer: .holder
    case .tag: .identifier
    case .state: .memberState
    case .birthday: .date
    case .attributes: .attributes
    case .until, .on: .dateOrMoment
    case .days: .limit
    case .reason, .type, .terminal, .event: .identifier
    case .lines: .lines
    case .value: .spend
    case .text, .note: .note
    case .direction: .direction
    case .shards: .shardCount
    case .replicas: .replicaCount
    case .allowSingleRegion, .dryRun, .all, .dead, .apply, .acceptLoss, .expiring, .cut: .yesNo
    case .shard: .shardNumber
    case .wait: .wait
    case .part: .fraction
    case .deadAfter: .span
    case .moves: .moveCount
    case .snapshotRate: .byteRate
    case .role: .role
    case .secret, .verb: .text
    case .org, .user, .by: .word
    case .adjustLimit, .rate: .amount
    }
  }

  /// What stands for its value in a line of help.
  public var placeholder: String {
    switch self {
    case .merchant: "m"
    case .spend: "MINOR"
    case .points, .limit, .shards, .replicas, .moves, .days: "N"
    case .id: "…"
    case .program: "p"
    case .at: "TIME"
    case .ttl, .wait: "SECONDS"
    case .part: "K/N"
    case .before, .tx: "TX"
    case .read: "local|leader"
    case .member: "id"
    case .name, .title, .text, .note: "TEXT"
    case .pool: "id|none"
    case .dir: "DIR"
    case .region: "r"
    case .spread: "r:N,…|even"
    case .leaders: "r|traffic|any"
    case .kind: "WORD"
    case .card: "NUMBER"
    case .allowSingleRegion, .dryRun, .all, .dead, .apply, .acceptLoss, .expiring, .cut: "yes|no"
    case .referrer: "WHO"
    case .holderClass, .channel, .language, .manager, .rating, .cardType, .reason, .type, .tag, .event,
      .tier, .by:
      "WORD"
    case .state: "active|frozen|closed"
    case .birthday: "YYYY-MM-DD"
    case .attributes: "TEXT"
    case .until: "MOMENT"
    case .on: "DATE"
    case .lines: Shape.lines.placeholder
    case .terminal: "ID"
    case .value: "N"
    case .after: "KEY"
    case .shard: "S"
    case .to, .from: "NODE"
    case .deadAfter: "TIME|off"
    case .snapshotRate: "RATE|off"
    case .role: "ROLE"
    case .secret: "TEXT"
    case .org: "o"
    case .adjustLimit, .rate: "N"
    case .user: "name"
    case .verb: "VERB"
    case .direction: "up|down"
    }
  }
}
