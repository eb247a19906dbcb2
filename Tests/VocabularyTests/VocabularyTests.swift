import Base
import Foundation
import Testing

@testable import Vocabulary

@Suite struct VocabularyTests {
  @Test func everyVerbHasOneRow() {
    let own = VerbSpec.table.filter { $0.kind == nil }.map(\.verb)
    let ofEntries: Set<Verb> = [.entrySet, .entryShow, .entryList, .entryHistory]
    #expect(own.sorted { $0.rawValue < $1.rawValue } == Verb.allCases.filter { !ofEntries.contains($0) })
    for kind in EntryKind.all { #expect(Set(kind.verbs.map(\.verb)) == ofEntries) }
    #expect(Set(VerbSpec.table.map(\.number)).count == VerbSpec.table.count)
    for key in Key.allCases {
      #expect(VerbSpec.all.contains { $0.argument(key) != nil }, "\(key) belongs to no verb")
    }
    for spec in VerbSpec.all where spec.kind == nil {
      let rule = VerbRule.of(spec.verb).pointee
      #expect(rule.verb == spec.verb && rule.maximumPositionals == spec.maximumPositionals, "\(spec.words)")
      #expect(spec.effect != .movesPoints || spec.argument(.id)?.need == .required, "\(spec.words)")
      #expect(Set(spec.arguments.compactMap(\.key)).count == spec.arguments.count { $0.key != nil }, "\(spec.words)")
    }
  }

  /// They stand in logs and enter fingerprints: what is here may be added to at the end of a line, and is else as it is.
  @Test func numbersOfVerbsAndPlacesStay() {
    let places = """
      1 EARN: WHO merchant id spend points program at lines channel type terminal
      2 REDEEM: WHO merchant points id program terminal
      3 HOLD: WHO merchant points id ttl program terminal
      4 CAPTURE: TX id points
      5 RELEASE: TX id
      6 REFUND: TX id spend points lines
      7 TRANSFER: FROM TO points id program
      8 BALANCE: WHO program read all expiring
      9 HISTORY: WHO program limit before read
      10 TX SHOW: TX read
      11 MEMBER ADD: id name region card id class birthday referrer channel language manager rating cardtype x.NAME
      12 MEMBER SHOW: WHO read
      13 MEMBER FREEZE: WHO id
      14 MEMBER THAW: WHO id
      15 MEMBER CLOSE: WHO id
      17 CARD ADD: NUMBER member id type
      18 CARD LOST: NUMBER id
      19 CARD FOUND: NUMBER id
      20 CARD REMOVE: NUMBER id
      25 AUDIT: read
      26 CLUSTER INIT: shards replicas allow-single-region dry-run
      27 CLUSTER NODES:
      28 CLUSTER SHARDS: S
      29 CLUSTER STATUS:
      30 HEALTH: all
      40 CLUSTER ALARM: LIST|CLEAR NAME shard accept-loss
      41 CLUSTER SHARD: LEADER|MOVE|SPLIT|MERGE S T to region dry-run from at
      42 CLUSTER OP: LIST|SHOW|CANCEL N limit after
      43 MEMBER NOTE: WHO kind text id
      44 MEMBER NOTES: WHO limit read
      45 CLUSTER NODE: DRAIN|UNDRAIN|REMOVE|REPLACE NODE NEW to dead dry-run
      46 CLUSTER UPGRADE: SHOW|FINISH dry-run
      50 CLUSTER LIMIT: SHOW|SET dead-after moves snapshot-rate
      55 CLUSTER BACKUP: SAVE|RESTORE DIR dir replicas allow-single-region dry-run
      60 CLUSTER REBALANCE: REPLICAS|LEADERS apply dry-run
      61 CLUSTER PLACEMENT: SHOW|SET spread leaders shard dry-run
      62 CLUSTER CHECK:
      63 CLUSTER UNSAFE: RECOVER dead apply dry-run
      100 MEMBER SET: WHO name region id class birthday referrer channel language manager rating cardtype x.NAME pool
      101 MEMBER TAG: WHO TAG… id
      102 MEMBER UNTAG: WHO TAG… id
      103 EXTEND: WHO until reason id program
      110 EVENT: WHO event id program merchant value x.NAME
      111 SIMULATE EARN: WHO merchant id spend points program at lines channel type terminal read
      112 SIMULATE EVENT: WHO event id program merchant value x.NAME read
      113 EXPLAIN: TX read
      114 EXPLAIN EARN: WHO merchant id spend points program at lines channel type terminal read
      120 ALIAS ADD: KIND:VALUE member type id
      121 ALIAS LOST: KIND:VALUE id
      122 ALIAS FOUND: KIND:VALUE id
      123 ALIAS REMOVE: KIND:VALUE id
      124 CARD REPLACE: OLD NEW id
      125 MEMBER ERASE: WHO id
      126 MEMBER FIND: class tag region state limit after x.NAME tier cut
      127 MEMBERPAGE: body
      130 MEMBER TIER: WHO program read
      131 DUE: kind on days program limit after
      140 CAMPAIGN REPORT: id
      141 JOBSTART: body
      142 JOB SHOW: job
      143 EXTEND ALL: until reason id program
      150 MEMBER MERGE: FROM INTO id
      151 POOL ADD: id title id
      160 CONFIG SET: SETTING VALUE
      161 ADJUST: WHO points direction reason id program note
      162 RULE APPROVE: id id
      163 CAMPAIGN APPROVE: id id
      164 CASE APPROVE: C id note
      165 CASE REJECT: C id note
      166 CASE OPEN: WHO kind reason id tx points note
      167 CASE SHOW: C read
      168 CASE LIST: state kind limit after
      169 CASE NOTE: C text id
      200 CATALOGUE: body
      201 TICK: body
      202 MARKER: body
      203 DELIVERY: body
      204 VERDICT: body
      205 ACKNOWLEDGED: body
      206 BIRTH: body
      207 EXPORT: body
      208 IMPORT: body
      209 IMPORTED: body
      210 MEMBERMINT: id member id
      220 CARDHOLDERS: NUMBER
      221 REQUESTSEEN: WHO
      222 FACTS: TX
      230 RESUME: body
      300 USER SET: name role secret merchant terminal org adjust-limit rate state id
      301 USER SHOW: name
      302 USER LIST: limit after
      303 WHOAMI:
      304 TENANT SET: name title state id
      305 TENANT LIST:
      306 TENANT USE: name
      307 TRAIL: user verb from until limit after
      350 FEED: from kind limit wait part until
      360 FEEDPAGE: body
      370 TEXT: KIND:VALUE words channel language id text
      380 REPORT: NAME program by from until merchant
      381 REPORTPAGE: body
      """
    let keys = """
      1 merchant, 2 spend, 3 points, 4 id, 5 program, 6 at, 7 ttl, 8 limit, 9 before, 10 read, 11 member, 12 name, \
      13 region, 14 card, 16 kind, 23 shards, 24 replicas, 25 allow-single-region, 26 after, 28 dry-run, 29 all, \
      30 text, 36 dir, 40 shard, 41 to, 42 from, 43 dead, 50 dead-after, 51 moves, 52 snapshot-rate, 60 apply, \
      61 spread, 62 leaders, 70 accept-loss, 80 class, 81 birthday, 82 referrer, 83 channel, 84 language, 85 manager, \
      86 rating, 87 cardtype, 88 expiring, 89 until, 90 reason, 91 x.NAME, 100 lines, 101 type, 102 terminal, 103 event, \
      104 value, 110 tier, 111 on, 112 days, 131 tag, 132 state, 140 title, 141 pool, \
      150 role, 151 secret, 152 org, 153 adjust-limit, 154 rate, 155 user, 156 verb, 170 direction, 171 note, 172 tx, 190 wait, 191 part, 210 by, 220 cut
      """
    let rows = VerbSpec.table.filter { $0.route != .connection && $0.kind == nil }.sorted {
      $0.verb.rawValue < $1.verb.rawValue
    }
    let found = rows.map { row in
      "\(row.verb.rawValue) \(row.verb.words):" + row.arguments.map { " " + $0.name }.joined()
    }
    #expect(found == places.split(separator: "\n").map { String($0) })
    #expect(Key.allCases.map { "\($0.rawValue) \($0.word)" } == keys.split(separator: ", ").map { String($0) })
  }

  /// The same of entries: they stand in the directory's log, in snapshots and in every shard's log.
  @Test func numbersOfKindsAndFieldsStay() {
    let kinds = """
      1 PROGRAM: 1 state(active stopped) 2 kind(points money) 3 earn 4 expire 5 title 6 backdate 7 utc-offset 8 refund-window 9 default(no yes) \
      11 value 12 activate 13 transfer(yes no) 14 transfer-limit 15 redeem-min 16 redeem-max 17 redeem-step 18 redeem-share \
      19 redeem-window 20 earn-cap 21 refund-policy(debt reject absorb) 22 refund-grace 23 combine(max product) 24 cashout(no yes) 25 cashout-min 26 cashout-fee \
      27 on-close 28 approval(none rules)
      2 MERCHANT: 1 state(active frozen closed stopped) 2 program 3 earn 4 region 5 title 6 parent 7 org 8 class 9 logistics(no yes) \
      10 recharge(no yes) 11 contact 12 rating
      3 ORG: 1 state(active stopped) 2 tree 3 parent 4 kind 5 title 6 contact 7 region
      4 TERMINAL: 1 state(active stopped) 2 merchant 3 channel 4 region 5 recharge(no yes)
      5 PRODUCT: 1 state(active stopped) 2 title 3 category 4 brand 5 price 6 wholesale
      6 CARDTYPE: 1 state(active stopped) 2 title 3 earn-times 4 discount 5 supplementary(no yes)
      7 POLICY: 1 state(active stopped) 4 expire 12 activate 13 transfer(yes no) 15 redeem-min 16 redeem-max 17 redeem-step \
      18 redeem-share 20 earn-cap 24 cashout(no yes) 27 on-close
      8 RULE: 1 state(draft running stopped) 2 program 3 stage(block base fixed times bonus cap) 4 when 5 priority 6 stop(no yes) \
      7 event 8 earn 9 points 10 times 11 cap 12 campaign 13 org 14 merchant
      9 CAMPAIGN: 1 state(draft running stopped) 2 title 3 budget 4 owner 5 funded
      11 TIER: 1 state(active stopped) 2 rank 3 at 4 by(points spend recharge visits) 5 period(year 12m ever) \
      6 down(earned one never) 7 earn-times 8 discount 9 gift 10 price 11 days
      10 QUOTA: 1 state(active stopped) 2 limit 3 per(ever year month week day) 4 when-empty(cut refuse)
      12 MESSAGE: 1 state(active stopped) 2 text
      """
    let found = EntryKind.all.map { kind in
      let fields = kind.fields.sorted { $0.number < $1.number }.map { field in
        guard case .choice(let words) = field.form else { return " \(field.number) \(field.name)" }
        return " \(field.number) \(field.name)(\(words.joined(separator: " ")))"
      }
      return "\(kind.number) \(kind.word):" + fields.joined()
    }
    #expect(found == kinds.split(separator: "\n").map { String($0) })
    for kind in EntryKind.all {
      #expect((1...EntryKind.mostKinds).contains(kind.number))
      #expect(
        Set(kind.fields.map(\.number)).count == kind.fields.count
          && Set(kind.fields.map(\.name)).count == kind.fields.count)
      // What all verbs take, and what ends a name, are no fields. `at=` is: lists, where it is a moment, do not go by it.
      #expect(
        kind.fields.allSatisfy { field in
          // That of a LIST says how many there are to be, also of quotas.
          kind.word == "QUOTA" && field.name == "limit"
            || !["id", "from", "limit", "after", "read", "until"].contains(field.name)
        })
      for field in kind.fields {
        guard case .reference(let word, _) = field.form else { continue }
        #expect(EntryKind.all.contains { $0.word == word }, "\(field.name)")
      }
    }
  }

  @Test func aTableOfAThousandWordsIsMadeInFewSteps() {
    let words = (0..<1_000).map { "word-\($0 % 10)-number-\($0)" }
    let table = WordTable(words.enumerated().map { .init(word: $1, salt: 0, code: UInt16($0 + 1)) })
    #expect(table.steps < 1_500)
    for (i, word) in words.enumerated() {
      let found = Array(word.uppercased().utf8).withUnsafeBytes { bytes in
        bytes.baseAddress.map { table.find($0, bytes.count) }
      }
      #expect(found == UInt16(i + 1))
    }
    for stranger in ["word", "word-1-number-1000", "", String(repeating: "x", count: 25), "number-1"] {
      let found = Array(stranger.utf8).withUnsafeBytes { bytes in bytes.baseAddress.map { table.find($0, bytes.count) }
      }
      #expect(found ?? 0 == 0, "\(stranger)")
    }
  }

  /// Equal words of two families are two words.
  @Test func familiesHaveTheirOwnWords() {
    let table = WordTable([
      .init(word: "ADD", salt: 1, code: 7), .init(word: "ADD", salt: 2, code: 8), .init(word: "LOST", salt: 2, code: 9),
    ])
    func find(_ word: String, _ salt: UInt16) -> UInt16 {
      Array(word.utf8).withUnsafeBytes { bytes in bytes.baseAddress.map { table.find($0, bytes.count, salt: salt) } ?? 0
      }
    }
    #expect(find("add", 1) == 7 && find("Add", 2) == 8 && find("ADD", 0) == 0 && find("LOST", 1) == 0)
  }

  @Test(arguments: [
    ("EARM", "EARN"), ("EANR", "EARN"), ("ERAN", "EARN"), ("REDEM", "REDEEM"), ("reedem", "REDEEM"), ("HLEP", "HELP"),
    ("MEMBERS", "MEMBER"), ("CARDS", "CARD"), ("NOPE", nil), ("merchant=x", "MERCHANT"), ("", nil), ("X", nil),
    ("XY", nil),
  ])
  func theNearestVerbIsFewSlipsAway(_ typed: String, _ meant: String?) {
    #expect(VerbWords.nearest(to: typed) == meant)
  }

  /// Both ends of a range are accepted, what lies beyond is not, and the error's text names both.
  @Test func aShapeHasOneRange() {
    func accepts(_ shape: Shape, _ text: String) -> Int64? {
      Array(text.utf8).withUnsafeBytes { bytes in
        guard let start = bytes.baseAddress else { return nil }
        var value = ArgumentValue(start: start, count: bytes.count)
        return shape.accepts(&value, ByteClass.table) ? value.number : nil
      }
    }
    for shape in Shape.allCases {
      guard let range = shape.range, shape != .rate, shape != .fraction, shape != .utcOffset,
        shape != .byteRate
      else { continue }
      let unit = shape == .days || shape == .backdate ? "d" : shape == .span ? "s" : ""
      for number in [range.lowerBound, range.upperBound] {
        #expect(accepts(shape, "\(number)\(unit)") == number, "\(shape)")
        #expect(shape.requirement.contains("\(number)"), "\(shape)")
      }
      for number in [range.lowerBound - 1, range.upperBound + 1] {
        #expect(accepts(shape, "\(number)\(unit)") == nil, "\(shape)")
      }
    }
    for shape in Shape.allCases {
      for (number, word) in shape.choices.enumerated() {
        #expect(accepts(shape, word) == Int64(number) && shape.requirement.contains(word))
      }
    }
  }

  /// As docs/protocol.md promises.
  @Test func whichRefusalsAreKept() {
    let kept = ErrorCode.allCases.filter { $0.isKept() }
    #expect(kept == [.insufficient, .frozen, .closed, .lost, .limit, .reversed])
    #expect(ErrorCode.allCases.filter { $0.isKept(about: .recipient) } == [.notFound] + kept)
  }

  /// The table of docs/security.md says of each verb who may ask for it. `REWRITE=1` writes it.
  @Test func theDocumentedRolesAreThoseOfTheRows() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/security.md")
    let page = try String(contentsOf: path, encoding: .utf8)
    let columns = Role.allCases.map { ($0.word, $0.roles) } + [("nobody", Roles.strangers)]
    var lines = ["| verb | " + columns.map(\.0).joined(separator: " | ") + " |"]
    lines.append("| --- |" + columns.map { _ in " --- |" }.joined())
    for spec in VerbSpec.all {
      let marks = columns.map { spec.roles.contains($0.1) ? " x |" : spec.readers.contains($0.1) ? " r |" : " |" }
        .joined()
      lines.append("| `\(spec.words.joined(separator: " "))` |" + marks)
    }
    let table = lines.joined(separator: "\n")
    if ProcessInfo.processInfo.environment["REWRITE"] != nil, let start = page.range(of: "| verb |") {
      let end = page[start.lowerBound...].range(of: "\n\n")?.lowerBound ?? page.endIndex
      try (page[..<start.lowerBound] + table + page[end...]).write(to: path, atomically: true, encoding: .utf8)
    } else {
      #expect(page.contains(table), "docs/security.md has other roles than the rows")
    }
    // A row without roles is one that nobody may ask for.
    #expect(VerbSpec.all.allSatisfy { $0.roles.contains(.operators) || $0.roles == .admins })
    #expect(VerbSpec.all.allSatisfy { $0.effect == .read || $0.roles.isDisjoint(with: .auditors) })
  }

  @Test func whatIsDrawnIsToldFromWhatIsChosen() {
    let drawn = DrawnSecret.text(of: (0..<16).map { UInt8($0) })
    #expect(DrawnSecret.isOne(Array(drawn.utf8)))
    for other in ["", "tally-", "open-sesame", drawn + "0", String(drawn.dropLast()) + "g", drawn.uppercased()] {
      #expect(!DrawnSecret.isOne(Array(other.utf8)), "\(other)")
    }
    var wrong = Array(drawn.utf8)
    wrong[10] ^= 1
    #expect(!DrawnSecret.isOne(wrong))
  }

  /// The tables of docs/protocol.md have each verb's usage and what its answer has.
  @Test func theDocumentedTablesAreTheRows() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/protocol.md")
    let rows = try String(contentsOf: path, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| `") }
      .map { $0.replacing("\\|", with: "\u{1}").split(separator: "|").map { $0.replacing("\u{1}", with: "|") } }
    for spec in VerbSpec.all {
      let row = rows.first { row in
        let span = "`\(spec.usage)`"
        return spec.route == .connection ? row.joined().contains("`\(spec.words[0])") : row[0].hasPrefix(" " + span)
      }
      guard let row else {
        Issue.record("docs/protocol.md lacks \(spec.usage)")
        continue
      }
      guard spec.route != .connection else { continue }
      for word in spec.reply.split(whereSeparator: { ":[]; ,".contains($0) }) {
        #expect(row[1].contains(word), "\(spec.words): \(word)")
      }
    }
  }
}
