import Base
import Testing

@testable import Protocol
@testable import Vocabulary

/// Requests as bytes, and what the parser made of them.
@Suite struct RequestParserTests {
  @Test(arguments: [
    ("EARN m1 merchant=shop spend=1234 id=r-99\n", "EARN [m1] merchant=shop spend=1234 id=r-99"),
    ("earn m1 ID=r-99 Merchant=shop SPEND=0\r\n", "EARN [m1] merchant=shop spend=0 id=r-99"),
    ("merchant=x\n", "-ERR unknown command 'merchant=x'; did you mean MERCHANT? HELP lists them"),
    ("  EARN\tcard:5001   merchant=shop points=7 id=a  \n", "EARN [card:5001] merchant=shop points=7 id=a"),
    ("EARN merchant=shop points=7 m1 id=a\n", "EARN [m1] merchant=shop points=7 id=a"),
    ("Member Add ann name=\"Ann Lee\" card=5001\n", "MEMBER ADD [ann] name=Ann Lee card=5001"),
    ("MEMBER ADD ann \"name=Ann Lee\"\n", "MEMBER ADD [ann] name=Ann Lee"),
    ("MEMBER ADD ann name='Ann \"A\" Lee'\n", "MEMBER ADD [ann] name=Ann \"A\" Lee"),
    ("MEMBER ADD ann name=A'nn L'ee\n", "MEMBER ADD [ann] name=Ann Lee"),
    ("MEMBER ADD ann name='it\\'s'\n", "MEMBER ADD [ann] name=it's"),
    ("MEMBER ADD ann name=\"\\x41\\\"\\\\b\"\n", "MEMBER ADD [ann] name=A\"\\b"),
    ("MEMBER ADD ann name=a=b\n", "MEMBER ADD [ann] name=a=b"),
    ("MEMBER ADD ann name=\n", "MEMBER ADD [ann] name="),
    ("MEMBER ADD ann name=\"\"\n", "MEMBER ADD [ann] name="),
    ("MEMBER ADD ann name=李安\n", "MEMBER ADD [ann] name=李安"),
    ("M'EMB'ER ADD \"ann\"\n", "MEMBER ADD [ann]"),
    ("ECHO \"a\\r\\n\\tb\"\n", "ECHO [a\r\n\tb]"),
    ("INFO a=b c\n", "INFO [a=b] [c]"),
    ("ECHO \"\"\n", "ECHO []"),
    ("TRANSFER ann card:7 points=5 id=t\n", "TRANSFER [ann] [card:7] points=5 id=t"),
    (
      "CLUSTER INIT shards=12 replicas=3 allow-single-region=yes\n",
      "CLUSTER INIT shards=12 replicas=3 allow-single-region=yes"
    ),
    ("CLUSTER nodes\n", "CLUSTER NODES"),
    ("COMMAND\n", "COMMAND"),
    ("COMMAND DOCS\n", "COMMAND DOCS"),
    ("HELLO 3 AUTH u p=w SETNAME n\n", "HELLO [3] [AUTH] [u] [p=w] [SETNAME] [n]"),
    ("CLIENT SETINFO LIB-NAME redis-py\n", "CLIENT SETINFO [LIB-NAME] [redis-py]"),
    ("REFUND 3-1042 id=x\n", "REFUND [3-1042] id=x"),
    ("HISTORY m1 limit=5 before=16383-9\n", "HISTORY [m1] limit=5 before=16383-9"),
    ("\n\r\n   \nPING\n", "PING"),
  ])
  func aRequestIsUnderstood(_ bytes: String, _ expected: String) { #expect(Transcript(bytes).lines == [expected]) }

  @Test(arguments: [
    ("NOPE a\n", "unknown command 'NOPE'; HELP lists them"),
    ("EARM m1\n", "unknown command 'EARM'; did you mean EARN? HELP lists them"),
    ("balanec m1\n", "unknown command 'balanec'; did you mean BALANCE? HELP lists them"),
    ("\"\" a\n", "unknown command ''; HELP lists them"),
    (
      "MEMBER\n",
      "MEMBER needs one of ADD, SET, TAG, UNTAG, SHOW, FREEZE, THAW, CLOSE, NOTE, NOTES, FIND, TIER, MERGE, ERASE"
    ),
    ("TX DROP\n", "unknown subcommand 'DROP' of TX; it has SHOW"),
    // SHOW belongs to MEMBER and TX, not to CARD.
    ("CARD SHOW 1\n", "unknown subcommand 'SHOW' of CARD; it has ADD, LOST, FOUND, REMOVE, REPLACE"),
    (
      "EARN m1 merchant=s spend=1 id=a colour=red\n",
      "EARN does not know the key 'colour'; it takes merchant=, id=, spend=, points=, program=, at=, lines=, channel=,"
        + " type= and terminal="
    ),
    (
      "EARN m1 merchant=s spend=1 id=a ttl=1\n",
      "EARN does not know the key 'ttl'; it takes merchant=, id=, spend=, points=, program=, at=, lines=, channel=,"
        + " type= and terminal="
    ),
    ("AUDIT x=1\n", "AUDIT does not know the key 'x'; it takes read="),
    ("PING a b\n", "wrong number of arguments for 'ping' command; usage: PING [TEXT]"),
    ("*3\r\n$4\r\nPING\r\n$1\r\na\r\n$1\r\nb\r\n", "wrong number of arguments for 'ping' command; usage: PING [TEXT]"),
    ("ECHO a b\n", "wrong number of arguments for 'echo' command; usage: ECHO TEXT"),
    ("TIME now\n", "wrong number of arguments for 'time' command; usage: TIME"),
    ("SELECT 0 1\n", "wrong number of arguments for 'select' command; usage: SELECT 0"),
    ("CLIENT ID 5\n", "wrong number of arguments for 'client|id' command; usage: CLIENT ID"),
    ("AUDIT x\n", "AUDIT does not expect 'x'; usage: AUDIT [read=local|leader]"),
    ("EARN m1 merchant=s spend=1 spend=1 id=a\n", "spend= is given twice"),
    ("EARN m1 merchant=s spend=1 points=1 id=a\n", "EARN takes either spend= or points=, not both"),
    ("REFUND 3-1 spend=1 points=1 id=a\n", "REFUND takes one of spend=, points= or lines="),
    (
      "EARN m1 merchant=s id=a\n",
      "EARN needs spend= or points=; usage: EARN WHO merchant=m id=… spend=MINOR|points=N [program=p] [at=TIME]"
        + " [lines=sku:quantity:amount,…] [channel=WORD] [type=WORD] [terminal=ID]"
    ),
    (
      "EARN m1 spend=1\n",
      "EARN needs merchant= and id=; usage: EARN WHO merchant=m id=… spend=MINOR|points=N [program=p] [at=TIME]"
        + " [lines=sku:quantity:amount,…] [channel=WORD] [type=WORD] [terminal=ID]"
    ),
    ("BALANCE\n", "BALANCE needs WHO; usage: BALANCE WHO [program=p|all=yes|no] [read=local|leader] [expiring=yes|no]"),
    ("TRANSFER ann points=1 id=a\n", "TRANSFER needs TO; usage: TRANSFER FROM TO points=N id=… [program=p]"),
    (
      "BALANCE m1 m2\n",
      "BALANCE does not expect 'm2'; usage: BALANCE WHO [program=p|all=yes|no] [read=local|leader] [expiring=yes|no]"
    ),
    (
      "BALANCE m/1\n",
      "WHO of BALANCE must be a member's id, 1 to 64 of A-Za-z0-9._-, or KIND:VALUE, of card, phone, mail, bank or login, and 1 to 64 of A-Za-z0-9._+@-, not 'm/1'"
    ),
    (
      "BALANCE card:\n",
      "WHO of BALANCE must be a member's id, 1 to 64 of A-Za-z0-9._-, or KIND:VALUE, of card, phone, mail, bank or login, and 1 to 64 of A-Za-z0-9._+@-, not 'card:'"
    ),
    (
      "BALANCE \"\"\n",
      "WHO of BALANCE must be a member's id, 1 to 64 of A-Za-z0-9._-, or KIND:VALUE, of card, phone, mail, bank or login, and 1 to 64 of A-Za-z0-9._+@-, not ''"
    ),
    (
      "MEMBER ADD a name=\"x\\ny\"\n",
      "name= must be UTF-8 text of at most 256 bytes without control characters, not 'x?y'"
    ),
    (
      "MEMBER ADD a name=\"\\xff\"\n",
      "name= must be UTF-8 text of at most 256 bytes without control characters, not '\u{FFFD}'"
    ),
    ("TX SHOW 3-\n", "TX of TX SHOW must be a transaction's number like 3-1042, not '3-'"),
    ("TX SHOW 3-1x\n", "TX of TX SHOW must be a transaction's number like 3-1042, not '3-1x'"),
    (
      "HOLD m1 merchant=s points=5 id=a ttl=2592001\n",
      "ttl= must be a whole number of seconds from 1 to 2592000, not '2592001'"
    ),
    ("BALANCE m1 read=nearest\n", "read= must be local or leader, not 'nearest'"),
    ("BALANCE m1 read=LOCAL\n", "read= must be local or leader, not 'LOCAL'"),
    ("ECHO \"a\n", "a quote is not closed in '\"a'"),
    ("ECHO 'a\n", "a quote is not closed in ''a'"),
    ("ECHO \"a\\\n", "a quote is not closed behind a backslash"),
    ("ECHO \"\\q\"\n", "unknown escape 'q' in quotes; there are \\n \\r \\t \\\" \\\\ \\xHH"),
    ("ECHO \"\\x4\"\n", "\\x in quotes needs two hexadecimal digits"),
    ("ECHO\n", "ECHO needs TEXT; usage: ECHO TEXT"),
  ])
  func anErrorNamesWhatIsAtFault(_ bytes: String, _ message: String) {
    #expect(Transcript(bytes + "PING\n").lines == ["-ERR " + message, "PING"])
  }

  @Test(arguments: [
    ("spend=1.5", false), ("spend=-1", false), ("spend=+1", false), ("spend=", false), ("spend=1e3", false),
    ("spend=0", true), ("spend=1000000000000000", true), ("spend=1000000000000001", false),
    ("spend=0000000000000000001", true), ("spend=99999999999999999999999", false), ("spend=1 ", true),
    ("points=0", false), ("points=1", true), ("points=1000000000000000", true), ("points=1000000000000001", false),
    ("points=9223372036854775808", false),
  ])
  func amountsAreWholeNumbersWithinBounds(_ amount: String, _ isGood: Bool) {
    let line = Transcript("EARN m1 merchant=s id=a \(amount)\n").lines[0]
    #expect(line.hasPrefix("EARN") == isGood, "\(line)")
    if !isGood { #expect(line.hasPrefix("-ERR \(amount.prefix { $0 != "=" })= must be a whole number")) }
  }

  @Test func anIdentifierHasOneTo64BytesOfItsAlphabet() {
    for byte in UInt8.min...UInt8.max {
      let isGood = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-".utf8.contains(byte)
      let words: [[UInt8]] = [
        Array("EARN".utf8), [0x61, byte], Array("merchant=s".utf8), Array("id=x".utf8), Array("spend=1".utf8),
      ]
      var bytes = Array("*5\r\n".utf8)
      for word in words { bytes += Array("$\(word.count)\r\n".utf8) + word + [0x0D, 0x0A] }
      // A `=` makes a key of the word: refused too, as one.
      #expect(Transcript(bytes).lines[0].hasPrefix("EARN [") == isGood, "byte \(byte)")
    }
    let longest = String(repeating: "x", count: 64)
    #expect(Transcript("BALANCE \(longest)\n").lines == ["BALANCE [\(longest)]"])
    #expect(Transcript("BALANCE card:\(longest)\n").lines == ["BALANCE [card:\(longest)]"])
    #expect(Transcript("BALANCE \(longest)x\n").lines[0].hasPrefix("-ERR WHO of BALANCE"))
    #expect(Transcript("BALANCE card:\(longest)x\n").lines[0].hasPrefix("-ERR WHO of BALANCE"))
  }

  @Test(
    arguments: [
      ("0", 0), ("1700000000123", 1_700_000_000_123_000), ("253402300799999", 253_402_300_799_999_000),
      ("253402300800000", nil), ("-1", nil), ("1.5", nil),
      ("1970-01-01T00:00:00Z", 0), ("2026-01-31T12:34:56Z", 1_769_862_896_000_000),
      ("2026-01-31t12:34:56.789z", 1_769_862_896_789_000), ("2026-01-31T12:34:56.1234567Z", 1_769_862_896_123_456),
      ("2026-01-31T12:34:56+00:00", 1_769_862_896_000_000), ("2026-01-31T12:34:56+01:00", nil),
      ("2024-02-29T00:00:00Z", 1_709_164_800_000_000), ("2023-02-29T00:00:00Z", nil), ("2100-02-29T00:00:00Z", nil),
      ("2000-02-29T00:00:00Z", 951_782_400_000_000), ("2026-13-01T00:00:00Z", nil), ("2026-00-01T00:00:00Z", nil),
      ("2026-04-31T00:00:00Z", nil), ("2026-01-00T00:00:00Z", nil), ("2026-01-01T24:00:00Z", nil),
      ("2026-01-01T00:60:00Z", nil), ("2016-12-31T23:59:60Z", 1_483_228_800_000_000), ("2026-01-01T00:00:60Z", nil),
      ("1969-12-31T23:59:59Z", nil), ("9999-12-31T23:59:59Z", 253_402_300_799_000_000), ("2026-01-31T12:34:56", nil),
      ("2026-01-31 12:34:56Z", nil), ("2026-01-31T12:34:56.Z", nil), ("2026-01-31", nil), ("", nil),
      ("2026-1-31T12:34:56.0Z", nil), ("20a6-01-31T12:34:56Z", nil),
    ] as [(String, Int64?)])
  func timesAreRFC3339InUTCOrMilliseconds(_ text: String, _ microseconds: Int64?) {
    let stamp = withRequest("EARN m1 merchant=s id=a spend=1 \"at=\(text)\"\n") { $0.stamp(.at)?.microseconds }
    #expect((stamp ?? nil) == microseconds)
  }

  @Test func otherValuesHaveTheirTypesAndBounds() {
    func holds(_ line: String) -> Bool { withRequest(line + "\n") { _ in true } ?? false }
    #expect(withRequest("HOLD m1 merchant=s points=5 id=a ttl=2592000\n") { $0.number(.ttl) } == 2_592_000)
    #expect(!holds("HOLD m1 merchant=s points=5 id=a ttl=31536001") && !holds("HOLD m1 merchant=s points=5 id=a ttl=0"))
    #expect(holds("HISTORY m1 limit=1000") && !holds("HISTORY m1 limit=1001") && !holds("HISTORY m1 limit=0"))
    // Numbers that no transaction has: not found, not malformed.
    for number in ["3-0", "16384-1", "99999999999999999999-7", "0-281474976710656"] {
      #expect(
        withRequest("TX SHOW \(number)\n") { $0.transaction(0) }
          == TransactionID(slot: Slot(0), sequence: 0xFFFF_FFFF_FFFF), "\(number)")
    }
    #expect(withRequest("TX SHOW 3-1042\n") { $0.transaction(0) } == TransactionID(slot: Slot(3), sequence: 1042))
    #expect(
      withRequest("HISTORY m before=4-2\n") { $0.transaction(.before) } == TransactionID(slot: Slot(4), sequence: 2))
    #expect(withRequest("BALANCE m\n") { $0.readMode } == .leader)
    #expect(withRequest("BALANCE m read=leader\n") { $0.readMode } == .leader)
    #expect(withRequest("BALANCE m read=local\n") { $0.readMode } == .local)
    #expect(withRequest("CLUSTER INIT allow-single-region=yes\n") { $0.flag(.allowSingleRegion) } == true)
    #expect(withRequest("CLUSTER INIT allow-single-region=no\n") { $0.flag(.allowSingleRegion) } == false)
    #expect(holds("CLUSTER INIT shards=4096 replicas=9") && !holds("CLUSTER INIT shards=4097"))
    #expect(!holds("CLUSTER INIT replicas=0") && !holds("CLUSTER INIT replicas=10"))
    #expect(withRequest("BALANCE CARD:77\n") { "\($0.who(0).isAlias) \(string($0.who(0).id))" } == "true 77")
    #expect(withRequest("BALANCE card\n") { "\($0.who(0).isAlias) \(string($0.who(0).id))" } == "false card")
    let text = String(repeating: "é", count: 128)
    #expect(holds("MEMBER ADD a name=\(text)") && !holds("MEMBER ADD a name=\(text)x"))
    #expect(!holds("MEMBER ADD a name=\"\\xc2\\x85\"") && !holds("MEMBER ADD a name=\"\\x00\""))
  }

  @Test func theSameRequestMayComeAsAnArray() {
    let lines = Transcript(
      resp(["earn", "m1", "merchant=shop", "spend=12", "id=r"]) + resp(["MEMBER", "ADD", "ann", "name=Ann \"x\" Lee"])
        + "PING\n" + resp(["ECHO", ""]) + resp(["MEMBER", "ADD", "'b'"])
    ).lines
    #expect(lines[0] == "EARN [m1] merchant=shop spend=12 id=r")
    #expect(lines[1] == "MEMBER ADD [ann] name=Ann \"x\" Lee")
    #expect(lines[2...3] == ["PING", "ECHO []"])
    #expect(lines[4].hasPrefix("-ERR id of MEMBER ADD must be"))
    #expect(withRequest("PING\n") { $0.form } == .line)
    #expect(withRequest(resp(["PING"])) { $0.form } == .resp)
  }
}
