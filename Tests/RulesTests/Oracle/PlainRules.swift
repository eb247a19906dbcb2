/// A program's rules and a request as plain texts and numbers, as the specification speaks of them.
struct PlainRule {
  var version: Int
  /// Moments in microseconds.
  var from: Int
  var until: Int
  var stage: String
  var when: PlainCondition?
  var priority = 100
  var stop = false
  var event: String?
  var org: String?
  var merchant: String?
  var campaign: Int?
  var earn = (points: 0, money: 1)
  var points = 0
  var times = (0, 1)
  var cap = (limit: 0, kind: "sale")
}

struct PlainCampaign {
  var windows: [(from: Int, until: Int, quota: Int?)]
}

struct PlainProgram {
  /// Versions by the rule's number.
  var rules: [Int: [PlainRule]] = [:]
  var ids: [Int: String] = [:]
  var campaigns: [Int: PlainCampaign] = [:]
  /// Limits by the quota's number.
  var quotas: [Int: Int] = [:]
  var rate = (points: 1, money: 100)
  var isMerchantsRate = false
  var combine = "max"
  var caps: [(limit: Int, kind: String)] = []
  /// Microseconds.
  var offset = 0
}

struct PlainLine {
  var sku: String
  var category: String?
  var brand: String?
  var quantity: Int
  var amount: Int
}

struct PlainRequest {
  enum Kind { case purchase(spend: Int), points(Int), event(name: String, value: Int?) }
  var kind: Kind
  /// Microseconds.
  var moment: Int
  var lines: [PlainLine] = []
  var merchant: String
  var orgs: [String] = []
  var tags: [String] = []
  var birthday: String?
  /// All other facts that are words or counted: channel, tier, visits, x.city …
  var facts: [String: String] = [:]
  var factors: [PlainFactor] = []
}

struct PlainFactor {
  var id: String
  var isTier: Bool
  var number: Int
  var version: Int
  var times: (Int, Int)
}

/// What came of a request, said in lines that are easy to compare.
struct PlainOutcome: Equatable {
  var refusal: String?
  var points = 0
  var capped = 0
  var reason: Int?
  var linePoints: [Int] = []
  var steps: [String] = []
  var counts: [String] = []
  var draws: [String] = []
}
